//! `muxtray check`, `exit`, `stop` and `clean` against real masters: their output, their effects, and the sockets and
//! processes they must not touch.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::{
    Behaviour, Lab, Listener, NOBODY, PATIENCE, Process, Session, User, is_listening, is_socket,
    process_state, skip, wait_until,
};

fn words<'a>(command: &'a str, path: &'a Path) -> [&'a OsStr; 2] {
    [command.as_ref(), path.as_os_str()]
}

#[test]
fn check_prints_pid_and_round_trip() {
    let lab = Lab::new();
    let master = lab.master("web");
    let said = lab.muxtray(["check", "web"]).expect(0).stdout;
    assert!(
        said.contains("web") && said.contains(&master.pid().to_string()),
        "{said}"
    );
    assert!(said.contains("ms"), "{said}");
}

#[test]
fn target_is_an_alias_a_destination_or_a_path() {
    let lab = Lab::new();
    let master = lab.master("web");
    let user = &User::get().name;
    let path = master.path().to_str().unwrap();
    let relative = master
        .path()
        .strip_prefix(lab.path(""))
        .unwrap()
        .to_str()
        .unwrap();
    for target in [
        "web",
        "127.0.0.1",
        &format!("{user}@127.0.0.1"),
        &format!("127.0.0.1:{}", lab.port),
        &lab.destination(),
        "ssh://web",
        &format!("ssh://{}/", lab.destination()),
        path,
        relative,
        &format!("./{relative}"),
        &format!("s/../{relative}"),
    ] {
        let said = lab.muxtray(["check", target]).expect(0);
        assert!(
            said.stdout.contains(&master.pid().to_string()),
            "{target}: {said:?}"
        );
    }
}

#[test]
fn ambiguous_target_is_refused_with_its_candidates() {
    let lab = Lab::new();
    let mut masters = [lab.master("web"), lab.master("db")];
    for command in ["check", "exit", "stop", "clean"] {
        let said = lab.muxtray([command, &lab.destination()]);
        assert!(matches!(said.code(), 1 | 2), "{said:?}");
        assert_eq!(said.stdout, "");
        for master in &mut masters {
            assert!(
                said.stderr.contains(master.path().to_str().unwrap()),
                "{said:?}"
            );
            assert!(master.is_running());
        }
    }
}

#[test]
fn unknown_target_is_an_error() {
    let lab = Lab::new();
    for target in ["nowhere", "nobody@nowhere:1", "/nowhere/socket", "x/../y"] {
        for command in ["check", "exit", "stop", "clean"] {
            let said = lab.muxtray([command, target]);
            assert!(matches!(said.code(), 1 | 2), "{said:?}");
            assert!(
                said.stderr.contains(target) && said.stdout.is_empty(),
                "{said:?}"
            );
        }
    }
}

#[test]
fn file_in_no_place_of_a_control_socket_is_not_to_be_moved() {
    let lab = Lab::new();
    for file in ["ssh_config", "s", "home"] {
        let path = lab.path(file);
        for command in ["check", "exit", "clean"] {
            let said = lab.muxtray(words(command, &path)).expect(1);
            assert!(said.stdout.is_empty(), "{said:#?}");
            let reason = format!("no control socket at {}", path.display());
            assert!(said.stderr.contains(&reason), "{said:#?}");
        }
    }
    let said = lab.muxtray(["check", "~/none"]).expect(1);
    assert!(!said.stderr.contains('~'), "{said:#?}");
}

#[test]
fn file_at_the_control_path_of_a_host_is_to_be_moved() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    fs::write(&path, "").unwrap();
    for target in [Path::new("web"), &path] {
        let said = lab.muxtray(words("check", target)).expect(1);
        assert!(said.stdout.contains("not-a-socket"), "{said:#?}");
        assert!(said.stdout.contains("mv "), "{said:#?}");
    }
}

#[test]
fn one_bad_target_does_not_stop_the_others() {
    let lab = Lab::new();
    let mut masters = [lab.master("web"), lab.master("db")];
    let said = lab.muxtray(["exit", "web", "nowhere", "db"]).expect(1);
    for master in &mut masters {
        master.wait_for_end();
    }
    assert!(said.stderr.contains("nowhere"), "{said:?}");
    assert_eq!(said.stdout.lines().count(), 2, "{said:?}");
}

#[test]
fn without_target_every_master_is_checked() {
    let lab = Lab::new();
    let masters = [lab.master("web"), lab.master("db")];
    let said = lab.muxtray(["check"]).expect(0);
    for master in &masters {
        assert!(said.stdout.contains(&master.pid().to_string()), "{said:?}");
    }
}

