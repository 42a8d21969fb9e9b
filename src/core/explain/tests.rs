use super::super::samples::{observation, seen};
use super::*;
use crate::core::finding::Finding;
use crate::core::socket::{Connect, Observation};

fn only(text: &str) -> Message {
    let mut messages = read(text);
    assert_eq!(messages.len(), 1, "{text}: {messages:?}");
    messages.remove(0)
}

#[test]
fn every_message_is_recognised_with_its_path() {
    let path = "/home/u/.ssh/s/u@h-22";
    let temporary = "/home/u/.ssh/s/u@h-22.yDXYs2d7ScOlhAEI";
    let bind = |words: &str| format!("unix_listener: cannot bind to path {temporary}: {words}");
    let connect = |words: &str| format!("Control socket connect({path}): {words}");
    let cases = [
        (connect("Connection refused"), Kind::ConnectRefused, true),
        (connect("Permission denied"), Kind::ConnectDenied, true),
        (
            connect("No such file or directory"),
            Kind::ConnectMissing,
            true,
        ),
        (
            connect("Socket operation on non-socket"),
            Kind::ConnectNoSocket,
            true,
        ),
        (
            connect("Resource temporarily unavailable"),
            Kind::ConnectFull,
            true,
        ),
        (connect("Something new"), Kind::ConnectOther, true),
        (
            format!("debug1: Control socket \"{path}\" does not exist"),
            Kind::NotThere,
            true,
        ),
        (
            format!("debug1: Stale control socket {path}, unlinking"),
            Kind::Healed,
            true,
        ),
        (
            format!("ControlSocket {path} already exists, disabling multiplexing"),
            Kind::AlreadyThere,
            true,
        ),
        (
            format!("ControlPath {path} is not a socket"),
            Kind::NoSocket,
            true,
        ),
        (bind("No such file or directory"), Kind::BindMissing, true),
        (bind("Permission denied"), Kind::BindDenied, true),
        (bind("Read-only file system"), Kind::BindReadOnly, true),
        (bind("No space left on device"), Kind::BindFull, true),
        (bind("Disk quota exceeded"), Kind::BindQuota, true),
        (bind("Operation not supported"), Kind::BindUnsupported, true),
        (bind("Operation not permitted"), Kind::BindForbidden, true),
        (bind("Something new"), Kind::BindOther, true),
        (
            // Before 8.x with a colon, and without the name of the function.
            format!("cannot bind to path: {path}: Permission denied"),
            Kind::BindDenied,
            true,
        ),
        (
            format!("unix_listener: path \"{temporary}\" too long for Unix domain socket"),
            Kind::TooLong,
            true,
        ),
        (
            format!("ControlPath too long ('{path}' >= 108 bytes)"),
            Kind::ControlPathTooLong,
            true,
        ),
        (
            "ControlPath too long for Unix domain socket".to_owned(),
            Kind::TooLong,
            false,
        ),
        (
            format!(
                "muxserver_listen: link mux listener {temporary} => {path}: Operation not permitted"
            ),
            Kind::Link,
            true,
        ),
        (
            "multiplex uid mismatch: peer euid 0 != uid 1000".to_owned(),
            Kind::UidMismatch,
            false,
        ),
        (
            "mux_client_request_session: session request failed: Session open refused by peer"
                .to_owned(),
            Kind::OpenRefused,
            false,
        ),
        (
            "mux_client_request_session: read from master failed: Broken pipe".to_owned(),
            Kind::MasterDied,
            false,
        ),
        (
            "read from master failed: Connection reset by peer".to_owned(),
            Kind::MasterReset,
            false,
        ),
        (
            "mux_client_request_alive: master returned unexpected message 1397966893".to_owned(),
            Kind::Unexpected,
            false,
        ),
        (
            "No ControlPath specified for \"-O\" command".to_owned(),
            Kind::NoControlPath,
            false,
        ),
        (
            "Shared connection to h closed.\r".to_owned(),
            Kind::SharedClosed,
            false,
        ),
    ];
    for (line, kind, has_path) in &cases {
        let message = only(line);
        assert_eq!(message.kind, *kind, "{line}");
        let expected = has_path.then(|| ControlPath::new(path).unwrap());
        assert_eq!(message.path, expected, "{line}");
    }
    let missing: Vec<_> = Kind::ALL
        .iter()
        .filter(|kind| !cases.iter().any(|(_, tried, _)| tried == *kind))
        .collect();
    assert!(missing.is_empty(), "no line for {missing:?}");
}

