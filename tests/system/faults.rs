//! The system's faults: full disks, homes that are removed and restored, a kernel that reveals less than usual,
//! exhausted limits, a missing or broken ssh. For each: the effect, the message, and the recovery. The names are those
//! of the modules and of the tests in them.
//!
//! | fault | effect | message | recovery |
//! | --- | --- | --- | --- |
//! | the disk is full while settings are written (`disk`) | the old file stays, byte for byte, or none appears; no temporary file is left | the file, the cause, and to free space there; the caches are silent | the next write is complete |
//! | the result cannot be printed: a full disk behind standard output (`disk`) | exit status 3 | the cause, on standard error | |
//! | the home directory is removed (`home`) | it watches on, and makes nothing in place of the home | the configuration that cannot be read, as a finding | sockets, configuration and settings are watched again once it is there |
//! | HOME is unset, relative or no directory (`home`) | masters are listed and asked | only a command that would write there reports it | |
//! | `/proc` with hidepid=2, or none (`kernel`) | a listener whose process is hidden is `running` or `foreign`, never stale; it is not signalled | no process id; why a process is not ended | |
//! | no sock_diag, by seccomp (`kernel`) | the tables in `/proc/net` are read; states stay true | one line in the log | |
//! | inotify watches or instances run out (`limits`) | it looks by the timer | the exhausted sysctl, and the command that raises it | events count again once it is raised |
//! | few descriptors, or more masters than descriptors (`limits`) | all are seen, or the state is `unverifiable`; nothing is removed for it | to raise the limit of open files | |
//! | no further thread or process (`limits`) | the kernel's tables are read all the same | that ssh could not be asked; this is not remembered as an answer | at the next look |
//! | 65,536 descriptors in a process (`limits`) | all are searched, and not again until something changes | | |
//! | 50,000 files in a directory, 10,000 made at once (`many_files`) | sockets are found among them; a burst costs one look per 50 ms | | |
//! | ssh is missing, hangs, is killed, prints garbage (`ssh`) | masters are shown by the kernel's tables; no child is left | `ssh-missing` or `ssh-config-invalid`, with ssh's output | asked again when ssh is replaced, or an unreadable file becomes readable |
//! | any one system call fails (`sweep`) | a documented exit status; no state is wrong, no live socket removed | an error message | |
//!
//! Bad input is tested in `tests/cli/hostile.rs`, filesystems below the sockets in `tests/cli/filesystems.rs`, the
//! desktop's faults in `tests/desktop/faults.rs`.

mod disk;
mod home;
mod kernel;
mod limits;
mod many_files;
mod ssh;
mod sweep;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::{Finished, Lab, PATIENCE, Process, look_for, wait_until};
use nix::sys::signal::Signal;

/// `muxtray run --no-tray`, which logs its summary.
const RUN: [&str; 3] = ["run", "--no-tray", "-v"];

/// Starts a watcher with a timer of one hour.
#[track_caller]
fn watcher(lab: &Lab) -> Process {
    lab.write_muxtray_config("interval_secs = 3600\n");
    Process::start(lab.muxtray_command(RUN))
}

/// Waits until it logs the text after offset `before`.
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

/// Waits until the process watches the file at the path.
#[track_caller]
fn wait_for_watch(run: &Process, path: &Path) {
    let inode = format!("{:x}", fs::metadata(path).unwrap().ino());
    wait_until(&format!("{} is watched", path.display()), PATIENCE, || {
        watched_inodes(run.pid()).contains(&inode)
    });
}

/// Ends it by SIGTERM: even after a fault it handles signals.
#[track_caller]
fn end(run: Process) -> Finished {
    run.signal(Signal::SIGTERM);
    let finished = run.finish(PATIENCE).expect(0);
    assert!(!finished.stderr.contains("crashed"), "{finished:#?}");
    finished
}

/// Runs it to its end, and asserts a documented exit status.
#[track_caller]
fn orderly(command: Command) -> Finished {
    let output = Process::run(command, PATIENCE);
    assert!((0..=3).contains(&output.code()), "{output:#?}");
    assert!(!output.stderr.contains("panicked"), "{output:#?}");
    assert!(!output.stderr.contains("crashed"), "{output:#?}");
    output
}
