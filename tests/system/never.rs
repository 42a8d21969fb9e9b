//! The promises of what muxtray never does, checked against the system calls of the built program.
//!
//! One scenario with sockets in many states is run under strace with every command that looks or acts. traced.py judges
//! the calls: one that no rule allows is forbidden, so an unforeseen call is found too. `tests/traced.sh` judges other
//! tests in the same way. `tests/cli/persist.rs` covers what the kernel cannot show: that a watched master's
//! ControlPersist runs out. `tests/interleavings` covers events between two calls.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use crate::support::{
    Behaviour, GOOD, Lab, Listener, PATIENCE, Process, User, judged, no_trace, process_state, skip,
    wait_until,
};

fn version_of(path: &Path) -> (u64, u64, u64, i64) {
    let found = fs::metadata(path).unwrap();
    (found.dev(), found.ino(), found.size(), found.ctime_nsec())
}

#[test]
fn every_call_of_every_command_is_allowed() {
    let name = "every_call_of_every_command_is_allowed";
    if let Some(why) = no_trace() {
        return skip(name, why);
    }
    let lab = Lab::new();
    let hosts = [
        "web", "db", "wedged", "other", "gone", "dead", "left", "link", "root",
    ];
    let blocks: String = hosts
        .iter()
        .map(|host| {
            let path = lab.control_path(host);
            format!("Host {host}\n    ControlPath {}\n{GOOD}", path.display())
        })
        .collect();
    lab.configure(&blocks);
    let at = |host: &str| lab.control_path(host);

    let web = lab.master("web");
    let _session = web.session(&lab);
    let recorder = Listener::called_ssh(&lab, &at("db"), Behaviour::Immortal);
    let wedged = lab.master("wedged");
    wedged.suspend();
    let foreign = Listener::foreign(&lab, &at("other"), Behaviour::Silent);
    let mut orphan = lab.master("gone");
    fs::remove_file(orphan.path()).unwrap();
    lab.dead_socket(&at("dead"));
    lab.leftover(&at("left"), Duration::from_secs(3600));
    lab.leftover(&at("web"), Duration::ZERO);
    std::os::unix::fs::symlink(at("dead"), at("link")).unwrap();
    let directory = at("web").parent().unwrap().to_owned();
    lab.write(
        directory.join("file").strip_prefix(lab.path("")).unwrap(),
        "no socket",
    );
    let of_root = User::tests_are_root().then(|| Listener::of_root(&at("root"), Behaviour::Silent));

    let ssh_config = lab.path("ssh_config");
    let before = version_of(&ssh_config);
    let run = |name: &str, arguments: &[&str]| {
        let output = Process::run(lab.traced(name, &[], arguments), PATIENCE);
        assert!((0..=3).contains(&output.code()), "{output:?}");
    };
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["doctor"],
        &["clean", "--dry-run"],
        &[
            "doctor",
            "--explain",
            "mux_client_request_session: session request failed",
        ],
    ] {
        run(&arguments[..arguments.len().min(2)].join(""), arguments);
    }
    watched(&lab, "watch", &["list", "--watch", "--json"]);
    watched(&lab, "run", &["run", "--no-tray", "-vv"]);
    assert_eq!(recorder.accepted() + foreign.accepted(), 0, "looked only");

    let paths = hosts.map(|host| at(host).to_str().unwrap().to_owned());
    let path = |host: &str| paths[hosts.iter().position(|other| *other == host).unwrap()].as_str();
    let all = |words: &[&'static str]| -> Vec<&str> {
        words
            .iter()
            .copied()
            .chain(paths.iter().map(String::as_str))
            .collect()
    };
    run("check", &all(&["check"]));
    run("end-foreign", &["exit", "--end-process", path("other")]);
    run("end-of-root", &["exit", "--end-process", path("root")]);
    run(
        "end-wedged",
        &["exit", "--end-process", "--force", path("wedged")],
    );
    run("fix", &["doctor", "--fix"]);
    lab.dead_socket(&at("dead"));
    run("clean", &all(&["clean"]));
    run("clean-all", &["clean"]);
    run("autostart", &["autostart", "enable"]);
    run("config", &["config", "check"]);
    run("exit", &all(&["exit", "--force"]));
    orphan.kill();

    let table = judged(&lab.records());
    // The rules were needed: everything that can be done was done.
    for done in [
        "connect             refused: nobody listens",
        "connect             a master, to ask it",
        "unlinkat            a socket proven stale, under its name aside",
        "pidfd_send_signal   a master, proven while it was held",
        "opened to write     a file of its own",
        "socket              local",
    ] {
        assert!(table.contains(done), "{done} is not in\n{table}");
    }
    for record in fs::read_dir(lab.records()).unwrap().flatten() {
        let calls = fs::read_to_string(record.path()).unwrap();
        let is_to_end = record.file_name() == "end-wedged";
        assert_eq!(
            calls.contains("pidfd_send_signal("),
            is_to_end,
            "{record:?}"
        );
        let held = format!("pidfd_open({}, ", wedged.pid());
        assert!(!is_to_end || calls.contains(&held), "{calls}");
    }
    assert_eq!(
        before,
        version_of(&ssh_config),
        "the ssh configuration has changed"
    );
    match of_root {
        Some(of_root) => assert_eq!(of_root.accepted(), 0, "another user's socket"),
        None => skip(name, "only root can make another user's socket"),
    }
}

