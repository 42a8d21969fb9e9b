use super::*;
use crate::model::control_path::HostAlias;
use crate::model::ids::UserId;
use crate::model::port_holder::PortHolder;
use crate::model::samples::{in_state, seen};
use crate::model::socket::{Denied, MasterPid};
use crate::present::ssh_messages::recognise;

const REFUSED: &str = "Control socket connect(/s/u@h-22): Connection refused";
const OPEN: &str =
    "mux_client_request_session: session request failed: Session open refused by peer";

/// Answers the only message in the text.
fn answer_to(text: &str, snapshot: &Snapshot) -> Answer {
    answer_with(text, snapshot, &[], &[])
}

fn answer_with(
    text: &str,
    snapshot: &Snapshot,
    hosts: &[(&str, &str)],
    ports: &[(u16, Vec<PortHolder>)],
) -> Answer {
    let paths = hosts
        .iter()
        .map(|(host, path)| ((*host).to_owned(), ControlPath::new(path).unwrap()));
    let situation = Situation {
        snapshot,
        control_paths: &paths.collect(),
        ports: &ports.iter().cloned().collect(),
        ssh_option: "",
    };
    let all = recognise(text);
    assert_eq!(all.len(), 1, "{text}");
    answer(&all[0], &situation)
}

fn with_findings(findings: Vec<Finding>) -> Snapshot {
    Snapshot {
        findings,
        ..seen(Vec::new())
    }
}

fn with_sockets(sockets: Vec<Socket>) -> Snapshot {
    Snapshot {
        sockets,
        ..seen(Vec::new())
    }
}

fn running(sessions: impl Into<Option<u32>>, pid: i32) -> Socket {
    Socket {
        sessions: sessions.into(),
        pid: Some(MasterPid(pid)),
        hosts: vec![HostAlias("web".to_owned())],
        argument: "web".to_owned(),
        ..in_state(State::Running)
    }
}

fn finding(id: FindingId, subject: &str, evidence: &str) -> Finding {
    Finding::new(id, subject, evidence, "do")
}

#[test]
fn now_is_the_state_of_each_socket_at_the_path() {
    let orphan = || in_state(State::Orphaned { successor: true });
    for (sockets, now) in [
        (vec![running(1, 4711)], "running (pid 4711) with 1 session"),
        (vec![running(None, 4711)], "running"),
        (vec![in_state(State::Denied(Denied::Look))], "denied"),
        (
            vec![orphan(), running(0, 17)],
            "orphaned, and running (pid 17) with 0 sessions",
        ),
    ] {
        let answer = answer_to(REFUSED, &with_sockets(sockets));
        assert_eq!(answer.now, [format!("/s/u@h-22 is {now}")]);
        assert!(!answer.is_wrong());
    }
}

#[test]
fn causes_and_remedies_are_left_out_if_a_finding_explains_the_message() {
    let stale = finding(FindingId::Stale, "/s/u@h-22", "seen").with_paths(["/s/u@h-22"]);
    let info = stale.clone().with_severity(Severity::Info);
    let no_problem = "/s/u@h-22 does not exist, and no problem is known";
    for (findings, now, is_wrong) in [
        (vec![], no_problem, false),
        (vec![info], no_problem, false),
        (vec![stale], "/s/u@h-22 does not exist", true),
    ] {
        let answer = answer_to(REFUSED, &with_findings(findings));
        assert_eq!(answer.now, [now]);
        assert_eq!(answer.is_wrong(), is_wrong);
        assert_eq!(answer.causes.is_empty(), is_wrong);
        assert_eq!(answer.remedies.is_empty(), is_wrong);
    }
}

#[test]
fn too_long_path_is_not_a_missing_directory() {
    let path = format!("/home/u/.ansible/cp/{}", "x".repeat(77));
    let message = format!("path \"{path}\" too long for Unix domain socket");
    let missing = finding(FindingId::DirectoryMissing, "/home/u/.ansible/cp", "seen")
        .with_paths(["/home/u/.ansible/cp"]);
    let answer = answer_to(&message, &with_findings(vec![missing]));
    assert_eq!(
        answer.now,
        [format!("{path} is 97 bytes long, the limit is 90")]
    );
    assert_eq!(answer.findings, []);
    assert!(
        answer.remedies[0].ends_with("control_path = %(directory)s/%%C"),
        "{answer:?}"
    );
    let answer = answer_to(&message.replace(".ansible", ".ssh"), &seen(Vec::new()));
    assert!(
        answer.remedies[0].ends_with("ControlPath ~/.ssh/s/%C"),
        "{answer:?}"
    );
}

