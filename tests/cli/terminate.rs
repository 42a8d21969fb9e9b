//! `muxtray exit --end-process` and `exit --all` against real masters: the processes that end, the sessions that close,
//! and the processes that are never signalled.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{
    Behaviour, Finished, Lab, Listener, Master, PATIENCE, Process, Session, is_listening,
    is_socket, process_state, wait_until,
};

fn end_process(lab: &Lab, more: &[&str], path: &Path) -> Finished {
    let mut words = vec!["exit", "--end-process"];
    words.extend(more);
    words.push(path.to_str().unwrap());
    lab.muxtray(words)
}

/// Starts a master, removes its socket file, and starts a successor at the same path.
fn orphan_with_successor(lab: &Lab) -> (Master, Master) {
    let orphan = lab.master("web");
    fs::remove_file(orphan.path()).unwrap();
    (orphan, lab.master("web"))
}

#[test]
fn stopped_master_is_ended_with_sigterm() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    master.suspend();
    let said = end_process(&lab, &[], master.path()).expect(0);
    assert!(
        said.stdout.contains(&master.pid().to_string()) && said.stdout.contains("SIGTERM"),
        "{said:?}"
    );
    assert!(said.took < Duration::from_secs(15), "{said:?}");
    master.wait_for_end();
    assert!(!master.path().exists() && !is_listening(master.path()));
}

#[test]
fn hanging_master_is_ended_and_its_socket_removed() {
    let lab = Lab::new();
    for (behaviour, signal) in [
        (Behaviour::NeverAccepts, "SIGTERM"),
        (Behaviour::Silent, "SIGTERM"),
        (Behaviour::HelloOnly, "SIGTERM"),
        (Behaviour::Stubborn, "SIGKILL"),
    ] {
        let mut master = Listener::called_ssh(&lab, &lab.control_path("web"), behaviour);
        // Its arguments do not exclude a session of its own, hence `--force`.
        let said = end_process(&lab, &["--force"], master.path()).expect(0);
        assert!(said.stdout.contains(signal), "{behaviour:?}: {said:?}");
        assert!(
            said.took < Duration::from_secs(15),
            "{behaviour:?}: {said:?}"
        );
        assert!(!master.is_running(), "{behaviour:?}: {said:?}");
        // The process does not remove its socket, so muxtray must prove it stale and remove it.
        assert!(!master.path().exists(), "{behaviour:?}: {said:?}");
    }
}

#[test]
fn unanswered_check_does_not_count_as_a_session() {
    let lab = Lab::new();
    let mut master = Listener::called_ssh(&lab, &lab.control_path("web"), Behaviour::Silent);
    lab.muxtray(["check", "web"]).expect(1);
    assert_eq!(lab.list().at(master.path()).0["sessions"], 0);
    let said = end_process(&lab, &["--force"], master.path()).expect(0);
    // Its own session, which its arguments do not exclude.
    assert!(said.stdout.contains("closing 1 session"), "{said:?}");
    assert!(!master.is_running());
}

#[test]
fn a_master_that_answers_is_left_alone() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    let said = end_process(&lab, &["--force"], master.path()).expect(1);
    assert!(said.stdout.contains("answers"), "{said:?}");
    assert!(master.is_running() && is_socket(master.path()));
    lab.ssh_request("check", master.path()).expect(0);
}

#[test]
fn ending_a_master_with_sessions_requires_force() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    let mut sessions = [master.session(&lab), master.session(&lab)];
    master.suspend();
    let said = end_process(&lab, &[], master.path()).expect(1);
    assert!(
        said.stdout.contains("2 sessions") && said.stdout.contains("--force"),
        "{said:?}"
    );
    assert!(master.is_running() && sessions.iter_mut().all(Session::is_open));

    let said = end_process(&lab, &["--force"], master.path()).expect(0);
    assert!(said.stdout.contains("closing 2 sessions"), "{said:?}");
    master.wait_for_end();
    wait_until("the sessions have ended", PATIENCE, || {
        sessions.iter_mut().all(|session| !session.is_open())
    });
}

