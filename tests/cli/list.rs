//! `muxtray list` against real masters in every state; its report is compared with lstat, `/proc` and ssh.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use crate::support::{
    Behaviour, FuseMount, GOOD, Lab, Listener, NOBODY, PATIENCE, Process, Report, Session,
    SocketReport, User, is_socket, skip, wait_until,
};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;

/// Returns the state of the socket at the path, and the exit status of `list`.
#[track_caller]
fn state(lab: &Lab, path: &Path) -> (String, i32) {
    let report = lab.list();
    (report.at(path).state().to_owned(), report.status)
}

/// Demands this state, the same id as the socket's first finding, and this exit status.
#[track_caller]
fn expect_state(lab: &Lab, path: &Path, state: &str, status: i32) -> SocketReport {
    let report = lab.list();
    let socket = report.at(path);
    assert_eq!(socket.state(), state, "{:#}", report.json);
    assert_eq!(
        socket.finding_ids().first().map(String::as_str),
        Some(state)
    );
    assert_eq!(report.status, status, "{:#}", report.json);
    socket
}

#[test]
fn running_master_has_its_pid_hosts_and_sessions() {
    let lab = Lab::new();
    lab.configure("Host web\n    ControlPersist 600\n");
    let master = lab.master("web");
    let _first = master.session(&lab);
    let _second = master.session(&lab);
    let user = User::get();

    let report = lab.list();
    let socket = report.at(master.path()).0;

    assert_eq!(report.status, 0);
    assert_eq!(socket["state"], "running");
    assert_eq!(socket["hosts"], json!(["web"]));
    assert_eq!(socket["destination"], lab.destination());
    assert_eq!(socket["pid"], master.pid());
    assert_eq!(socket["sessions"], 2);
    assert_eq!(socket["owner"], json!({"uid": user.uid, "name": user.name}));
    assert_eq!(socket["mode"], "0600");
    assert_eq!(socket["persist_secs"], 600);
    assert_eq!(socket["managed_by"], json!(null));
    assert_eq!(socket["findings"], json!([]));
    let since = humantime::parse_rfc3339(socket["since"].as_str().unwrap()).unwrap();
    let bound = fs::symlink_metadata(master.path())
        .unwrap()
        .modified()
        .unwrap();
    let difference = bound.duration_since(since).unwrap_or_default();
    assert!(
        difference < Duration::from_secs(1),
        "{since:?} is not {bound:?}"
    );
    assert_eq!(report.sockets().len(), 1);
    assert_eq!(report.json["findings"], json!([]));
}

#[test]
fn control_persist_is_reported() {
    let lab = Lab::new();
    lab.configure("Host web\n    ControlPersist yes\nHost db\n    ControlPersist 10m\n");
    let masters = ["web", "db", "build"].map(|alias| lab.master(alias));
    let report = lab.list();
    let persist = masters
        .each_ref()
        .map(|master| report.at(master.path()).0["persist_secs"].clone());
    assert_eq!(persist, [json!(0), json!(600), json!(null)]);
}

#[test]
fn persisted_master_has_the_pid_of_the_background_process() {
    let lab = Lab::new();
    let pid = lab.persisted_master("web", "600");
    let socket = lab.list().at(&lab.control_path("web")).0;
    assert_eq!(
        (&socket["state"], &socket["pid"]),
        (&json!("running"), &json!(pid))
    );
    assert_eq!(socket["sessions"], 0);
}

#[test]
fn own_session_of_a_master_is_not_counted_as_multiplexed() {
    let lab = Lab::new();
    let master = lab.master_with_own_session("web");
    let socket = lab.list().at(master.path()).0;
    assert_eq!(
        (&socket["sessions"], &socket["own_session"]),
        (&json!(0), &json!(true))
    );
    let session = Session::open(&lab, master.path());
    assert_eq!(lab.list().at(master.path()).0["sessions"], 1);
    session.close();
    wait_until("the session is not counted any more", PATIENCE, || {
        lab.list().at(master.path()).0["sessions"] == 0
    });
}

