//! Each system call of a kind fails once: in every case the program prints a message, exits with a documented status,
//! and reports no wrong state.

use std::fs;
use std::process::Command;

use super::orderly;
use crate::support::{Finished, Lab, Report, is_socket, skip};

/// The call that fails, and its error.
const FAULTS: &[(&str, &str)] = &[
    ("openat", "EMFILE"),
    ("openat", "EIO"),
    ("read", "EIO"),
    ("statx", "EIO"),
    ("newfstatat", "ENOMEM"),
    ("getdents64", "EIO"),
    ("statfs", "EIO"),
    ("readlink", "EIO"),
    ("socket", "EMFILE"),
    ("socket", "ENOBUFS"),
    ("sendto", "ENOBUFS"),
    ("recvfrom", "ENOBUFS"),
    ("connect", "ENOMEM"),
    ("pipe2", "EMFILE"),
    ("clone3", "EAGAIN"),
    ("write", "ENOSPC"),
    ("mkdir", "ENOSPC"),
    ("rename", "ENOSPC"),
    ("unlink", "EIO"),
    ("unlinkat", "EIO"),
    ("renameat2", "EIO"),
    ("fsync", "EIO"),
    ("poll", "ENOMEM"),
    ("wait4", "EINTR"),
];

/// No kind of call is made more often; so the sweep ends even if something else is wrong.
const MOST: usize = 400;

/// How often muxtray makes this call while it is loaded and reads its arguments.
fn made_by_starting(lab: &Lab, call: &str) -> usize {
    let trace = format!("trace={call}");
    let log = lab.path("tmp/strace");
    let wrapper = ["strace", "-qq", "-o", log.to_str().unwrap(), "-e", &trace];
    orderly(lab.muxtray_behind(wrapper, ["config", "path"])).expect(0);
    let lines = fs::read_to_string(&log).unwrap();
    lines
        .lines()
        .filter(|line| !line.starts_with("---"))
        .count()
}

/// Lets each call of each kind fail in turn, one per run, and passes on the results.
fn sweep(
    lab: &Lab,
    arguments: &[&str],
    stride: usize,
    mut judge: impl FnMut(&str, Finished),
) -> usize {
    let mut runs = 0;
    for (call, error) in FAULTS {
        let first = made_by_starting(lab, call) + 1;
        for number in (first..first + MOST).step_by(stride) {
            let inject = format!("inject={call}:error={error}:when={number}");
            let log = lab.path("tmp/strace");
            let trace = format!("trace={call}");
            let wrapper = [
                "strace",
                "-qq",
                "-o",
                log.to_str().unwrap(),
                "-e",
                &trace,
                "-e",
                &inject,
            ];
            let finished = orderly(lab.muxtray_behind(wrapper, arguments));
            let is_injected = fs::read_to_string(&log).unwrap().contains("(INJECTED)");
            if !is_injected {
                break;
            }
            runs += 1;
            assert!(
                finished.code() < 2 || !finished.stderr.is_empty(),
                "{inject}: {finished:#?}"
            );
            judge(&inject, finished);
        }
    }
    runs
}

#[test]
fn list_with_any_failing_call_ends_with_documented_status() {
    if Command::new("strace").arg("-V").output().is_err() {
        return skip(
            "list_with_any_failing_call_ends_with_documented_status",
            "strace is not installed",
        );
    }
    let lab = Lab::new();
    let master = lab.master("web");
    let dead = lab.control_path("db");
    lab.dead_socket(&dead);
    let runs = sweep(&lab, &["list", "--json"], 1, |fault, finished| {
        if finished.stdout.is_empty() {
            return;
        }
        if finished.code() == 3 {
            // Output that was being written is incomplete, and an error reports it.
            return;
        }
        let report = Report::parse(&finished.stdout);
        for (path, state) in [(master.path(), "running"), (dead.as_path(), "stale")] {
            for socket in report.all_at(path) {
                assert!(
                    [state, "unverifiable", "denied"].contains(&socket.state()),
                    "{fault}: {:#}",
                    report.json
                );
            }
        }
    });
    assert!(runs > 100, "only {runs} calls failed");
    assert!(is_socket(master.path()) && is_socket(&dead));
    assert_eq!(lab.list().at(master.path()).state(), "running");
}

#[test]
fn clean_with_any_failing_call_ends_with_documented_status() {
    if Command::new("strace").arg("-V").output().is_err() {
        return skip(
            "clean_with_any_failing_call_ends_with_documented_status",
            "strace is not installed",
        );
    }
    let lab = Lab::new();
    let master = lab.master("web");
    let dead = lab.control_path("db");
    lab.dead_socket(&dead);
    let runs = sweep(&lab, &["clean", "db"], 5, |fault, finished| {
        assert!(is_socket(master.path()), "{fault}: {finished:#?}");
        // Gone, unchanged, or under the name that the next clean knows.
        lab.muxtray(["clean"]).expect(0);
        let left = fs::read_dir(lab.path("s")).unwrap().count();
        assert_eq!(left, 1, "{fault}: {finished:#?}");
        lab.dead_socket(&dead);
    });
    assert!(runs > 20, "only {runs} calls failed");
}