#[test]
fn an_orphan_ends_and_its_successor_keeps_the_path() {
    let lab = Lab::new();
    let (mut orphan, mut successor) = orphan_with_successor(&lab);
    let before = fs::symlink_metadata(successor.path()).unwrap();
    let mut session = successor.session(&lab);
    let said = end_process(&lab, &[], orphan.path()).expect(0);
    assert!(
        said.stdout.contains(&orphan.pid().to_string()) && said.stdout.contains("SIGKILL"),
        "{said:?}"
    );
    orphan.wait_for_end();
    assert!(successor.is_running() && session.is_open());
    let after = fs::symlink_metadata(successor.path()).unwrap();
    assert_eq!(
        std::os::unix::fs::MetadataExt::ino(&before),
        std::os::unix::fs::MetadataExt::ino(&after)
    );
    lab.ssh_request("check", successor.path()).expect(0);
    assert_eq!(lab.list().at(successor.path()).state(), "running");

    // A second run finds no orphan; the successor answers.
    end_process(&lab, &["--force"], successor.path()).expect(1);
    assert!(successor.is_running() && session.is_open());
}

#[test]
fn an_orphan_without_successor_ends_by_its_alias_too() {
    let lab = Lab::new();
    let mut orphan = lab.master("web");
    fs::remove_file(orphan.path()).unwrap();
    lab.muxtray(["exit", "--end-process", "web"]).expect(0);
    orphan.wait_for_end();
}

#[test]
fn ending_an_orphan_with_sessions_requires_force() {
    let lab = Lab::new();
    let mut orphan = lab.master("web");
    let mut session = orphan.session(&lab);
    fs::remove_file(orphan.path()).unwrap();
    let mut successor = lab.master("web");
    let said = end_process(&lab, &[], orphan.path()).expect(1);
    assert!(said.stdout.contains("1 session "), "{said:?}");
    assert!(orphan.is_running() && session.is_open());
    let said = end_process(&lab, &["--force"], orphan.path()).expect(0);
    assert!(said.stdout.contains("closing 1 session"), "{said:?}");
    orphan.wait_for_end();
    wait_until("the session has ended", PATIENCE, || !session.is_open());
    assert!(successor.is_running() && is_socket(successor.path()));
    lab.ssh_request("check", successor.path()).expect(0);
}

#[test]
fn check_and_exit_report_the_state_and_a_remedy() {
    let lab = Lab::new();
    let master = lab.master("web");
    let session = master.session(&lab);
    master.suspend();
    let way_out = format!(
        "muxtray exit --end-process --force {}",
        master.path().display()
    );
    for words in [
        &["check", "web"][..],
        &["exit", "--force", "web"],
        &["check"],
    ] {
        let said = lab.muxtray(words).expect(1);
        for part in ["is stopped", "1 session", "kill -CONT", &way_out] {
            assert!(said.stdout.contains(part), "{part}: {said:?}");
        }
    }
    session.close();

    let orphan = lab.master("db");
    fs::remove_file(orphan.path()).unwrap();
    for command in ["check", "exit"] {
        let said = lab.muxtray([command, "db"]).expect(1);
        let way_out = format!("muxtray exit --end-process {}", orphan.path().display());
        for part in ["orphaned", &orphan.pid().to_string(), &way_out] {
            assert!(said.stdout.contains(part), "{part}: {said:?}");
        }
    }
}