#[test]
fn no_sockets_give_an_empty_list() {
    let lab = Lab::new();
    let report = lab.list();
    assert_eq!(report.json["sockets"], json!([]));
    assert_eq!(report.status, 0);
}

#[test]
fn a_suspended_master_is_unresponsive() {
    let lab = Lab::new();
    let master = lab.master("web");
    master.suspend();
    let socket = expect_state(&lab, master.path(), "unresponsive", 1);
    assert_eq!(socket.0["pid"], master.pid());
    master.resume();
    assert_eq!(state(&lab, master.path()), ("running".to_owned(), 0));
}

#[test]
fn a_master_that_does_not_accept_is_unresponsive() {
    let lab = Lab::new();
    let listener = Listener::called_ssh(&lab, &lab.control_path("web"), Behaviour::NeverAccepts);
    let _waiting = std::os::unix::net::UnixStream::connect(listener.path()).unwrap();
    expect_state(&lab, listener.path(), "unresponsive", 1);
}

#[test]
fn a_killed_master_is_stale() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    master.kill();
    let socket = expect_state(&lab, master.path(), "stale", 0);
    assert_eq!(
        (&socket.0["pid"], &socket.0["sessions"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(socket.0["findings"][0]["fixable"], true);
    assert!(
        socket.0["findings"][0]["remedy"]
            .as_str()
            .unwrap()
            .contains("muxtray clean"),
        "{:#}",
        socket.0
    );
}

#[test]
fn a_socket_of_another_user_is_misowned_and_never_touched() {
    let name = "a_socket_of_another_user_is_misowned_and_never_touched";
    if !User::tests_are_root() {
        return skip(name, "only root can give files away");
    }
    let lab = Lab::new();
    let mut master = lab.master("web");
    master.kill();
    std::os::unix::fs::chown(master.path(), Some(NOBODY), None).unwrap();
    let root = Listener::of_root(&lab.control_path("db"), Behaviour::Silent);

    let socket = expect_state(&lab, master.path(), "misowned", 1);
    assert_eq!(socket.0["owner"]["uid"], NOBODY);
    let socket = expect_state(&lab, root.path(), "misowned", 1);
    assert_eq!(socket.0["owner"], json!({"uid": 0, "name": "root"}));
    assert_eq!(root.accepted(), 0);
}

#[test]
fn listener_of_another_program_is_foreign_and_not_connected_to() {
    let lab = Lab::new();
    let listener = Listener::foreign(&lab, &lab.control_path("web"), Behaviour::Silent);
    let socket = expect_state(&lab, listener.path(), "foreign", 1);
    assert_eq!(socket.0["pid"], listener.pid());
    assert_eq!(listener.accepted(), 0);
}

#[test]
fn a_listener_of_another_user_is_foreign() {
    if !User::tests_are_root() {
        return skip(
            "a_listener_of_another_user_is_foreign",
            "only root can be somebody else",
        );
    }
    let lab = Lab::new();
    let listener = Listener::of_root(&lab.control_path("web"), Behaviour::Silent);
    User::get().own(listener.path());
    expect_state(&lab, listener.path(), "foreign", 1);
    assert_eq!(listener.accepted(), 0);
}

#[test]
fn file_directory_symlink_and_fifo_are_not_a_socket() {
    let lab = Lab::new();
    let master = lab.master("build");
    type Make = fn(&Lab, &Path);
    let cases: [(&str, Make); 4] = [
        ("a regular file", |lab, path| drop(lab.write(path, "kept"))),
        ("a directory", |lab, path| drop(lab.make_directory(path))),
        ("a symlink to a live socket", |lab, path| {
            symlink(lab.control_path("build"), path).unwrap();
        }),
        ("a FIFO", |_, path| mkfifo(path, Mode::S_IRWXU).unwrap()),
    ];
    for (what, make) in cases {
        let path = lab.control_path("web");
        make(&lab, &path);
        User::get().own(&path);
        let socket = expect_state(&lab, &path, "not-a-socket", 1);
        assert_eq!(socket.0["hosts"], json!(["web"]), "{what}");
        assert!(fs::symlink_metadata(&path).is_ok(), "{what} is still there");
        fs::rename(&path, lab.path(format!("moved {what}"))).unwrap();
    }
    assert_eq!(lab.list().at(master.path()).state(), "running");
}

#[test]
fn unreadable_directory_is_denied() {
    let lab = Lab::new();
    let master = lab.master("web");
    let directory = lab.path("s");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o000)).unwrap();
    let report = lab.list();
    assert_eq!(report.status, 1, "{:#}", report.json);
    let socket = report.at(master.path());
    assert_eq!(socket.state(), "denied", "{:#}", report.json);
    assert_eq!(socket.0["owner"], json!(null));
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(state(&lab, master.path()), ("running".to_owned(), 0));
}

