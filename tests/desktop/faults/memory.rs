//! Less memory than it needs: it works, or ends with an error message; it never hangs.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use nix::sys::signal::Signal;

use super::stand_in::{Manner, StandIn};
use super::{BARE, make_stale_sockets, wait_for_log};
use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{Finished, Lab, PATIENCE, Process, look_for};

/// A problem in the words of the table, or of the menu.
const SEEN: &str = "no masters, 1 problem";

/// This many MiB of address space are enough without an icon, even for a debug build. On a busy machine many threads run
/// at the same time, each with a stack of 2 MiB.
const ENOUGH: u64 = 96;

/// This is too little even to load the C library.
const NOTHING: u64 = 4;

/// The messages for going on with less: it scans later, or shows no icon.
const LACKS: [&str; 2] = [
    "cannot start a thread to discover",
    "watching without an icon",
];

fn says_what_it_lacks(process: &Process) -> bool {
    LACKS.iter().any(|word| process.stderr().contains(word))
}

/// The largest address space that the process had so far, in KiB.
fn peak(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let number = line.and_then(|value| value.split_whitespace().next());
    number.unwrap().parse().unwrap()
}

/// The command with this many KiB of address space, and no core dump.
fn limited(lab: &Lab, kib: u64, inner: &Command) -> Command {
    let mut command = lab.command("prlimit");
    command
        .arg(format!("--as={}:", kib * 1024))
        .arg("--core=0")
        .arg(inner.get_program())
        .args(inner.get_args());
    command
}

/// Removes the limit of a process.
#[track_caller]
fn raise_limit(lab: &Lab, process: &Process) {
    let mut command = lab.command("prlimit");
    command
        .arg(format!("--pid={}", process.pid()))
        .arg("--as=unlimited:");
    Process::run(command, PATIENCE).expect(0);
}

/// The result of a process with too little memory.
enum Outcome {
    Works(Process),
    /// It runs, and its log names the thread that could not start.
    Waits(Process),
    /// It runs, without the icon and without a message.
    Silent(Process),
    Ended(Finished),
}

/// Waits until it watches or has ended, or the time is over. An ended process must have printed why, unless the kernel
/// could not even load it.
#[track_caller]
fn outcome(mut process: Process, works: impl Fn(&Process) -> bool) -> Outcome {
    let became = look_for(PATIENCE, || {
        if !process.is_running() {
            Some(None)
        } else if works(&process) {
            Some(Some(Outcome::Works as fn(_) -> _))
        } else if says_what_it_lacks(&process) {
            Some(Some(Outcome::Waits as fn(_) -> _))
        } else {
            None
        }
    });
    match became {
        None => return Outcome::Silent(process),
        Some(Some(outcome)) => return outcome(process),
        Some(None) => {}
    }
    let output = process.finish(PATIENCE);
    assert!(!output.status.success(), "{output:?}");
    let was_loaded = output.status.signal() != Some(Signal::SIGSEGV as i32);
    assert!(!output.stderr.is_empty() || !was_loaded, "{output:?}");
    Outcome::Ended(output)
}

#[test]
fn too_little_memory_works_or_ends_with_message() {
    let Some(lab) = lab("too_little_memory_works_or_ends_with_message") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let daemon = StandIn::start(&desktop.bus_address(), Manner::Good);
    make_stale_sockets(&lab, &["web"]);
    let command = lab.muxtray_command(["-v", "run", "--no-tray"]);
    for mib in [4, 8, 12, 16, 18, 20, 22, 24, 26, 28, 30, 32, 48, ENOUGH] {
        let limited = limited(&lab, mib * 1024, &command);
        let process = Process::start(desktop.join(limited));
        match outcome(process, |process| process.stderr().contains(SEEN)) {
            Outcome::Works(process) => {
                assert!(mib > NOTHING, "the limit is none");
                end(process);
            }
            Outcome::Waits(process) => {
                raise_limit(&lab, &process);
                wait_for_log(&process, SEEN);
                end(process);
            }
            Outcome::Silent(process) => panic!("it hangs: {}", process.stderr()),
            Outcome::Ended(output) => assert!(mib < ENOUGH, "{mib} MiB are enough: {output:?}"),
        }
    }
    assert!(!daemon.shown().is_empty());
}

#[test]
fn too_little_memory_with_tray_works_or_ends_with_message() {
    let Some(lab) = lab("too_little_memory_with_tray_works_or_ends_with_message") else {
        return;
    };
    let parts = Parts {
        daemon: false,
        ..Parts::ALL
    };
    let desktop = Desktop::new(&lab, parts);
    make_stale_sockets(&lab, &["web"]);
    let ample = desktop.muxtray_run(&[]);
    desktop.tray_icon(ample.pid()).wait_for_row(&[SEEN]);
    let needed = peak(&ample);
    end(ample);
    let command = lab.muxtray_command(["-v", "run"]);
    // The number of threads with an arena of their own differs between runs: twice as much is enough for any.
    for hundredths in [30, 50, 70, 80, 90, 200] {
        let limited = limited(&lab, needed * hundredths / 100, &command);
        let process = Process::start(desktop.join(limited));
        let shows = |process: &Process| desktop.find_tray_icon(process.pid()).is_some();
        match outcome(process, shows) {
            Outcome::Works(process) => {
                desktop.tray_icon(process.pid()).wait_for_row(&[SEEN]);
                end(process);
            }
            // If GLib's pool gets no thread, it registers no icon and says nothing. The next failed allocation may end it
            // before SIGTERM does.
            Outcome::Waits(process) | Outcome::Silent(process) => {
                let is_said = says_what_it_lacks(&process);
                assert!(is_said || hundredths < 200, "no icon: {}", process.stderr());
                process.signal(Signal::SIGTERM);
                let output = process.finish(PATIENCE);
                assert!([0, 3].contains(&output.code()), "{output:?}");
            }
            Outcome::Ended(output) => {
                assert!(hundredths < 200, "{needed} KiB are enough: {output:?}");
            }
        }
    }
}