/// Watches while a socket becomes stale and the configuration changes, until both were seen.
fn watched(lab: &Lab, name: &str, arguments: &[&str]) {
    let mut watcher = Process::start(lab.traced(name, &[], arguments));
    let output = |watcher: &Process| watcher.stdout() + &watcher.stderr();
    wait_until("the watcher sees the masters", PATIENCE, || {
        output(&watcher).contains("web") || output(&watcher).contains("masters")
    });
    let path = lab.control_path(&format!("{name}-later"));
    let config = fs::read_to_string(lab.path("ssh_config")).unwrap();
    let short_lived = Listener::called_ssh(lab, &path, Behaviour::Immortal);
    wait_until(
        "the new master is seen, or at least looked for",
        PATIENCE,
        || {
            // strace cannot show a look as such; but a look opens the kernel's table.
            output(&watcher).contains("later") || output(&watcher).matches("master").count() > 1
        },
    );
    let accepted = short_lived.accepted();
    drop(short_lived);
    wait_until("its end is seen", PATIENCE, || {
        output(&watcher).contains("stale") || output(&watcher).contains("problem")
    });
    assert_eq!(accepted, 0, "{name} connected to a master");
    fs::remove_file(&path).unwrap();
    assert_eq!(fs::read_to_string(lab.path("ssh_config")).unwrap(), config);
    watcher.end();
}

/// Between look and pidfd the process ends, and another one gets its id.
#[test]
fn process_with_reused_master_pid_is_not_signalled() {
    let name = "process_with_reused_master_pid_is_not_signalled";
    if let Some(why) = no_trace() {
        return skip(name, why);
    }
    if !User::tests_are_root() {
        return skip(name, "only root can choose a process id");
    }
    let lab = Lab::good();
    let path = lab.control_path("web");
    for attempt in 0.. {
        let master = Listener::called_ssh(&lab, &path, Behaviour::NeverAccepts);
        let pid = master.pid();
        let record = format!("reuse-{attempt}");
        let muxtray = Process::start(lab.traced(
            &record,
            &["-e", "inject=pidfd_open:delay_enter=2s"],
            &["exit", "--end-process", "--force", path.to_str().unwrap()],
        ));
        let traced = muxtray.pid();
        wait_until("it is about to hold the process", PATIENCE, || {
            is_at_pidfd_open(traced)
        });
        drop(master);
        wait_until("the master is gone", PATIENCE, || {
            process_state(pid).is_none()
        });
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let mut successor = lab.command("sleep");
        successor.arg("600");
        let mut successor = Process::start(successor);
        let output = muxtray.finish(PATIENCE);
        let record = lab.record(&record, traced);
        assert!(
            !record.contains("kill(") && !record.contains("pidfd_send_signal("),
            "{record}"
        );
        assert!(successor.is_running(), "{output:?}");
        let was_reused = successor.pid() == pid;
        successor.end();
        let _ = fs::remove_file(&path);
        if was_reused {
            let held = format!("pidfd_open({pid}, ");
            assert!(
                record.contains(&held),
                "it never held the other process: {record}"
            );
            return;
        }
        assert!(attempt < 20, "the number was never given out again");
    }
}

/// Whether a thread of this process is about to call pidfd_open(2).
fn is_at_pidfd_open(pid: i32) -> bool {
    const NUMBER: &str = "434 ";
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    tasks.into_iter().flatten().flatten().any(|task| {
        fs::read_to_string(task.path().join("syscall")).is_ok_and(|call| call.starts_with(NUMBER))
    })
}
