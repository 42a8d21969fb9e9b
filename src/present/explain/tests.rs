use super::*;
use crate::model::control_path::HostAlias;
use crate::model::finding::Severity;
use crate::model::ids::UserId;
use crate::model::samples::{in_state, seen};
use crate::model::socket::{Denied, MasterPid};
use crate::present::ssh_messages::recognise;

const REFUSED: &str = "Control socket connect(/s/u@h-22): Connection refused";
const OPEN: &str =
    "mux_client_request_session: session request failed: Session open refused by peer";

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

fn holder(process: Option<(i32, &str)>) -> PortHolder {
    PortHolder {
        address: "127.0.0.1:1080".parse().unwrap(),
        uid: UserId(0),
        process: process.map(|(pid, name)| (MasterPid(pid), name.to_owned())),
    }
}

#[test]
fn answers_follow_from_the_present_state() {
    let path = format!("/home/u/.ansible/cp/{}", "x".repeat(77));
    let too_long = format!("path \"{path}\" too long for Unix domain socket");
    let (too_long, bound) = (&*too_long, "bind [127.0.0.1]:1080: Address already in use");
    let hello = "muxclient: master hello exchange failed";
    let orphan = || in_state(State::Orphaned { successor: true });
    let busy = |forwarded| Socket {
        forwarded: Some(forwarded),
        ..running(0, 3)
    };
    let at_path = |severity| {
        let stale = finding(FindingId::Stale, "/s/u@h-22", "seen").with_paths(["/s/u@h-22"]);
        with_findings(vec![stale.with_severity(severity)])
    };
    let missing = |path| finding(FindingId::DirectoryMissing, path, "seen").with_paths([path]);
    let stale = |number| {
        let stale = finding(FindingId::Stale, "/s/a", "refused");
        let mut all = vec![stale; number];
        all.push(missing("/s"));
        with_findings(all)
    };
    let nothing = || seen(Vec::new());
    let several = || with_sockets(vec![running(0, 1), running(2, 2), running(10, 3)]);
    let held = |sessions| with_sockets(vec![busy(sessions)]);
    let port = |holders: Vec<PortHolder>| vec![(1080, holders)];
    let none = Vec::new;
    let cases = [
        (REFUSED, with_sockets(vec![running(1, 4711)]), none()),
        (REFUSED, with_sockets(vec![running(None, 4711)]), none()),
        (
            REFUSED,
            with_sockets(vec![in_state(State::Denied(Denied::Look))]),
            none(),
        ),
        // An orphan and its successor.
        (
            REFUSED,
            with_sockets(vec![orphan(), running(0, 17)]),
            none(),
        ),
        (REFUSED, nothing(), none()),
        (REFUSED, at_path(Severity::Info), none()),
        (REFUSED, at_path(Severity::Warning), none()),
        // Not its directory, which is missing too.
        (
            too_long,
            with_findings(vec![missing("/home/u/.ansible/cp")]),
            none(),
        ),
        (hello, stale(0), none()),
        (hello, stale(1), none()),
        (hello, stale(2), none()),
        (OPEN, several(), none()),
        (bound, held(0), port(vec![holder(Some((3, "ssh")))])),
        (bound, held(1), port(vec![holder(Some((3, "ssh")))])),
        (bound, held(0), port(vec![holder(Some((5, "python3")))])),
        (bound, held(0), port(vec![holder(None)])),
        (bound, held(0), port(vec![])),
        (
            "\u{1b}[1mu@h: Permission denied (publickey).",
            nothing(),
            none(),
        ),
        ("Shared connection to h closed.", nothing(), none()),
    ];
    let texts = cases.map(|(text, snapshot, ports)| {
        let answer = answer_with(text, &snapshot, &[], &ports);
        let ids: Vec<&str> = answer.findings.iter().map(|it| it.id.as_str()).collect();
        let wrong = if answer.is_wrong() { " (wrong)" } else { "" };
        let parts = [
            format!("{}{wrong}", answer.line),
            answer.now.join("; "),
            ids.join(" "),
            answer.causes.first().cloned().unwrap_or_default(),
            answer.remedies.join("; "),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n    ")
    });
    insta::assert_snapshot!(texts.join("\n"));
    let others = answer_to("u@h: Permission denied (publickey).", &nothing());
    let meaning = "not about multiplexing or forwarding: ";
    assert!(others.meaning.starts_with(meaning) && others.meaning.ends_with("ssh -v u@h"));
}

#[test]
fn host_of_the_command_leads_to_its_path() {
    let pasted = format!("u@here:~$ ssh web\n{OPEN}");
    let hosts = [("web", "/s/u@h-22")];
    let answer = answer_with(&pasted, &with_sockets(vec![running(10, 3)]), &hosts, &[]);
    assert_eq!(
        answer.now,
        ["/s/u@h-22 is running (pid 3) with 10 sessions"]
    );
    let remedy = "connect without the master: ssh -S none web";
    assert_eq!(answer.remedies[0], remedy);
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
fn commands_without_a_target_include_the_sockets_of_ansible() {
    let path = "/home/u/.ansible/cp/ab";
    let line = format!("Control socket connect({path}): Connection refused");
    let remedies = answer_to(&line, &seen(Vec::new())).remedies;
    let clean = remedies.iter().filter(|it| it.contains("muxtray clean"));
    assert!(
        clean
            .clone()
            .all(|it| it.ends_with("muxtray clean --managed")),
        "{remedies:?}"
    );
    assert_eq!(clean.count(), 1);
}