#[test]
fn process_other_than_ssh_with_a_listener_is_never_signalled() {
    let lab = Lab::new();
    lab.make_directory("fake");
    let fake = lab.path("fake/ssh");
    // Another process writes the file: a fork of this one could keep it open for writing (ETXTBSY).
    let copied = Command::new("cp").arg("/bin/sleep").arg(&fake).status();
    assert!(copied.unwrap().success());
    let mut command = lab.command(&fake);
    command.arg("3600").arg("0");
    let mut idle = Process::start(command);
    // The process has the title of a master without being one.
    let title = format!(
        "exec -a 'ssh: {} [mux]' {} 3600",
        lab.control_path("web").display(),
        fake.display()
    );
    let mut command = lab.command("bash");
    command.args(["-c", &title]);
    let mut titled = Process::start(command);
    wait_until("it is called ssh", PATIENCE, || {
        fs::read_link(format!("/proc/{}/exe", titled.pid())).is_ok_and(|exe| exe == fake)
    });
    let mut foreign = Listener::foreign(&lab, &lab.control_path("db"), Behaviour::NeverAccepts);
    lab.dead_socket(&lab.control_path("web"));

    for path in [lab.control_path("web"), lab.control_path("db")] {
        end_process(&lab, &["--force"], &path).expect(1);
    }
    lab.muxtray(["exit", "--all", "--end-process", "--force"])
        .expect(1);
    assert!(idle.is_running() && titled.is_running() && foreign.is_running());
    assert!(!lab.control_path("web").exists(), "the reset cleans");
    assert!(is_socket(foreign.path()));
}

#[test]
fn exit_all_ends_permitted_masters_and_lists_the_others() {
    let lab = Lab::new();
    let mut idle = lab.master("web");
    let mut busy = lab.master("db");
    let mut session = busy.session(&lab);
    let mut stopped = lab.master("build");
    stopped.suspend();
    let mut dead = lab.master_at(&lab.path(format!("s/dead-{}", lab.port)));
    dead.kill();
    let mut kitty = lab.master_at(&lab.path("run/kssh-4711-0a1b2c"));

    let said = lab.muxtray(["exit", "--all"]).expect(1);
    idle.wait_for_end();
    assert!(!dead.path().exists(), "{said:?}");
    assert!(busy.is_running() && session.is_open() && stopped.is_running() && kitty.is_running());
    let last = said.stdout.lines().last().unwrap();
    assert_eq!(
        last,
        "1 master ended, 1 socket cleaned, 2 left as they are; 1 socket of other programs left out (--managed)"
    );
    assert_eq!(said.stdout.lines().count(), 5, "{said:?}");
    for part in [
        "1 session open",
        "--force",
        "is stopped",
        "muxtray exit --end-process",
    ] {
        assert!(said.stdout.contains(part), "{part}: {said:?}");
    }

    let said = lab
        .muxtray(["exit", "--all", "--force", "--end-process", "--managed"])
        .expect(0);
    for master in [&mut busy, &mut stopped, &mut kitty] {
        master.wait_for_end();
        assert!(!master.path().exists(), "{said:?}");
    }
    wait_until("the session has ended", PATIENCE, || !session.is_open());
    assert!(
        said.stdout
            .ends_with("3 masters ended, 0 sockets cleaned\n"),
        "{said:?}"
    );

    let said = lab.muxtray(["exit", "--all"]).expect(0);
    assert_eq!(said.stdout, "0 masters ended, 0 sockets cleaned\n");
}

#[test]
fn exit_all_ends_an_orphan_and_its_successor() {
    let lab = Lab::new();
    let (mut orphan, mut successor) = orphan_with_successor(&lab);
    let said = lab.muxtray(["exit", "--all"]).expect(1);
    successor.wait_for_end();
    assert!(orphan.is_running(), "{said:?}");
    assert!(said.stdout.contains("orphaned"), "{said:?}");
    let said = lab.muxtray(["exit", "--all", "--end-process"]).expect(0);
    orphan.wait_for_end();
    assert!(said.stdout.contains("SIGKILL"), "{said:?}");
    wait_until("it is gone", PATIENCE, || {
        process_state(orphan.pid()).is_none()
    });
}

#[test]
fn all_and_targets_exclude_each_other() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    for words in [
        &["exit", "--all", "web"][..],
        &["exit", "--managed", "web"],
        &["exit", "--end-process"],
    ] {
        let said = lab.muxtray(words).expect(2);
        assert!(!said.stderr.is_empty(), "{said:?}");
    }
    assert!(master.is_running());
}
