//! Less memory than it needs: it works, or ends with a word; it never hangs.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use nix::sys::signal::Signal;

use super::stand_in::{Manner, StandIn};
use super::{BARE, break_hosts, wait_for_word};
use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{Lab, PATIENCE, Process, look_for};

/// A problem in the table's words, or the menu's.
const SEEN: &str = "no masters, 1 problem";

/// So many MiB of address space are enough without an icon, even for a debug build; most of them are its file.
const ENOUGH: u64 = 48;

/// With so many not even the C library can be loaded.
const NOTHING: u64 = 4;

/// How it says that it goes on with less: it looks later, or shows no icon.
const LACKS: [&str; 2] = [
    "cannot start a thread to discover",
    "watching without an icon",
];

/// The most address space that a process had so far, in KiB.
fn peak(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let number = line.and_then(|value| value.split_whitespace().next());
    number.unwrap().parse().unwrap()
}

/// The command with so many KiB of address space, and no core of what that ends.
fn limited(lab: &Lab, kib: u64, inner: &Command) -> Command {
    let mut command = lab.command("prlimit");
    command
        .arg(format!("--as={}:", kib * 1024))
        .arg("--core=0")
        .arg(inner.get_program())
        .args(inner.get_args());
    command
}

/// Gives a process all the memory there is.
#[track_caller]
fn raise_limit(lab: &Lab, process: &Process) {
    let mut command = lab.command("prlimit");
    command
        .arg(format!("--pid={}", process.pid()))
        .arg("--as=unlimited:");
    Process::run(command, PATIENCE).expect(0);
}

/// What became of a process that has too little.
enum Outcome {
    Works(Process),
    /// It lives, and says what it can start no thread for.
    Waits(Process),
    Ended,
}

/// Waits until it watches or has ended; whoever ends says why, but for one that the kernel could not even load.
#[track_caller]
fn outcome(mut process: Process, works: impl Fn(&Process) -> bool) -> Outcome {
    let became = look_for(PATIENCE, || {
        if !process.is_running() {
            Some(None)
        } else if works(&process) {
            Some(Some(Outcome::Works as fn(_) -> _))
        } else if LACKS.iter().any(|word| process.stderr().contains(word)) {
            Some(Some(Outcome::Waits as fn(_) -> _))
        } else {
            None
        }
    });
    let became = became.unwrap_or_else(|| panic!("it hangs: {}", process.stderr()));
    if let Some(outcome) = became {
        return outcome(process);
    }
    let said = process.finish(PATIENCE);
    assert!(!said.status.success(), "{said:?}");
    let was_loaded = said.status.signal() != Some(Signal::SIGSEGV as i32);
    assert!(!said.stderr.is_empty() || !was_loaded, "{said:?}");
    Outcome::Ended
}

#[test]
fn with_too_little_memory_it_works_or_ends_with_a_word() {
    let Some(lab) = lab("with_too_little_memory_it_works_or_ends_with_a_word") else {
        return;
    };
    let desktop = Desktop::new(&lab, BARE);
    let daemon = StandIn::start(&desktop.bus_address(), Manner::Good);
    break_hosts(&lab, &["web"]);
    let command = lab.muxtray_command(["-v", "run", "--no-tray"]);
    for mib in [4, 8, 12, 16, 18, 20, 22, 24, 26, 28, 30, 32, ENOUGH] {
        let limited = limited(&lab, mib * 1024, &command);
        let process = Process::start(desktop.join(limited));
        match outcome(process, |process| process.stderr().contains(SEEN)) {
            Outcome::Works(process) => {
                assert!(mib > NOTHING, "the limit is none");
                end(process);
            }
            Outcome::Waits(process) => {
                raise_limit(&lab, &process);
                wait_for_word(&process, SEEN);
                end(process);
            }
            Outcome::Ended => assert!(mib < ENOUGH, "{mib} MiB are enough"),
        }
    }
    assert!(!daemon.shown().is_empty());
}

#[test]
fn with_too_little_memory_the_tray_works_or_ends_with_a_word() {
    let Some(lab) = lab("with_too_little_memory_the_tray_works_or_ends_with_a_word") else {
        return;
    };
    let parts = Parts {
        daemon: false,
        ..Parts::ALL
    };
    let desktop = Desktop::new(&lab, parts);
    break_hosts(&lab, &["web"]);
    let ample = desktop.muxtray_run(&[]);
    desktop.tray_icon(ample.pid()).wait_for_row(&[SEEN]);
    let needed = peak(&ample);
    end(ample);
    let command = lab.muxtray_command(["-v", "run"]);
    // How many threads have an arena of their own differs from run to run: twice as much is enough for any.
    for hundredths in [30, 50, 70, 80, 90, 200] {
        let limited = limited(&lab, needed * hundredths / 100, &command);
        let process = Process::start(desktop.join(limited));
        let shows = |process: &Process| desktop.find_tray_icon(process.pid()).is_some();
        match outcome(process, shows) {
            Outcome::Works(process) => {
                desktop.tray_icon(process.pid()).wait_for_row(&[SEEN]);
                end(process);
            }
            // What it lacks next may end it before it is told to.
            Outcome::Waits(process) => {
                process.signal(Signal::SIGTERM);
                let said = process.finish(PATIENCE);
                assert!([0, 3].contains(&said.code()), "{said:?}");
            }
            Outcome::Ended => assert!(hundredths < 200, "{needed} KiB are enough"),
        }
    }
}
