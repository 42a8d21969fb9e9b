//! Answers a message that ssh printed: its meaning, the present state of the path, host and port in it, and what to do.

mod values;

use std::iter;

use tr::tr;

pub use values::Situation;
use values::{Values, path_of};

use super::ssh_messages::{Recognised, SshMessage, Subject};
use crate::model::control_path::{ControlPath, MAX_USABLE_BYTES};
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::port_holder::PortHolder;
use crate::model::socket::{Snapshot, Socket, State};
use crate::model::text::{self, translated};

/// The most masters that an answer lists.
const MAX_MASTERS: usize = 5;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The message, escaped.
    pub line: String,
    pub meaning: String,
    /// The present state, in sentences.
    pub now: Vec<String>,
    /// The present findings that can cause the message.
    pub findings: Vec<Finding>,
    /// The usual causes, unless the present state explains the message.
    pub causes: Vec<String>,
    /// The general remedies, unless a finding has a better one.
    pub remedies: Vec<String>,
}

impl Answer {
    /// Returns whether there is a warning or an error at present.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        has_problem(&self.findings)
    }
}

fn has_problem(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.severity >= Severity::Warning)
}

#[must_use]
pub fn answer(recognised: &Recognised, situation: &Situation<'_>) -> Answer {
    let message = recognised.message;
    let line = text::line(&recognised.line);
    let values = Values::of(recognised, situation);
    let remedies = |texts: &[&'static str]| -> Vec<String> {
        texts
            .iter()
            .filter_map(|remedy| values.fill(&translated(remedy)))
            .collect()
    };
    if recognised.subject == Subject::Other {
        let parts = iter::once(translated(message.meaning)).chain(remedies(message.remedies));
        let parts: Vec<String> = parts.collect();
        let meaning = tr!(
            "not about multiplexing or forwarding: {what}",
            what = parts.join("; ")
        );
        return Answer {
            line,
            meaning,
            ..Answer::default()
        };
    }

    let (mut now, findings) = state_now(recognised, situation);
    let mut is_explained = values.path.is_some() && has_problem(&findings);
    let mut own_remedies = Vec::new();
    if let Some(port) = recognised.port.filter(|_| names_port(message))
        && let Some(holders) = situation.ports.get(&port)
    {
        if holders.is_empty() {
            now.push(tr!("nothing listens on port {port}: connect again", port));
        }
        for holder in holders {
            let (state, remedies) = holder_now(holder, situation.snapshot);
            now.push(state);
            own_remedies.extend(remedies);
        }
        is_explained |= !holders.is_empty();
    }

    let general = if recognised.is_of_ansible && !message.remedies_in_ansible.is_empty() {
        message.remedies_in_ansible
    } else {
        message.remedies
    };
    let remedies = if own_remedies.is_empty() {
        if is_explained {
            Vec::new()
        } else {
            remedies(general)
        }
    } else {
        // The process is known, so nothing has to be searched.
        let others: Vec<_> = general
            .iter()
            .copied()
            .filter(|remedy| !remedy.contains("PORT") && !remedy.contains("muxtray exit"))
            .collect();
        own_remedies.extend(remedies(&others));
        own_remedies
    };
    let is_normal = message.remedies.is_empty() && !is_explained;
    Answer {
        line,
        meaning: translated(message.meaning),
        now,
        findings,
        causes: message
            .causes
            .iter()
            .filter(|_| !is_explained)
            .map(|cause| translated(cause))
            .collect(),
        remedies: if is_normal {
            vec![tr!("nothing to do")]
        } else {
            remedies
        },
    }
}

/// Whether the listener on the local port can be the cause.
fn names_port(message: &SshMessage) -> bool {
    message
        .remedies
        .iter()
        .any(|remedy| remedy.contains("sport = :PORT"))
}

