//! Checks the test fixtures themselves: each master really is in the state that other tests rely on. The checks use
//! lstat, the kernel's table and ssh, not muxtray.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::support::{
    Behaviour, Lab, Listener, PATIENCE, User, is_listening, is_socket, pid_of_persisted,
    process_state, skip, wait_until,
};

fn refuses(path: &std::path::Path) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[test]
fn master_belongs_to_user_and_answers() {
    let lab = Lab::new();
    let master = lab.master("web");
    let answer = lab.ssh_request("check", master.path()).expect(0);
    assert!(
        answer
            .stderr
            .contains(&format!("Master running (pid={})", master.pid())),
        "{answer:?}"
    );
    let file = fs::symlink_metadata(master.path()).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.uid(), User::get().uid);
    assert_eq!(file.mode() & 0o7777, 0o600);
    let process = fs::metadata(format!("/proc/{}", master.pid())).unwrap();
    assert_eq!(process.uid(), User::get().uid);
}

#[test]
fn sessions_use_the_master() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    let mut session = master.session(&lab);
    assert!(session.is_open());
    master.kill();
    wait_until("the session has ended with its master", PATIENCE, || {
        !session.is_open()
    });
}

#[test]
fn killed_master_leaves_socket_that_refuses() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    master.kill();
    assert!(is_socket(master.path()));
    assert!(refuses(master.path()));
}

#[test]
fn suspended_master_keeps_its_socket() {
    let lab = Lab::new();
    let master = lab.master("web");
    master.suspend();
    assert_eq!(process_state(master.pid()), Some('T'));
    assert!(is_listening(master.path()));
    master.resume();
    lab.ssh_request("check", master.path()).expect(0);
}

#[test]
fn persisted_master_runs_in_background_and_ends_by_itself() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    let pid = lab.persisted_master("web", "1");
    assert_eq!(pid_of_persisted(&path), Some(pid));
    wait_until("it has ended", PATIENCE, || process_state(pid).is_none());
    assert!(!path.exists());
}

#[test]
fn master_with_own_session_answers() {
    let lab = Lab::new();
    let master = lab.master_with_own_session("web");
    lab.ssh_request("check", master.path()).expect(0);
}

#[test]
fn unlinked_master_keeps_running() {
    let lab = Lab::new();
    let mut master = lab.master("web");
    fs::remove_file(master.path()).unwrap();
    assert!(master.is_running() && is_listening(master.path()) && !master.path().exists());
    let successor = lab.master("web");
    lab.ssh_request("check", successor.path()).expect(0);
    assert!(master.is_running());
}

#[test]
fn leftover_refuses_and_is_old() {
    let lab = Lab::new();
    let path = lab.leftover(&lab.control_path("web"), Duration::from_secs(3600));
    assert!(is_socket(&path) && refuses(&path));
    let age = fs::symlink_metadata(&path)
        .unwrap()
        .modified()
        .unwrap()
        .elapsed()
        .unwrap();
    assert!(age > Duration::from_secs(3500), "{age:?}");
}

#[test]
fn listeners_that_are_no_masters_count_connections() {
    let lab = Lab::new();
    let foreign = Listener::foreign(&lab, &lab.path("s/foreign"), Behaviour::Silent);
    assert_eq!(foreign.accepted(), 0);
    let _connection = UnixStream::connect(foreign.path()).unwrap();
    wait_until("it has accepted", PATIENCE, || foreign.accepted() == 1);
    let fake = Listener::called_ssh(&lab, &lab.path("s/fake"), Behaviour::Immortal);
    let program = fs::read_link(format!("/proc/{}/exe", fake.pid())).unwrap();
    assert_eq!(program.file_name().unwrap(), "ssh");
    let answer = lab.ssh_request("check", fake.path()).expect(0);
    assert!(
        answer.stderr.contains(&format!("pid={}", fake.pid())),
        "{answer:?}"
    );
}

#[test]
fn master_in_another_network_namespace_is_not_in_kernel_table() {
    let lab = Lab::new();
    let master = match lab.master_in_another_namespace("web") {
        Ok(master) => master,
        Err(why) => {
            return skip(
                "master_in_another_network_namespace_is_not_in_kernel_table",
                &why,
            );
        }
    };
    assert!(!is_listening(master.path()));
    lab.ssh_request("check", master.path()).expect(0);
}

#[test]
fn dropped_lab_leaves_no_process_or_file() {
    let lab = Lab::new();
    let scratch = lab.path("");
    let persisted = lab.persisted_master("web", "yes");
    let master = lab.master("db");
    let pid = master.pid();
    master.suspend();
    drop(lab);
    drop(master);
    wait_until("every process has ended", PATIENCE, || {
        process_state(persisted).is_none() && process_state(pid).is_none()
    });
    assert!(!scratch.exists());
}
