//! `muxtray doctor --explain` on the messages that ssh itself prints in each broken state.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::support::{Behaviour, Finished, Lab, Listener, PATIENCE, Process, User, skip};

/// Returns the standard error of `ssh -M web`, which must fail.
#[track_caller]
fn ssh_error(lab: &Lab) -> String {
    let mut command = lab.ssh();
    command.args(["-M", "-N", "-o", "BatchMode=yes", "web"]);
    let finished = Process::run(command, PATIENCE);
    assert_eq!(finished.code(), 255, "{finished:#?}");
    finished.stderr
}

#[track_caller]
fn explain(lab: &Lab, line: &str) -> Finished {
    lab.muxtray(["doctor", "--explain", line])
}

/// Demands a finding with this id and path, and this exit status.
#[track_caller]
fn expect(finished: Finished, id: &str, path: &Path, status: i32) -> String {
    let text = finished.expect(status).stdout;
    assert!(text.contains(&format!("[{id}]")), "no {id} in\n{text}");
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    text
}

#[test]
fn message_of_ssh_is_explained_by_its_finding() {
    let lab = Lab::new();
    let directory = lab.path("s");

    fs::remove_dir(&directory).unwrap();
    let text = expect(
        explain(&lab, &ssh_error(&lab)),
        "directory-missing",
        &directory,
        1,
    );
    assert!(
        text.contains(&format!("mkdir -m 700 {}", directory.display())),
        "{text}"
    );

    lab.make_directory("s");
    fs::set_permissions(&directory, Permissions::from_mode(0o500)).unwrap();
    if User::tests_are_root() || !nix::unistd::geteuid().is_root() {
        expect(
            explain(&lab, &ssh_error(&lab)),
            "directory-not-writable",
            &directory,
            1,
        );
    }
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();

    let long = directory.join("x".repeat(100));
    lab.configure(&format!("Host web\n    ControlPath {}\n", long.display()));
    expect(explain(&lab, &ssh_error(&lab)), "path-too-long", &long, 1);
}

#[test]
fn stale_socket_is_explained_until_it_is_removed() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    lab.dead_socket(&path);
    let said = lab.ssh_request("check", &path).stderr;
    assert!(said.contains("Connection refused"), "{said}");
    let text = expect(explain(&lab, &said), "stale", &path, 1);
    assert!(
        text.contains(&format!("muxtray clean {}", path.display())),
        "{text}"
    );
    // For a line without a path, every socket is examined.
    let anonymous = "Control socket connect(\u{2026}): Connection refused";
    expect(explain(&lab, anonymous), "stale", &path, 1);

    lab.muxtray(["clean"]).expect(0);
    let text = explain(&lab, &said).expect(0).stdout;
    assert!(text.contains("does not exist"), "{text}");
    let _master = lab.master("web");
    let text = explain(&lab, &said).expect(0).stdout;
    assert!(text.contains("is running (pid "), "{text}");
}

#[test]
fn message_is_explained_by_the_present_state() {
    let lab = Lab::new();
    let path = lab.control_path("web");
    lab.write(&path, "a file");
    let said = lab.ssh_request("check", &path).stderr;
    expect(explain(&lab, &said), "not-a-socket", &path, 1);

    let foreign = Listener::foreign(&lab, &lab.control_path("db"), Behaviour::Silent);
    let said = format!(
        "Control socket connect({}): Resource temporarily unavailable",
        foreign.path().display()
    );
    expect(explain(&lab, &said), "foreign", foreign.path(), 1);
    assert_eq!(foreign.accepted(), 0);
}

#[test]
fn another_users_socket_is_reported() {
    let name = "another_users_socket_is_reported";
    if !User::tests_are_root() {
        return skip(name, "only root can be somebody else");
    }
    let lab = Lab::new();
    let root = Listener::of_root(&lab.control_path("web"), Behaviour::Silent);
    let said = lab.ssh_request("check", root.path()).stderr;
    assert!(said.contains("Permission denied"), "{said}");
    expect(explain(&lab, &said), "misowned", root.path(), 1);
    assert_eq!(root.accepted(), 0);
}

#[test]
fn several_lines_are_read_from_standard_input() {
    let lab = Lab::new();
    let (stale, none) = (lab.control_path("web"), lab.control_path("db"));
    lab.dead_socket(&stale);
    let pasted = format!(
        "debug1: auto-mux: Trying existing master\r\n\
         Control socket connect({}): Connection refused\r\n\
         debug1: Control socket \"{}\" does not exist\r\n",
        stale.display(),
        none.display()
    );
    let mut command = lab.muxtray_command(["doctor", "--explain"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(pasted.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(output.stderr.is_empty());
    for part in ["[stale]", "normal on a first connection"] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(!text.contains("auto-mux"), "{text}");
}

#[test]
fn unknown_message_is_reported_as_unknown() {
    let lab = Lab::new();
    let finished = explain(&lab, "Permission denied (publickey).").expect(3);
    assert!(finished.stdout.is_empty());
    assert!(
        finished.stderr.contains("muxtray doctor"),
        "{}",
        finished.stderr
    );
    // So does an empty standard input.
    lab.muxtray(["doctor", "--explain"]).expect(3);
    lab.muxtray(["doctor", "--explain", "x", "--fix"]).expect(2);
}

#[test]
fn escape_sequences_in_a_line_are_removed() {
    let lab = Lab::new();
    let said = "Control socket connect(/tmp/\u{1b}[31mred): Connection refused";
    let text = explain(&lab, said).expect(0).stdout;
    assert!(
        !text.contains('\u{1b}') && text.contains("\\u{1b}"),
        "{text:?}"
    );
}
