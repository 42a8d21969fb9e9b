//! The fault matrix, the half of the system: disks that are full, homes that go and come back, a kernel that tells
//! less than usual, limits that are reached, an ssh that is not there or talks nonsense. For each: what happens, what a
//! person sees, and that it recovers. The names are those of the modules and of the tests in them.
//!
//! | fault | what happens | what a person sees | how it recovers |
//! | --- | --- | --- | --- |
//! | the disk is full while settings are written (`disk`) | the old file stays, byte for byte, or none appears; no draft is left | the file, the cause, and to make room there; the caches are silent | the next write is whole |
//! | nobody can be told the result: a full disk behind standard output (`disk`) | exit status 3 | the cause, on standard error | |
//! | the home directory goes (`home`) | it watches on, and makes nothing where the home was | the configuration that cannot be read, as a finding | sockets, configuration and settings are watched again once it is there |
//! | HOME is unset, relative or no directory (`home`) | masters are listed and asked | only what would be written there says so | |
//! | `/proc` with hidepid=2, or none (`kernel`) | a listener whose process is hidden is `running` or `foreign`, never stale; it is not signalled | no process id; why a process is not ended | |
//! | no sock_diag, by seccomp (`kernel`) | the tables in `/proc/net` are read; states stay true | one line in the log | |
//! | inotify watches or instances run out (`limits`) | it looks by the timer | which sysctl is reached, and the command that raises it | events count again once it is raised |
//! | few descriptors, or more masters than descriptors (`limits`) | all are seen, or the state is `unverifiable`; nothing is removed for it | to raise the limit of open files | |
//! | no thread or process more (`limits`) | the kernel's tables are read all the same | that ssh could not be asked; this is not remembered as an answer | at the next look |
//! | 65,536 descriptors in a process (`limits`) | it is searched to its end, and not again while nothing changes | | |
//! | 50,000 files in a directory, 10,000 made at once (`crowd`) | sockets are found among them; a storm costs a look each 50 ms | | |
//! | ssh is missing, hangs, is killed, prints garbage (`ssh`) | masters are shown by the kernel's tables; nothing of it runs on | `ssh-missing` or `ssh-config-invalid`, with what it said | asked again when another is there, or an unreadable file can be read |
//! | any one system call fails (`sweep`) | an exit status of the contract; nothing is called or removed that is not | a word about it | |
//!
//! What is tested elsewhere is not repeated here: bad input is in `tests/hostile.rs`, filesystems below the sockets in
//! `tests/filesystems.rs`, the desktop's faults in `tests/faults_desktop.rs`.

mod crowd;
mod disk;
mod home;
mod kernel;
mod limits;
mod ssh;
mod sweep;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::{Finished, Lab, PATIENCE, Process, look_for, wait_until};
use nix::sys::signal::Signal;

/// `muxtray run --no-tray`, which logs what it shows.
const RUN: [&str; 3] = ["run", "--no-tray", "-v"];

/// Starts a watcher that looks by the timer once an hour.
#[track_caller]
fn watcher(lab: &Lab) -> Process {
    lab.write_muxtray_config("interval_secs = 3600\n");
    Process::start(lab.muxtray_command(RUN))
}

/// Waits until it has logged the text behind what it had logged before.
#[track_caller]
fn wait_for_line(run: &mut Process, before: usize, text: &str) {
    let logged = look_for(PATIENCE, || {
        assert!(run.is_running(), "{}", run.stderr());
        run.stderr()[before..].contains(text).then_some(())
    });
    assert!(logged.is_some(), "no {text:?} in {}", run.stderr());
}

/// The inodes that a process watches by inotify, in hexadecimal, as the kernel writes them.
fn watched_inodes(pid: i32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let infos = entries
        .flatten()
        .map(|entry| fs::read_to_string(entry.path()).unwrap_or_default());
    let inodes = infos.flat_map(|info| {
        let lines = info.lines().filter(|line| line.starts_with("inotify "));
        lines
            .filter_map(|line| line.split(' ').find_map(|word| word.strip_prefix("ino:")))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    inodes.collect()
}

/// Waits until the process watches what is at the path.
#[track_caller]
fn wait_for_watch(run: &Process, path: &Path) {
    let inode = format!("{:x}", fs::metadata(path).unwrap().ino());
    wait_until(&format!("{} is watched", path.display()), PATIENCE, || {
        watched_inodes(run.pid()).contains(&inode)
    });
}

/// Ends it in order: whatever befell it, it still listens to signals.
#[track_caller]
fn end(run: Process) -> Finished {
    run.signal(Signal::SIGTERM);
    let finished = run.finish(PATIENCE).expect(0);
    assert!(!finished.stderr.contains("crashed"), "{finished:#?}");
    finished
}

/// Runs it to its end, which has to be one of the contract's.
#[track_caller]
fn orderly(command: Command) -> Finished {
    let said = Process::run(command, PATIENCE);
    assert!((0..=3).contains(&said.code()), "{said:#?}");
    assert!(!said.stderr.contains("panicked"), "{said:#?}");
    assert!(!said.stderr.contains("crashed"), "{said:#?}");
    said
}