#[test]
fn lines_of_a_remedy_are_below_its_command() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    lab.configure(&format!(
        "Host db\n    Port 23\nHost web db\n    ControlPath {}\n",
        path.display()
    ));
    let said = lab.muxtray(["check"]).expect(1).stdout;
    assert!(said.contains("\n          Host *\n"), "{said}");
}

#[test]
fn check_of_a_suspended_master_keeps_its_deadline() {
    let lab = Lab::new();
    let masters = ["web", "db", "build"].map(|alias| lab.master(alias));
    for master in &masters {
        master.suspend();
    }
    let said = lab.muxtray(["check"]).expect(1);
    assert!(
        said.took < Duration::from_secs(10),
        "three deadlines of two seconds: {said:?}"
    );
    for alias in ["web", "db", "build"] {
        assert!(said.stdout.contains(alias), "{said:?}");
    }
}

#[test]
fn check_of_a_stale_socket_fails_and_removes_nothing() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    master.kill();
    let said = lab.muxtray(["check", "web"]).expect(1);
    assert!(said.stdout.contains("stale"), "{said:?}");
    assert!(is_socket(master.path()));
}

#[test]
fn exit_ends_the_master_and_verifies_it() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    lab.muxtray(["exit", "web"]).expect(0);
    assert!(!is_listening(master.path()) && !master.path().exists());
    master.wait_for_end();
}

#[test]
fn master_with_two_targets_is_asked_once() {
    let lab = Lab::new();
    for action in ["exit", "stop"] {
        lab.persisted_master("web", "600");
        let path = lab.control_path("web");
        let path = path.to_str().unwrap();
        let said = lab.muxtray([action, "web", path, &lab.destination()]);
        let lines = said.expect(0).stdout;
        assert_eq!(lines.lines().count(), 3, "{action}: {lines}");
    }
}

#[test]
fn exit_refuses_while_sessions_are_open_unless_forced() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    let mut sessions = [master.session(&lab), master.session(&lab)];
    let said = lab.muxtray(["exit", "web"]).expect(1);
    assert!(
        said.stdout.contains("2 sessions") && said.stdout.contains("--force"),
        "{said:?}"
    );
    assert!(master.is_running() && sessions.iter_mut().all(Session::is_open));

    lab.muxtray(["exit", "--force", "web"]).expect(0);
    master.wait_for_end();
    wait_until("the sessions have ended", PATIENCE, || {
        sessions.iter_mut().all(|session| !session.is_open())
    });
}

#[test]
fn exit_counts_the_masters_own_session() {
    let lab = Lab::new();
    let mut master = lab.master_with_own_session("web");
    let said = lab.muxtray(["exit", "web"]).expect(1);
    assert!(said.stdout.contains("1 session"), "{said:?}");
    assert!(master.is_running());
}

#[test]
fn exit_fails_if_the_master_keeps_running() {
    let lab = Lab::new();
    let mut listener = Listener::called_ssh(&lab, &lab.control_path("web"), Behaviour::Immortal);
    let said = lab.muxtray(["exit", "web"]).expect(1);
    assert!(said.took < Duration::from_secs(15), "{said:?}");
    assert!(listener.is_running() && is_socket(listener.path()));
}

#[test]
fn exit_of_a_suspended_master_keeps_its_deadline() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    master.suspend();
    let said = lab.muxtray(["exit", "web"]).expect(1);
    assert!(said.took < Duration::from_secs(15), "{said:?}");
    assert!(master.is_running());
}

#[test]
fn stop_lets_sessions_go_on_and_the_master_end_with_the_last() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    let mut session = master.session(&lab);
    lab.muxtray(["stop", "web"]).expect(0);
    assert!(session.is_open() && master.is_running() && !master.path().exists());
    session.close();
    master.wait_for_end();
}

#[test]
fn stop_ends_a_persisted_master_without_sessions() {
    let lab = Lab::new();
    let pid = lab.persisted_master("web", "yes");
    lab.muxtray(["stop", "web"]).expect(0);
    assert!(has_ended(pid));
    assert!(!lab.control_path("web").exists());
}

/// A zombie has ended, too: its parent has not noticed.
fn has_ended(pid: i32) -> bool {
    matches!(process_state(pid), None | Some('Z'))
}

/// Its listener is closed some milliseconds before its process ends.
#[test]
fn exit_returns_when_the_process_is_gone() {
    let lab = Lab::new();
    for _ in 0..5 {
        let persisted = lab.persisted_master("web", "600");
        lab.muxtray(["exit", "web"]).expect(0);
        assert!(has_ended(persisted));
        let child = lab.master("db");
        lab.muxtray(["exit", "db"]).expect(0);
        assert!(has_ended(child.pid()));
    }
}