#[test]
fn findings_are_those_about_the_path_that_can_cause_the_message() {
    let message = "cannot bind to path /d/a: No such file or directory";
    for (paths, id, is_cause) in [
        (&["/d"][..], FindingId::DirectoryMissing, true),
        (&["/d/a"], FindingId::DirectoryMissing, true),
        (&["/", "/d"], FindingId::DirectoryMissing, true),
        (&["/d/b"], FindingId::DirectoryMissing, false),
        (&["/e", "/"], FindingId::DirectoryMissing, false),
        (&[], FindingId::DirectoryMissing, false),
        (&["/d"], FindingId::NoKeepalive, false),
    ] {
        let finding = finding(id, "subject", "seen").with_paths(paths);
        let findings = answer_to(message, &with_findings(vec![finding])).findings;
        assert_eq!(!findings.is_empty(), is_cause, "{paths:?}");
    }
}

#[test]
fn a_message_without_a_path_keeps_its_remedies() {
    let stale = finding(FindingId::Stale, "/s/a", "refused");
    let other = finding(FindingId::DirectoryMissing, "/s", "seen");
    for (number, now) in [
        (0, "the message names no path, and no such problem exists"),
        (1, "the message names no path; 1 such problem exists"),
        (2, "the message names no path; 2 such problems exist"),
    ] {
        let mut snapshot = with_findings(vec![stale.clone(); number]);
        snapshot.findings.push(other.clone());
        let answer = answer_to("muxclient: master hello exchange failed", &snapshot);
        assert_eq!(answer.now, [now]);
        assert_eq!(answer.findings, vec![stale.clone(); number]);
        assert!(
            answer.causes[0].starts_with("the master ended"),
            "{answer:?}"
        );
        assert!(!answer.remedies.is_empty());
    }
}

#[test]
fn refused_session_names_the_masters_and_their_sessions() {
    let snapshot = with_sockets(vec![running(0, 1), running(2, 2), running(10, 3)]);
    let answer = answer_to(OPEN, &snapshot);
    assert_eq!(
        answer.now,
        [
            "web is running (pid 3) with 10 sessions",
            "web is running (pid 2) with 2 sessions"
        ]
    );
    assert_eq!(
        answer.remedies[0],
        "connect without the master: ssh -S none HOST"
    );
    let pasted = format!("u@here:~$ ssh web\n{OPEN}");
    let answer = answer_with(
        &pasted,
        &with_sockets(vec![running(10, 3)]),
        &[("web", "/s/u@h-22")],
        &[],
    );
    assert_eq!(
        answer.now,
        ["/s/u@h-22 is running (pid 3) with 10 sessions"]
    );
    assert_eq!(
        answer.remedies[0],
        "connect without the master: ssh -S none web"
    );
}

#[test]
fn holder_of_the_port_is_named_with_a_way_to_end_it() {
    let message = "bind [127.0.0.1]:1080: Address already in use";
    let holder = |address: &str| PortHolder {
        address: address.parse().unwrap(),
        uid: UserId(0),
        process: Some((MasterPid(5), "python3".to_owned())),
    };
    for (holders, now, remedy) in [
        (
            // The other one is no obstacle.
            vec![holder("[::1]:1080"), holder("127.0.0.1:1080")],
            "127.0.0.1:1080 is held by python3 (pid 5)",
            "end that process: kill 5",
        ),
        (
            vec![],
            "nothing listens on port 1080: connect again",
            "show the process that listens there: ss -ltnp 'sport = :1080'",
        ),
    ] {
        let is_held = !holders.is_empty();
        let answer = answer_with(message, &seen(Vec::new()), &[], &[(1080, holders)]);
        assert_eq!(answer.now, [now]);
        assert_eq!(answer.remedies[0], remedy);
        assert_eq!(answer.causes.is_empty(), is_held);
    }
}

#[test]
fn other_messages_get_one_line_without_sockets() {
    let answer = answer_to(
        "\u{1b}[1mu@h: Permission denied (publickey).",
        &seen(Vec::new()),
    );
    assert_eq!(answer.line, "u@h: Permission denied (publickey).");
    assert!(
        answer
            .meaning
            .starts_with("not about multiplexing or forwarding: "),
        "{answer:?}"
    );
    assert!(answer.meaning.ends_with("ssh -v u@h"), "{answer:?}");
    let rest = Answer {
        line: String::new(),
        meaning: String::new(),
        ..answer
    };
    assert_eq!(rest, Answer::default());
}

#[test]
fn normal_message_has_nothing_to_do() {
    let answer = answer_to("Shared connection to h closed.", &seen(Vec::new()));
    assert_eq!(
        (answer.remedies, answer.now),
        (vec!["nothing to do".to_owned()], vec![])
    );
}