#[test]
fn a_path_may_hold_spaces_brackets_and_colons() {
    for path in [
        "/home/u/my sockets/h",
        "/s/a): b",
        "/s/[::1]:22",
        "/s/a => b",
    ] {
        let line = format!("Control socket connect({path}): Connection refused");
        assert_eq!(only(&line).path, ControlPath::new(path), "{line}");
        let line = format!("ControlSocket {path} already exists, disabling multiplexing");
        assert_eq!(only(&line).path, ControlPath::new(path), "{line}");
    }
    // What names no path is understood all the same.
    let message = only("Control socket connect(\u{2026}): Connection refused");
    assert_eq!((message.kind, message.path), (Kind::ConnectRefused, None));
}

#[test]
fn several_lines_and_what_stands_around_them() {
    let text = "debug1: auto-mux: Trying existing master\r\n\
                Control socket connect(/s/a): Connection refused\r\n\
                debug1: Authentication succeeded (publickey).\n\
                Control socket connect(/s/a): Connection refused\r\n  \
                unix_listener: cannot bind to path /s/b.yDXYs2d7ScOlhAEI: Permission denied\n";
    let kinds: Vec<Kind> = read(text).into_iter().map(|message| message.kind).collect();
    assert_eq!(kinds, [Kind::ConnectRefused, Kind::BindDenied]);
    assert_eq!(read("Permission denied (publickey).\nhello\n"), []);
    assert_eq!(read(""), []);
}

#[test]
fn every_form_reads_back_as_its_kind() {
    for kind in Kind::ALL {
        let line = kind.form().replace("PATH", "/s/a");
        assert_eq!(only(&line).kind, *kind, "{line}");
    }
}

#[test]
fn what_ssh_says_is_known_of_what_it_says_anything_of() {
    for id in [
        FindingId::Stale,
        FindingId::Denied,
        FindingId::Misowned,
        FindingId::NotASocket,
        FindingId::Unresponsive,
        FindingId::DirectoryMissing,
        FindingId::DirectoryNotWritable,
        FindingId::DirectoryMisowned,
        FindingId::FilesystemFull,
        FindingId::FilesystemUnsupported,
        FindingId::PathTooLong,
        FindingId::SessionsAtLimit,
        FindingId::Foreign,
    ] {
        assert!(ssh_says(id).next().is_some(), "{id:?}");
    }
}

fn refused() -> Message {
    only("Control socket connect(/s/u@h-22): Connection refused")
}

#[test]
fn a_socket_that_is_still_stale_is_answered_with_its_remedy() {
    let snapshot = seen(vec![Observation {
        connect: Some(Connect::Refused),
        ..observation()
    }]);
    let answer = answer(&refused(), &snapshot);
    assert_eq!(answer.now, "/s/u@h-22 is stale");
    assert_eq!(answer.findings[0].remedy, "muxtray clean /s/u@h-22");
    assert!(answer.is_wrong());
}

#[test]
fn what_is_over_is_said_to_be() {
    let running = super::super::samples::running();
    let now = answer(&refused(), &seen(vec![running]));
    assert_eq!(now.now, "/s/u@h-22 is running (pid 4711) with 2 sessions");
    assert!(!now.is_wrong());
    let gone = answer(&refused(), &seen(Vec::new()));
    assert!(
        gone.now
            .starts_with("nothing is at /s/u@h-22, and nothing is in the way")
    );
    assert!(!gone.is_wrong());
}

#[test]
fn the_findings_of_the_directory_belong_to_the_answer() {
    let mut snapshot = seen(Vec::new());
    let about = |subject: &str| Finding::new(FindingId::DirectoryMissing, subject, "seen", "do");
    snapshot.findings = vec![about("/s"), about("/other")];
    let message =
        only("unix_listener: cannot bind to path /s/a.yDXYs2d7ScOlhAEI: No such file or directory");
    let answer = answer(&message, &snapshot);
    assert_eq!(answer.findings, [about("/s")]);
    assert_eq!(answer.now, "nothing is at /s/a");
}

#[test]
fn a_line_without_a_path_is_answered_with_all_of_its_kind() {
    let mut snapshot = seen(Vec::new());
    let limit = Finding::new(FindingId::SessionsAtLimit, "/s/a", "10 sessions", "do");
    snapshot.findings = vec![
        limit.clone(),
        Finding::new(FindingId::DirectoryMissing, "/s", "seen", "do"),
    ];
    let message = only("session request failed: Session open refused by peer");
    assert_eq!(answer(&message, &snapshot).findings, [limit]);
}

#[test]
fn a_path_that_is_too_long_is_counted() {
    let path = format!("/{}", "x".repeat(96));
    let message = only(&format!("path \"{path}\" too long for Unix domain socket"));
    let answer = answer(&message, &seen(Vec::new()));
    assert!(answer.now.ends_with("is 97 bytes long, the limit is 90"));
}
