//! Answers a message that ssh printed: its meaning, and the present state of the path in it.

use tr::tr;

use super::ssh_messages::Recognised;
use crate::model::control_path::{ControlPath, MAX_USABLE_BYTES};
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::socket::{Snapshot, Socket, State};
use crate::model::text::{self, translated};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The message, escaped.
    pub line: String,
    pub meaning: String,
    /// The present state, as one sentence; `None` if the message has no known cause.
    pub now: Option<String>,
    /// The present findings that can cause the message.
    pub findings: Vec<Finding>,
    /// The general remedy, if no finding has a better one and the message names no path that is in order now.
    pub remedy: Option<String>,
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

/// Answers a message from a snapshot that was taken later and includes the message's path.
#[must_use]
pub fn answer(recognised: &Recognised, snapshot: &Snapshot) -> Answer {
    let message = recognised.message;
    let (now, findings) = match &recognised.path {
        Some(path) => {
            let findings = findings_about(path, snapshot);
            let is_too_long = message.causes.contains(&FindingId::PathTooLong);
            let now = state_of_path(path, is_too_long, &findings, snapshot);
            (Some(now), findings)
        }
        None => {
            let findings = findings_of(message.causes, snapshot);
            let now = (!message.causes.is_empty()).then(|| match findings.len() {
                0 => tr!("the message names no path, and no such problem exists"),
                number => tr!("the message names no path; {n} such problem exists"
                    | "the message names no path; {n} such problems exist" % number),
            });
            (now, findings)
        }
    };
    let has_own_remedy = recognised.path.is_some() || !findings.is_empty();
    Answer {
        line: text::line(&recognised.line),
        meaning: translated(message.meaning),
        now,
        findings,
        remedy: (!has_own_remedy).then(|| translated(message.remedy)),
    }
}

/// Returns the findings of the socket, of its directory, and of hosts with this ControlPath.
fn findings_about(path: &ControlPath, snapshot: &Snapshot) -> Vec<Finding> {
    let of_sockets = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.path == *path)
        .flat_map(|socket| &socket.findings);
    of_sockets
        .chain(
            snapshot
                .findings
                .iter()
                .filter(|finding| finding.is_about(path)),
        )
        .cloned()
        .collect()
}

fn findings_of(causes: &[FindingId], snapshot: &Snapshot) -> Vec<Finding> {
    let of_sockets = snapshot.sockets.iter().flat_map(|socket| &socket.findings);
    of_sockets
        .chain(&snapshot.findings)
        .filter(|finding| causes.contains(&finding.id))
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
        None => tr!(
            "{path} does not exist, and no problem is known: the next ssh starts a master if ControlMaster is set",
            path
        ),
    }
}

