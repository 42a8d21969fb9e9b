//! `muxtray test HOST` against real masters: its measurements, the obstacles it names, and no leftovers.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use crate::support::{
    Finished, Lab, PATIENCE, Process, Session, files_below, is_listening, is_socket,
    pid_of_persisted, skip, wait_for, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Delays every direct connection.
fn slow_connections(lab: &Lab, lines: &str) {
    lab.configure(&format!(
        "Host web\n    ProxyCommand sh -c 'sleep 0.3; exec /usr/sbin/sshd -i -f {}'\n{lines}",
        lab.path("sshd_config").display()
    ));
}

/// Makes the first connection fail, so that the master is started before the direct connections are measured.
fn fail_the_first_connection(lab: &Lab, flag: &str) {
    lab.configure(&format!(
        "Host web\n    ControlMaster auto\n    ProxyCommand sh -c 'test -e {flag} || {{ : >{flag}; exit 1; }}; \
         exec /usr/sbin/sshd -i -f {}'",
        lab.path("sshd_config").display(),
        flag = lab.path(flag).display()
    ));
}

#[track_caller]
fn json(said: &Finished) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

#[track_caller]
fn nothing_is_left(lab: &Lab) {
    let path = lab.control_path("web");
    wait_until("no master is left", PATIENCE, || {
        pid_of_persisted(&path).is_none() && !is_listening(&path)
    });
    assert_eq!(
        files_below(&lab.path("s")),
        Vec::<std::path::PathBuf>::new()
    );
}

/// One of the sets of signals that `/proc` shows of a process, such as `SigBlk`.
fn signals_of(pid: &str, set: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let signals = status
        .lines()
        .find_map(|line| line.strip_prefix(set)?.strip_prefix(':'));
    u64::from_str_radix(signals.unwrap().trim(), 16).unwrap()
}

fn bit(signal: Signal) -> u64 {
    1 << (signal as u32 - 1)
}

#[test]
fn sessions_through_a_running_master_are_faster_and_it_goes_on() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    slow_connections(&lab, "");
    let said = lab.muxtray(["test", "web"]).expect(0);
    assert!(
        said.stdout.contains("multiplexing works for web") && said.stdout.contains("3 runs"),
        "{said:?}"
    );
    let said = lab
        .muxtray(["test", "--json", "--runs", "2", "web"])
        .expect(0);
    let report = json(&said);
    assert_eq!(report["works"], true, "{report:#}");
    assert_eq!(report["master"], "running", "{report:#}");
    assert_eq!(
        report["multiplexed"]["runs_ms"].as_array().unwrap().len(),
        2
    );
    assert!(report["factor"].as_f64().unwrap() > 1.5, "{report:#}");
    assert!(
        report["fresh"]["median_ms"].as_f64().unwrap() > 300.0,
        "{report:#}"
    );
    assert!(master.is_running() && is_socket(master.path()));
    assert_eq!(lab.list().at(master.path()).0["sessions"], 0);
}

#[test]
fn master_started_for_the_test_ends_with_it() {
    let lab = Lab::new();
    for lines in [
        "ControlMaster auto",
        "ControlMaster auto\n    ControlPersist yes",
    ] {
        slow_connections(&lab, &format!("    {lines}"));
        let said = lab.muxtray(["test", "--json", "web"]).expect(0);
        let report = json(&said);
        assert_eq!(report["works"], true, "{report:#}");
        assert_eq!(report["master"], "started", "{report:#}");
        nothing_is_left(&lab);
    }
    let said = lab.muxtray(["test", "web", "--runs", "1"]).expect(0);
    assert!(said.stdout.contains("has ended"), "{said:?}");
    nothing_is_left(&lab);
}

#[test]
fn signal_ends_the_started_master() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        // A shell without job control makes background jobs ignore SIGINT, and children inherit that.
        if signals_of("self", "SigIgn") & bit(signal) != 0 {
            skip("signal_ends_the_started_master", "a signal is ignored");
            continue;
        }
        fail_the_first_connection(&lab, &format!("{signal}"));
        let command = lab.muxtray_command(["test", "--runs", "100", "web"]);
        let test = Process::start(command);
        wait_until("a master was started", PATIENCE, || {
            pid_of_persisted(&path).is_some() && is_socket(&path)
        });
        let master = pid_of_persisted(&path).unwrap().to_string();
        // fork of glibc 2.41 blocks all signals for a moment.
        wait_until("the master does not block SIGTERM", PATIENCE, || {
            signals_of(&master, "SigBlk") & bit(Signal::SIGTERM) == 0
        });
        test.signal(signal);
        let said = test.finish(PATIENCE);
        assert_eq!(said.status.signal(), Some(signal as i32), "{said:?}");
        nothing_is_left(&lab);
    }
}

#[test]
fn session_opened_during_the_test_keeps_the_master() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    fail_the_first_connection(&lab, "flag");
    let test = Process::start(lab.muxtray_command(["test", "--json", "--runs", "100", "web"]));
    let pid = wait_for("a master was started", PATIENCE, || {
        pid_of_persisted(&path).filter(|_| is_socket(&path))
    });
    lab.end_with_lab(pid);
    let mut session = Session::open(&lab, &path);
    let said = test.finish(PATIENCE).expect(0);
    assert_eq!(json(&said)["master"], "left", "{said:?}");
    assert!(session.is_open() && is_socket(&path));
    lab.ssh_request("check", &path).expect(0);
}