/// Returns the state of the path or of all sockets, and the findings that can cause the message.
fn state_now(recognised: &Recognised, situation: &Situation<'_>) -> (Vec<String>, Vec<Finding>) {
    let (message, snapshot) = (recognised.message, situation.snapshot);
    let is_about_sessions = message.findings.contains(&FindingId::SessionsAtLimit);
    if let Some(path) = path_of(recognised, situation) {
        let exists = snapshot.sockets.iter().any(|socket| socket.path == path);
        let findings = findings_about(&path, message, snapshot);
        let is_in_message = recognised.path.is_some();
        let is_too_long = message.findings.contains(&FindingId::PathTooLong);
        // People shorten long paths before they show them.
        let is_shortened = is_too_long && !exists && path.len_bytes() <= MAX_USABLE_BYTES;
        let now = if is_in_message && !is_shortened || exists {
            vec![state_of_path(&path, is_too_long, &findings, snapshot)]
        } else {
            Vec::new()
        };
        return (now, findings);
    }
    let findings = findings_of(message.findings, snapshot);
    if message.findings.is_empty()
        || findings.is_empty() && recognised.subject == Subject::Forwarding && !is_about_sessions
    {
        return (Vec::new(), Vec::new());
    }
    let masters = masters(snapshot);
    let now = if is_about_sessions && !masters.is_empty() {
        masters
    } else {
        vec![match findings.len() {
            0 => tr!("the message names no path, and no such problem exists"),
            number => tr!("the message names no path; {n} such problem exists"
                | "the message names no path; {n} such problems exist" % number),
        }]
    };
    (now, findings)
}

/// Returns the running masters with sessions, those with the most first.
fn masters(snapshot: &Snapshot) -> Vec<String> {
    let sessions = |socket: &Socket| socket.carried().map_or(0, |carried| carried.sessions);
    let mut masters: Vec<&Socket> = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.is_running() && sessions(socket) > 0)
        .collect();
    masters.sort_by_key(|socket| std::cmp::Reverse(sessions(socket)));
    masters
        .into_iter()
        .take(MAX_MASTERS)
        .map(|socket| {
            tr!(
                "{name} is {state}",
                name = socket.title(),
                state = state_of_socket(socket)
            )
        })
        .collect()
}

/// Returns a sentence about the listener on a port, and how to end it.
fn holder_now(holder: &PortHolder, snapshot: &Snapshot) -> (String, Vec<String>) {
    let address = holder.address;
    let Some((pid, name)) = &holder.process else {
        let state = tr!(
            "{address} is held by a process of the user with id {uid}, or of a container",
            address,
            uid = holder.uid.0
        );
        let command = format!("sudo ss -ltnp 'sport = :{}'", address.port());
        return (state, vec![tr!("show the process: {command}", command)]);
    };
    let of_master = snapshot
        .sockets
        .iter()
        .find(|socket| socket.pid == Some(*pid));
    let Some(master) = of_master else {
        let state = tr!(
            "{address} is held by {program} (pid {pid})",
            address,
            program = text::line(name),
            pid = pid.0
        );
        return (
            state,
            vec![tr!(
                "end that process: {command}",
                command = format!("kill {}", pid.0)
            )],
        );
    };
    let state = tr!(
        "{address} is held by the master of {name} (pid {pid})",
        address,
        name = master.title(),
        pid = pid.0
    );
    let cancel = holder
        .forwarding
        .as_ref()
        .zip(master.hosts.first())
        .map(|(forwarding, host)| {
            let (option, value) = forwarding.split_once(' ').unwrap_or_default();
            let value = text::shell_word(value.as_ref());
            let host = text::shell_word(host.0.as_ref());
            // The host alone does not lead to its master if that has another path, or if the host is of a file of -F.
            let path = if master.argument == host {
                String::new()
            } else {
                // ssh expands %.
                format!("-S {} ", master.argument.replace('%', "%%"))
            };
            let command = format!("ssh {path}-O cancel {option} {value} {host}");
            tr!("cancel the forwarding: {command}", command)
        });
    let exit = format!("muxtray exit {}", master.argument);
    let end = tr!(
        "end that master with its forwardings: {command}",
        command = exit
    );
    (state, cancel.into_iter().chain([end]).collect())
}