#[test]
fn socket_without_write_permission_is_denied() {
    let lab = Lab::new();
    let master = lab.master("web");
    fs::set_permissions(master.path(), fs::Permissions::from_mode(0o000)).unwrap();
    expect_state(&lab, master.path(), "denied", 1);
}

#[test]
fn only_an_old_temporary_name_is_a_leftover() {
    let lab = Lab::new();
    let old = lab.leftover(&lab.control_path("web"), Duration::from_secs(61));
    let young = lab.leftover(&lab.control_path("db"), Duration::from_secs(1));
    expect_state(&lab, &old, "leftover", 0);
    assert!(lab.list().all_at(&young).is_empty());
}

#[test]
fn an_unlinked_master_is_orphaned_beside_its_successor() {
    let lab = Lab::new();
    let orphan = lab.master("web");
    let session = orphan.session(&lab);
    fs::remove_file(orphan.path()).unwrap();
    let socket = expect_state(&lab, orphan.path(), "orphaned", 1);
    assert_eq!(
        (&socket.0["pid"], &socket.0["sessions"]),
        (&json!(orphan.pid()), &json!(1))
    );

    let successor = lab.master("web");
    let both = lab.list().all_at(orphan.path());
    let found: Vec<_> = both
        .iter()
        .map(|socket| (socket.state(), socket.0["pid"].clone()))
        .collect();
    assert_eq!(
        found,
        [
            ("orphaned", json!(orphan.pid())),
            ("running", json!(successor.pid()))
        ]
    );
    drop(session);
}

#[test]
fn path_through_a_symlink_loop_is_unverifiable() {
    let lab = Lab::new();
    symlink("loop", lab.path("loop")).unwrap();
    let path = lab.path("loop/web");
    lab.configure(&format!("Host web\n    ControlPath {}\n", path.display()));
    expect_state(&lab, &path, "unverifiable", 1);
}

#[test]
fn a_socket_on_a_network_filesystem_is_unverifiable() {
    let name = "a_socket_on_a_network_filesystem_is_unverifiable";
    let lab = Lab::new();
    let mount = match FuseMount::sshfs(&lab, "s", "net") {
        Ok(mount) => mount,
        Err(why) => return skip(name, &why),
    };
    lab.dead_socket(&lab.path("s/web"));
    let path = mount.directory().join("web");
    lab.configure(&format!("Host web\n    ControlPath {}\n", path.display()));
    let report = lab.list();
    assert_eq!(
        report.at(&path).state(),
        "unverifiable",
        "{:#}",
        report.json
    );
    assert_eq!(report.status, 1);
    let refused = lab.muxtray(["clean".as_ref(), path.as_os_str()]).expect(1);
    assert!(path.symlink_metadata().is_ok(), "{refused:?}");
}

#[test]
fn a_master_in_another_network_namespace_is_running() {
    let name = "a_master_in_another_network_namespace_is_running";
    let lab = Lab::new();
    let master = match lab.master_in_another_namespace("web") {
        Ok(master) => master,
        Err(why) => return skip(name, &why),
    };
    assert_eq!(state(&lab, master.path()), ("running".to_owned(), 0));
}