/// The master is process 1 there.
#[test]
fn master_in_another_pid_namespace_has_its_number_in_ours() {
    let lab = Lab::new();
    let mut ssh = lab.ssh();
    ssh.args(["-N", "-M", "-o", "ControlPersist=no", "web"]);
    let Some(command) = lab.unshared(&["--pid", "--fork", "--kill-child"], &ssh) else {
        return skip(
            "master_in_another_pid_namespace_has_its_number_in_ours",
            "namespaces cannot be made",
        );
    };
    let _unshare = Process::start(command);
    let path = lab.control_path("web");
    wait_until("the master listens", PATIENCE, || {
        is_socket(&path) && is_listening(&path)
    });
    let pid = lab.list().at(&path).0["pid"].as_i64().unwrap();
    let said = lab.muxtray(["check", "web"]).expect(0).stdout;
    assert!(said.contains(&format!("pid {pid}")), "{said}");
    lab.muxtray(["exit", "web"]).expect(0);
    assert!(has_ended(i32::try_from(pid).unwrap()));
}

#[test]
fn refusal_by_a_person_is_reported_and_the_master_stays() {
    let lab = Lab::new();
    let mut ssh = lab.ssh();
    ssh.args(["-N", "-o", "ControlMaster=ask", "-o", "ControlPersist=no"])
        .arg("web")
        .env("SSH_ASKPASS", lab.script("askpass", "exit 1"))
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("DISPLAY", ":none");
    let mut master = Process::start(ssh);
    let path = lab.control_path("web");
    wait_until("the master listens", PATIENCE, || {
        is_socket(&path) && is_listening(&path)
    });
    for command in ["exit", "stop"] {
        let said = lab.muxtray([command, "web"]).expect(1);
        assert!(said.stdout.contains("Permission denied"), "{said:?}");
    }
    assert!(master.is_running());
}

#[test]
fn clean_removes_only_stale_sockets() {
    let lab = Lab::new();
    let mut stale = lab.master("web");
    stale.kill();
    let running = lab.master("db");
    let suspended = lab.master("build");
    suspended.suspend();
    let old = lab.leftover(&lab.control_path("old"), Duration::from_secs(3600));
    let young = lab.leftover(&lab.control_path("young"), Duration::from_secs(1));
    let foreign = Listener::foreign(
        &lab,
        &lab.path(format!("s/foreign-{}", lab.port)),
        Behaviour::Silent,
    );
    let file = lab.write(format!("s/file-{}", lab.port), "kept");

    let said = lab.muxtray(["clean"]).expect(0);
    assert!(!stale.path().exists() && !old.exists());
    for kept in [
        running.path(),
        suspended.path(),
        &young,
        foreign.path(),
        &file,
    ] {
        assert!(
            kept.symlink_metadata().is_ok(),
            "{} is gone",
            kept.display()
        );
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "kept");
    assert!(
        said.stdout.contains(stale.path().to_str().unwrap()),
        "{said:?}"
    );
    assert!(said.stdout.contains(old.to_str().unwrap()), "{said:?}");
    assert_eq!(said.stdout.lines().count(), 2, "{said:?}");
    lab.ssh_request("check", running.path()).expect(0);
    assert_eq!(
        fs::read_dir(lab.path("s")).unwrap().count(),
        5,
        "nothing of its own stays behind"
    );

    let again = lab.muxtray(["clean"]).expect(0);
    assert!(again.stderr.is_empty(), "{again:?}");
}

#[test]
fn clean_dry_run_lists_removals_and_removes_nothing() {
    let lab = Lab::new();
    let mut stale = lab.master("web");
    stale.kill();
    let running = lab.master("db");
    for target in [None, Some("web")] {
        let words = ["clean", "--dry-run"].into_iter().chain(target);
        let said = lab.muxtray(words).expect(0);
        assert!(
            said.stdout.contains(stale.path().to_str().unwrap()),
            "{said:?}"
        );
        assert!(
            !said.stdout.contains(running.path().to_str().unwrap()),
            "{said:?}"
        );
        assert!(is_socket(stale.path()));
    }
}

#[test]
fn clean_by_name_refuses_sockets_that_are_not_stale() {
    let lab = Lab::new();
    let running = lab.master("web");
    let suspended = lab.master("db");
    suspended.suspend();
    let foreign = Listener::foreign(&lab, &lab.control_path("build"), Behaviour::Silent);
    let file = lab.write("s/file-22", "kept");
    let directory = lab.make_directory("s/directory-22");
    for path in [
        running.path(),
        suspended.path(),
        foreign.path(),
        &file,
        &directory,
    ] {
        let said = lab.muxtray(words("clean", path)).expect(1);
        assert!(
            said.stderr.is_empty() && !said.stdout.is_empty(),
            "{said:?}"
        );
        assert!(
            path.symlink_metadata().is_ok(),
            "{} is gone",
            path.display()
        );
    }
    assert_eq!(foreign.accepted(), 0);
}

