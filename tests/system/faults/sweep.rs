//! Every system call of a kind fails once: whichever it is, the program ends by an exit status of the contract, with a
//! word, and nothing is called what it is not.

use std::fs;
use std::process::Command;

use super::orderly;
use crate::support::{Finished, Lab, Report, is_socket, skip};

/// Which call fails and how.
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

/// How often muxtray makes this call before it begins with anything: for the loader and the arguments.
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

/// Has each call of each kind fail in turn, one in a run, and hands over what came of it.
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
            let said = orderly(lab.muxtray_behind(wrapper, arguments));
            let is_injected = fs::read_to_string(&log).unwrap().contains("(INJECTED)");
            if !is_injected {
                break;
            }
            runs += 1;
            assert!(
                said.code() < 2 || !said.stderr.is_empty(),
                "{inject}: {said:#?}"
            );
            judge(&inject, said);
        }
    }
    runs
}

#[test]
fn a_list_survives_every_call_that_fails() {
    if Command::new("strace").arg("-V").output().is_err() {
        return skip(
            "a_list_survives_every_call_that_fails",
            "strace is not installed",
        );
    }
    let lab = Lab::new();
    let master = lab.master("web");
    let dead = lab.control_path("db");
    lab.dead_socket(&dead);
    let runs = sweep(&lab, &["list", "--json"], 1, |fault, said| {
        if said.stdout.is_empty() {
            return;
        }
        if said.code() == 3 {
            // What was being written is not whole, and said to be so.
            return;
        }
        let report = Report::parse(&said.stdout);
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
fn a_clean_survives_every_call_that_fails() {
    if Command::new("strace").arg("-V").output().is_err() {
        return skip(
            "a_clean_survives_every_call_that_fails",
            "strace is not installed",
        );
    }
    let lab = Lab::new();
    let master = lab.master("web");
    let dead = lab.control_path("db");
    lab.dead_socket(&dead);
    let runs = sweep(&lab, &["clean", "db"], 5, |fault, said| {
        assert!(is_socket(master.path()), "{fault}: {said:#?}");
        // Gone, as it was, or under the name that the next clean knows.
        lab.muxtray(["clean"]).expect(0);
        let left = fs::read_dir(lab.path("s")).unwrap().count();
        assert_eq!(left, 1, "{fault}: {said:#?}");
        lab.dead_socket(&dead);
    });
    assert!(runs > 20, "only {runs} calls failed");
}