#[test]
fn each_obstacle_is_named_with_its_remedy() {
    let lab = Lab::new();
    let standing = || fs::symlink_metadata(lab.control_path("web")).is_ok();
    let demand = |what: &str, lines: &str, parts: &[&str]| {
        lab.configure(&format!("Host web\n{lines}"));
        let said = lab.muxtray(["test", "--runs", "1", "web"]).expect(1);
        for part in parts.iter().chain(&["multiplexing does not work for web"]) {
            assert!(said.stdout.contains(part), "{what}: {part}: {said:?}");
        }
        assert!(said.took < Duration::from_secs(15), "{what}: {said:?}");
        let report = json(
            &lab.muxtray(["test", "--json", "--runs", "1", "web"])
                .expect(1),
        );
        assert_eq!(report["works"], false, "{what}");
        assert_eq!(report["fresh"]["failure"], Value::Null, "{what}");
        let obstacles = report["obstacles"].as_array().unwrap();
        assert!(!obstacles.is_empty(), "{what}: {report:#}");
    };
    let auto = "    ControlMaster auto";
    demand(
        "no path",
        "    ControlPath none",
        &["no ControlPath for web", "ControlPath ~/.ssh/s/%C"],
    );
    demand(
        "no master",
        "    ControlMaster no",
        &["ControlMaster is no for web", "ControlMaster auto"],
    );
    let missing = lab.path("missing");
    demand(
        "no directory",
        &format!("{auto}\n    ControlPath {}/%n", missing.display()),
        &[
            "the directory does not exist",
            &format!("mkdir -m 700 {}", missing.display()),
            "No such file or directory",
        ],
    );
    assert!(!missing.exists());
    demand(
        "a long path",
        &format!(
            "{auto}\n    ControlPath {}/{}",
            lab.path("s").display(),
            "x".repeat(80)
        ),
        &["the limit is 90"],
    );
    fs::write(lab.control_path("web"), "kept").unwrap();
    demand("a file", auto, &["not-a-socket", "a regular file"]);
    assert_eq!(fs::read_to_string(lab.control_path("web")).unwrap(), "kept");
    fs::remove_file(lab.control_path("web")).unwrap();

    lab.dead_socket(&lab.control_path("web"));
    demand("stale", auto, &["stale", "muxtray clean"]);
    assert!(standing(), "a test removes nothing that was there");
    fs::remove_file(lab.control_path("web")).unwrap();

    lab.configure("");
    let mut stopped = lab.master("web");
    stopped.suspend();
    demand("stopped", auto, &["is stopped", "kill -CONT"]);
    assert!(stopped.is_running() && standing());
}

#[test]
fn failing_direct_connection_leaves_multiplexing_working() {
    let lab = Lab::new();
    let master = lab.master("web");
    lab.configure("Host web\n    PubkeyAuthentication no");
    let said = lab.muxtray(["test", "web"]).expect(0);
    assert!(
        said.stdout.contains("Permission denied") && said.stdout.contains("multiplexing works"),
        "{said:?}"
    );
    let report = json(&lab.muxtray(["test", "--json", "web"]).expect(0));
    assert_eq!(report["factor"], Value::Null);
    drop(master);
}

#[test]
fn unreachable_host_leaves_nothing() {
    let lab = Lab::new();
    lab.configure("Host web\n    ControlMaster auto\n    ProxyCommand false");
    let said = lab.muxtray(["test", "web"]).expect(1);
    assert!(
        said.stdout
            .contains("connections without a master fail, too"),
        "{said:?}"
    );
    nothing_is_left(&lab);
}

#[test]
fn session_limit_is_reported_with_the_message_of_ssh() {
    let lab = Lab::new();
    let server = fs::read_to_string(lab.path("sshd_config")).unwrap();
    let server = server.replace("MaxSessions 10", "MaxSessions 1");
    let own = lab.write("sshd_one_session", server);
    lab.configure(&format!(
        "Host web\n    ProxyCommand /usr/sbin/sshd -i -f {}",
        own.display()
    ));
    let master = lab.master_with_own_session("web");
    let said = lab.muxtray(["test", "web"]).expect(1);
    assert!(
        said.stdout.contains("Session open refused by peer"),
        "{said:?}"
    );
    drop(master);
}

#[test]
fn invalid_host_is_wrong_usage() {
    let lab = Lab::new();
    for words in [
        &["test"][..],
        &["test", "/some/path"],
        &["test", "--runs", "0", "web"],
        &["test", "--runs", "x", "web"],
    ] {
        let said = lab.muxtray(words).expect(2);
        assert!(
            said.stdout.is_empty() && !said.stderr.is_empty(),
            "{said:?}"
        );
    }
    let said = lab.muxtray(["test", "--", "-oProxyCommand=touch pwned"]);
    assert!(said.code() != 0, "{said:?}");
    assert!(!lab.path("pwned").exists());
}