#[test]
fn clean_does_not_follow_a_symlink_to_a_stale_socket() {
    let lab = Lab::new();
    let elsewhere = lab.path("elsewhere");
    lab.dead_socket(&elsewhere);
    let link = lab.control_path("web");
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    User::get().own(&link);
    lab.muxtray(["clean", "web"]).expect(1);
    lab.muxtray(["clean"]);
    assert!(is_socket(&elsewhere) && fs::read_link(&link).is_ok());
}

#[test]
fn another_users_socket_is_neither_connected_to_nor_removed() {
    let name = "another_users_socket_is_neither_connected_to_nor_removed";
    if !User::tests_are_root() {
        return skip(name, "only root can give files away");
    }
    let lab = Lab::new();
    let mut stale = lab.master("web");
    stale.kill();
    std::os::unix::fs::chown(stale.path(), Some(NOBODY), None).unwrap();
    let root = Listener::of_root(&lab.control_path("db"), Behaviour::Immortal);
    for path in [stale.path(), root.path()] {
        for command in ["check", "exit", "stop", "clean"] {
            let said = lab.muxtray(words(command, path)).expect(1);
            assert!(said.stdout.contains("misowned"), "{said:?}");
        }
    }
    lab.muxtray(["clean"]);
    lab.muxtray(["check"]).expect(1);
    assert!(is_socket(stale.path()) && is_socket(root.path()));
    assert_eq!(root.accepted(), 0);
}

#[test]
fn check_of_an_orphan_does_not_ask_its_successor() {
    let lab = Lab::new();
    let mut orphan = lab.master("web");
    fs::remove_file(orphan.path()).unwrap();
    lab.muxtray(["exit", "web"]).expect(1);
    assert!(orphan.is_running());

    let mut successor = lab.master("web");
    lab.muxtray(["exit", "web"]).expect(0);
    successor.wait_for_end();
    assert!(orphan.is_running());
}

#[test]
fn command_without_required_target_is_wrong_usage() {
    let lab = Lab::new();
    for command in ["exit", "stop"] {
        let said = lab.muxtray([command]).expect(2);
        assert!(said.stderr.contains("TARGET"), "{said:?}");
    }
    lab.muxtray(["nonsense"]).expect(2);
}

#[test]
fn help_and_version_go_to_standard_output() {
    let lab = Lab::new();
    let version = lab.muxtray(["--version"]).expect(0).stdout;
    assert_eq!(version.trim(), format!("muxtray {}", muxtray::VERSION));
    let help = lab.muxtray(["--help"]).expect(0).stdout;
    for command in [
        "run",
        "list",
        "check",
        "exit",
        "stop",
        "clean",
        "doctor",
        "open",
        "test",
        "autostart",
        "config",
    ] {
        assert!(help.contains(command), "{help}");
        let said = lab.muxtray([command, "--help"]).expect(0);
        assert!(said.stdout.contains("Usage: muxtray"), "{said:?}");
    }
}

#[test]
fn clean_finishes_an_interrupted_clean() {
    let lab = Lab::new();
    let live = lab.master("web");
    let mut dead = lab.master("db");
    dead.kill();
    let aside = |path: &Path| {
        path.with_file_name(format!(
            ".muxtray-aside.{}",
            path.file_name().unwrap().display()
        ))
    };
    for path in [live.path(), dead.path()] {
        fs::rename(path, aside(path)).unwrap();
    }
    let planned = lab.muxtray(["clean", "--dry-run"]).expect(0);
    assert!(
        planned.stdout.contains("would be renamed back"),
        "{planned:?}"
    );
    assert!(!live.path().exists());
    let said = lab.muxtray(["clean"]).expect(0);
    assert!(is_socket(live.path()) && !dead.path().exists(), "{said:?}");
    assert!(
        !aside(live.path()).exists() && !aside(dead.path()).exists(),
        "{said:?}"
    );
    lab.muxtray(["check", "web"]).expect(0);
}

#[test]
fn clean_of_a_leftover_by_name_removes_it() {
    let lab = Lab::new();
    let old = lab.leftover(&lab.control_path("old"), Duration::from_secs(3600));
    let said = lab.muxtray(words("clean", &old)).expect(0);
    assert!(said.stdout.contains("(leftover)"), "{said:?}");
    assert!(!old.exists());
    let young = lab.leftover(&lab.control_path("young"), Duration::from_secs(1));
    lab.muxtray(words("clean", &young)).expect(1);
    assert!(is_socket(&young));
}