#[test]
fn socket_mode_open_to_others_is_a_finding() {
    let lab = Lab::new();
    let master = lab.master("web");
    fs::set_permissions(master.path(), fs::Permissions::from_mode(0o666)).unwrap();
    let report = lab.list();
    let socket = report.at(master.path());
    assert_eq!(socket.state(), "running");
    assert_eq!(socket.0["mode"], "0666");
    assert_eq!(socket.finding_ids(), ["insecure-mode"]);
    assert_eq!(report.status, 0);
}

#[test]
fn master_at_an_unconfigured_path_is_found_through_the_kernel() {
    let lab = Lab::new();
    let deep = "d/".repeat(10);
    let mut path = lab.path("");
    for part in deep.split_terminator('/') {
        path.push(part);
        lab.make_directory(&path);
    }
    let master = lab.master_at(&path.join("elsewhere"));
    let socket = lab.list().at(master.path()).0;
    assert_eq!(
        (&socket["state"], &socket["pid"]),
        (&json!("running"), &json!(master.pid()))
    );
    assert_eq!(socket["hosts"], json!(["web"]));
}

#[test]
fn path_of_90_bytes_works_and_a_longer_one_is_a_finding() {
    let lab = Lab::new();
    let of_length = |length: usize| {
        let directory = lab.path("s").display().to_string();
        format!("{directory}/{}", "x".repeat(length - directory.len() - 1))
    };
    let longest = of_length(90);
    lab.configure(&format!(
        "Host web\n    ControlPath {longest}\nHost db\n    ControlPath {}\n",
        of_length(91)
    ));
    let master = lab.master_at(longest.as_ref());
    let report = lab.list();
    assert_eq!(report.at(master.path()).state(), "running");
    assert_eq!(report.finding_ids(), ["path-too-long"]);
    assert_eq!(report.status, 1);
}

#[test]
fn directory_with_two_names_is_listed_once() {
    let lab = Lab::new();
    symlink("s", lab.path("link")).unwrap();
    lab.configure(&format!(
        "Host web\n    ControlPath {}/%n-%p\n{GOOD}Host db\n    ControlPath {}/%n-%p\n{GOOD}",
        lab.path("s").display(),
        lab.path("link").display()
    ));
    let web = lab.master("web");
    let db = lab.control_path("db");
    let mut ssh = lab.ssh();
    ssh.args(["-M", "-N", "db"]);
    let _master = Process::start(ssh);
    wait_until("it listens", PATIENCE, || is_socket(&db));
    lab.dead_socket(&lab.path("s/dead-1"));
    let rows = |report: &Report| -> Vec<(String, String)> {
        let text = |it: &SocketReport, key: &str| it.0[key].as_str().unwrap().to_owned();
        let sockets = report.sockets().into_iter();
        sockets
            .map(|it| (text(&it, "path"), text(&it, "state")))
            .collect()
    };
    let shown = |name: &Path| name.to_str().unwrap().to_owned();
    let report = lab.list();
    let mut all = rows(&report);
    all.sort();
    assert_eq!(
        all,
        [
            (shown(&db), "running".to_owned()),
            (shown(&lab.path("s/dead-1")), "stale".to_owned()),
            (shown(web.path()), "running".to_owned()),
        ]
    );
    assert_eq!(report.at(&db).0["hosts"][0], "db");
    let mut ids = lab.doctor().all_ids();
    ids.dedup();
    assert_eq!(ids, ["stale"]);
    for target in [
        "db",
        &shown(&lab.path("link").join(db.file_name().unwrap())),
    ] {
        lab.muxtray(["check", target]).expect(0);
    }
    let link = shown(&lab.path("link").join(web.path().file_name().unwrap()));
    lab.muxtray(["exit", &link]).expect(0);
    let cleaned = lab.muxtray(["clean"]).expect(0);
    assert_eq!(cleaned.stdout.lines().count(), 1, "{cleaned:#?}");
    lab.muxtray(["exit", "--all"]).expect(0);
    assert_eq!(rows(&lab.list()), []);
}