fn state_of_socket(socket: &Socket) -> String {
    match (&socket.state, socket.sessions, socket.pid) {
        (State::Running, Some(sessions), Some(pid)) => tr!(
            "running (pid {pid}) with {n} session"
                | "running (pid {pid}) with {n} sessions" % sessions,
            pid = pid.0
        ),
        (State::Running, Some(sessions), None) => {
            tr!("running with {n} session" | "running with {n} sessions" % sessions)
        }
        (state, ..) => state.word(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::{in_state, seen};
    use crate::model::socket::{Denied, MasterPid};
    use crate::present::ssh_messages::recognise;

    fn recognised(line: &str) -> Recognised {
        recognise(line).remove(0)
    }

    fn refused() -> Recognised {
        recognised("Control socket connect(/s/u@h-22): Connection refused")
    }

    fn with_findings(findings: Vec<Finding>) -> Snapshot {
        Snapshot {
            findings,
            ..seen(Vec::new())
        }
    }

    fn finding(id: FindingId, subject: &str, evidence: &str) -> Finding {
        Finding::new(id, subject, evidence, "do")
    }

    #[test]
    fn now_is_the_state_of_each_socket_at_the_path() {
        let running = |sessions, pid: Option<i32>| Socket {
            sessions,
            pid: pid.map(MasterPid),
            ..in_state(State::Running)
        };
        let orphan = || in_state(State::Orphaned { successor: true });
        for (sockets, now) in [
            (
                vec![running(Some(1), Some(4711))],
                "running (pid 4711) with 1 session",
            ),
            (vec![running(Some(2), None)], "running with 2 sessions"),
            (vec![running(None, Some(4711))], "running"),
            (vec![in_state(State::Denied(Denied::Look))], "denied"),
            (
                vec![orphan(), running(Some(0), Some(17))],
                "orphaned, and running (pid 17) with 0 sessions",
            ),
        ] {
            let snapshot = Snapshot {
                sockets,
                ..seen(Vec::new())
            };
            let answer = answer(&refused(), &snapshot);
            assert_eq!(answer.now, Some(format!("/s/u@h-22 is {now}")));
            assert!(!answer.is_wrong());
        }
    }

    #[test]
    fn an_absent_path_is_a_problem_only_with_a_warning() {
        let info = finding(FindingId::DirectoryInsecure, "/s", "seen")
            .with_paths(["/s"])
            .with_severity(Severity::Info);
        let warning = info.clone().with_severity(Severity::Warning);
        let no_problem = "/s/u@h-22 does not exist, and no problem is known: the next ssh starts a master if ControlMaster is set";
        for (findings, now, is_wrong) in [
            (vec![], no_problem, false),
            (vec![info], no_problem, false),
            (vec![warning], "/s/u@h-22 does not exist", true),
        ] {
            let answer = answer(&refused(), &with_findings(findings));
            assert_eq!(answer.now.as_deref(), Some(now));
            assert_eq!((answer.is_wrong(), answer.remedy.clone()), (is_wrong, None));
        }
        let path = format!("/{}", "x".repeat(96));
        let long = recognised(&format!("path \"{path}\" too long for Unix domain socket"));
        let now = answer(&long, &seen(Vec::new())).now.unwrap();
        assert!(now.ends_with("is 97 bytes long, the limit is 90"), "{now}");
    }

    #[test]
    fn findings_are_those_about_the_path() {
        let message = recognised("Control socket connect(/d/a): Connection refused");
        for (paths, is_about) in [
            (&["/d"][..], true),
            (&["/d/a"], true),
            (&["/", "/d"], true),
            (&["/d/b"], false),
            (&["/e", "/"], false),
            (&[], false),
        ] {
            let finding = finding(FindingId::DirectoryMissing, "subject", "seen").with_paths(paths);
            let findings = answer(&message, &with_findings(vec![finding])).findings;
            assert_eq!(!findings.is_empty(), is_about, "{paths:?}");
        }
    }

    #[test]
    fn a_message_without_a_path_has_every_finding_that_can_cause_it() {
        let limit = finding(FindingId::SessionsAtLimit, "/s/a", "10 sessions");
        let other = finding(FindingId::DirectoryMissing, "/s", "seen");
        let open = "\x1b[1mSession open refused by peer";
        for (line, number, now, has_remedy) in [
            (
                open,
                0,
                Some("the message names no path, and no such problem exists"),
                true,
            ),
            (
                open,
                1,
                Some("the message names no path; 1 such problem exists"),
                false,
            ),
            (
                open,
                2,
                Some("the message names no path; 2 such problems exist"),
                false,
            ),
            ("Shared connection to h closed.", 0, None, true),
        ] {
            let mut snapshot = with_findings(vec![limit.clone(); number]);
            snapshot.findings.push(other.clone());
            let answer = answer(&recognised(line), &snapshot);
            assert_eq!(answer.now.as_deref(), now, "{line}");
            assert_eq!(answer.findings, vec![limit.clone(); number]);
            assert_eq!(answer.remedy.is_some(), has_remedy);
            assert_eq!(answer.line, text::line(line));
        }
    }
}
