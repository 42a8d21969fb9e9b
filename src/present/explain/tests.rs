use super::*;
use crate::model::finding::{Finding, Severity};
use crate::model::samples::{observation, seen};
use crate::model::socket::{Connect, Denied, MasterPid, Observation, Snapshot, Socket, State};

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
    let running = crate::model::samples::running();
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

#[test]
fn every_message_has_a_meaning_and_what_it_can_come_from() {
    let told = |kind: &Kind| {
        let findings: Vec<&str> = kind.findings().iter().map(|id| id.as_str()).collect();
        format!(
            "{}\n    {}\n    {}",
            kind.form(),
            kind.meaning(),
            findings.join(", ")
        )
    };
    let told: Vec<String> = Kind::ALL.iter().map(told).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_form_that_names_no_one_cause_is_not_quoted() {
    let all: Vec<&str> = FindingId::ALL.iter().flat_map(|id| ssh_says(*id)).collect();
    for kind in Kind::ALL {
        let is_quoted = all.contains(&kind.form());
        let names_a_cause = !kind.form().ends_with("(PATH): ...")
            && !kind.form().ends_with("to path PATH: ...")
            && !kind.findings().is_empty();
        assert_eq!(is_quoted, names_a_cause, "{kind:?}");
    }
}

#[test]
fn only_a_masters_temporary_name_is_shortened() {
    for (path, shown) in [
        ("/s/u@h-22.yDXYs2d7ScOlhAEI", "/s/u@h-22"),
        ("/s/u@h-22.yDXYs2d7ScOlhAE", "/s/u@h-22.yDXYs2d7ScOlhAE"),
        ("/s/u@h-22.yDXYs2d7ScOlh-EI", "/s/u@h-22.yDXYs2d7ScOlh-EI"),
        ("/s/web.example.org", "/s/web.example.org"),
        ("/s/web", "/s/web"),
    ] {
        assert_eq!(without_suffix(path), shown);
    }
}

#[test]
fn words_that_only_look_like_a_message_are_none() {
    for line in [
        "Connection to h closed.",
        "Shared connection to h",
        "a door closed",
        "Control socket connect(/s/a) failed",
        "ControlSocket /s/a was made",
        "read from the book failed",
        "link mux listener /s/a",
    ] {
        assert_eq!(read(line), [], "{line}");
    }
}

/// A socket in this state at the path of [`refused`].
fn in_state(state: State) -> Socket {
    crate::model::samples::in_state(state)
}

#[test]
fn what_is_true_now_is_told_by_the_state() {
    let now = |sockets: Vec<Socket>| {
        let snapshot = Snapshot {
            sockets,
            ..seen(Vec::new())
        };
        answer(&refused(), &snapshot).now
    };
    let with = |sessions, pid: Option<i32>| Socket {
        sessions,
        pid: pid.map(MasterPid),
        ..in_state(State::Running)
    };
    for (socket, told) in [
        (
            with(Some(1), Some(4711)),
            "running (pid 4711) with 1 session",
        ),
        (
            with(Some(2), Some(4711)),
            "running (pid 4711) with 2 sessions",
        ),
        (with(Some(1), None), "running with 1 session"),
        (with(Some(0), None), "running with 0 sessions"),
        (with(None, Some(4711)), "running"),
        (in_state(State::Stale), "stale"),
        (in_state(State::Denied(Denied::Look)), "denied"),
    ] {
        assert_eq!(now(vec![socket]), format!("/s/u@h-22 is {told}"));
    }
    let orphan = in_state(State::Orphaned { successor: true });
    assert_eq!(
        now(vec![orphan, with(Some(0), Some(17))]),
        "/s/u@h-22 is orphaned, and running (pid 17) with 0 sessions"
    );
}

#[test]
fn the_findings_of_an_answer_are_those_about_its_path() {
    let message = only("Control socket connect(/d/a): Connection refused");
    let finding = |id, subject: &str, evidence: &str| Finding::new(id, subject, evidence, "do");
    let mut snapshot = seen(Vec::new());
    for (id, subject, evidence, is_told) in [
        (FindingId::DirectoryMissing, "/d", "seen", true),
        (FindingId::DirectoryMissing, "/e", "seen", false),
        // A parent that is open to others is told by what lies below it.
        (FindingId::DirectoryInsecure, "/", "in place of /d", true),
        (FindingId::FilesystemNetwork, "/", "on nfs with /d", true),
        (FindingId::SshConfigInvalid, "config", "in /d", false),
        (FindingId::PathCollision, "/d/a", "seen", true),
        (FindingId::PathCollision, "/d/b", "seen", false),
        (FindingId::PathTooLong, "host web", "it is /d/a", true),
        (FindingId::PathTooLong, "host web", "it is /d/b", false),
        (FindingId::PathCollision, "/x", "it is /d/a", false),
    ] {
        snapshot.findings = vec![finding(id, subject, evidence)];
        let told = answer(&message, &snapshot).findings;
        assert_eq!(!told.is_empty(), is_told, "{id:?} {subject} {evidence}");
    }
}

#[test]
fn a_note_stands_in_nobodys_way() {
    let mut snapshot = seen(Vec::new());
    let finding = Finding::new(FindingId::DirectoryInsecure, "/s", "seen", "do");
    snapshot.findings = vec![finding.clone().with_severity(Severity::Info)];
    let note = answer(&refused(), &snapshot);
    assert!(note.now.contains("nothing is in the way"), "{}", note.now);
    assert!(!note.is_wrong());
    snapshot.findings = vec![finding.with_severity(Severity::Warning)];
    let warning = answer(&refused(), &snapshot);
    assert_eq!(warning.now, "nothing is at /s/u@h-22");
    assert!(warning.is_wrong());
}

#[test]
fn a_line_without_a_path_is_answered_by_its_kind() {
    let limit = |number: usize| {
        let finding = Finding::new(FindingId::SessionsAtLimit, "/s/a", "10 sessions", "do");
        Snapshot {
            findings: vec![finding; number],
            ..seen(Vec::new())
        }
    };
    let open = "session request failed: Session open refused by peer";
    for (line, number, now) in [
        (
            open,
            0,
            "the line names no path, and nothing of this kind is wrong anywhere",
        ),
        (
            open,
            1,
            "the line names no path; there is 1 finding of this kind",
        ),
        (
            open,
            2,
            "the line names no path; there are 2 findings of this kind",
        ),
        ("Shared connection to h closed.", 0, "nothing is wrong"),
        (
            "No ControlPath specified for \"-O\" command",
            0,
            "to have one for every host, put this at the end of ~/.ssh/config: Host *, ControlPath ~/.ssh/s/%C",
        ),
    ] {
        let answer = answer(&only(line), &limit(number));
        assert_eq!(answer.now, now, "{line}");
        assert_eq!(answer.findings.len(), number);
    }
    let mut full = seen(vec![crate::model::samples::running()]);
    let finding = Finding::new(FindingId::SessionsAtLimit, "/s/a", "10 sessions", "do");
    full.sockets[0].findings = vec![finding.clone()];
    assert_eq!(answer(&only(open), &full).findings, [finding]);
}

#[test]
fn an_answer_repeats_the_line_as_one_printable_line() {
    let answer = answer(
        &only("\x1b[1mSession open refused by peer"),
        &seen(Vec::new()),
    );
    assert_eq!(answer.line, "\\u{1b}[1mSession open refused by peer");
    assert_eq!(answer.meaning, Kind::OpenRefused.meaning());
}