/// Returns the problems of the socket, and the findings of its directory and hosts that can cause the message.
fn findings_about(path: &ControlPath, message: &SshMessage, snapshot: &Snapshot) -> Vec<Finding> {
    let can_cause = |finding: &&Finding| message.findings.contains(&finding.id);
    let of_sockets = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.path == *path)
        .flat_map(|socket| &socket.findings)
        .filter(|finding| finding.severity >= Severity::Warning || can_cause(finding));
    of_sockets
        .chain(
            snapshot
                .findings
                .iter()
                .filter(|finding| finding.is_about(path))
                .filter(can_cause),
        )
        .cloned()
        .collect()
}

fn findings_of(ids: &[FindingId], snapshot: &Snapshot) -> Vec<Finding> {
    let of_sockets = snapshot.sockets.iter().flat_map(|socket| &socket.findings);
    of_sockets
        .chain(&snapshot.findings)
        .filter(|finding| ids.contains(&finding.id))
        .cloned()
        .collect()
}

fn state_of_path(
    path: &ControlPath,
    is_too_long: bool,
    findings: &[Finding],
    snapshot: &Snapshot,
) -> String {
    // An orphaned master and its successor have the same path.
    let states = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.path == *path)
        .map(state_of_socket)
        .reduce(|states, state| tr!("{states}, and {state}", states, state));
    match states {
        Some(state) => tr!("{path} is {state}", path, state),
        None if is_too_long => tr!(
            "{path} is {n} byte long, the limit is {limit}"
                | "{path} is {n} bytes long, the limit is {limit}" % path.len_bytes(),
            path,
            limit = MAX_USABLE_BYTES
        ),
        None if has_problem(findings) => tr!("{path} does not exist", path),
        None => tr!("{path} does not exist, and no problem is known", path),
    }
}

fn state_of_socket(socket: &Socket) -> String {
    match (&socket.state, socket.carried_text(), socket.pid) {
        (State::Running, Some(carried), Some(pid)) => {
            tr!("running (pid {pid}) with {carried}", pid = pid.0, carried)
        }
        (State::Running, Some(carried), None) => tr!("running with {carried}", carried),
        (state, ..) => state.word(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::control_path::HostAlias;
    use crate::model::ids::UserId;
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
        let holder = |process: Option<(i32, &str)>, forwarding: Option<&str>| PortHolder {
            address: "127.0.0.1:1080".parse().unwrap(),
            uid: UserId(0),
            process: process.map(|(pid, name)| (MasterPid(pid), name.to_owned())),
            forwarding: forwarding.map(str::to_owned),
        };
        for (holders, now, remedies) in [
            (
                vec![holder(Some((3, "ssh")), Some("-D 1080"))],
                "127.0.0.1:1080 is held by the master of web (pid 3)",
                &[
                    "cancel the forwarding: ssh -O cancel -D 1080 web",
                    "end that master with its forwardings: muxtray exit web",
                ][..],
            ),
            (
                vec![holder(Some((3, "ssh")), None)],
                "127.0.0.1:1080 is held by the master of web (pid 3)",
                &["end that master with its forwardings: muxtray exit web"],
            ),
            (
                vec![holder(Some((5, "python3")), None)],
                "127.0.0.1:1080 is held by python3 (pid 5)",
                &["end that process: kill 5"],
            ),
            (
                vec![holder(None, None)],
                "127.0.0.1:1080 is held by a process of the user with id 0, or of a container",
                &["show the process: sudo ss -ltnp 'sport = :1080'"],
            ),
            (
                vec![],
                "nothing listens on port 1080: connect again",
                &["show the process that listens there: ss -ltnp 'sport = :1080'"],
            ),
        ] {
            let is_held = !holders.is_empty();
            let answer = answer_with(
                message,
                &with_sockets(vec![running(0, 3)]),
                &[],
                &[(1080, holders)],
            );
            assert_eq!(answer.now, [now]);
            assert_eq!(answer.remedies[..remedies.len()], *remedies);
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
}
