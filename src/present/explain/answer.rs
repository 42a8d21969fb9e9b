//! What to answer to a message: what it means, and what is true of its path now.

use tr::tr;

use super::{Kind, Message};
use crate::model::control_path::{ControlPath, MAX_USABLE_BYTES};
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::socket::{Snapshot, Socket, State};
use crate::model::text;

/// What there is to say to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The message, as one printable line.
    pub line: String,
    /// What it means.
    pub meaning: String,
    /// What is true now, in a sentence.
    pub now: String,
    /// What is wrong now that can be behind it, each with what it is about.
    pub findings: Vec<Finding>,
}

impl Answer {
    /// Whether something is wrong now.
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity >= Severity::Warning)
    }
}

/// Answers a message by a look that was taken after it. The look has to include the message's path.
#[must_use]
pub fn answer(message: &Message, snapshot: &Snapshot) -> Answer {
    let (now, findings) = match &message.path {
        Some(path) => at(path, message.kind, snapshot),
        None => anywhere(message.kind, snapshot),
    };
    Answer {
        line: text::line(&message.line),
        meaning: message.kind.meaning(),
        now,
        findings,
    }
}

/// What is true of the path that the message names.
fn at(path: &ControlPath, kind: Kind, snapshot: &Snapshot) -> (String, Vec<Finding>) {
    let sockets: Vec<&Socket> = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.path == *path)
        .collect();
    let directory = text::path(path.directory());
    let shown = path.to_string();
    let is_about = |finding: &&Finding| {
        finding.subject == directory
            || finding.evidence.contains(&directory) && is_of_directories(finding)
            || finding.subject == shown
            || finding.id == FindingId::PathTooLong && finding.evidence.contains(&shown)
    };
    let mut findings: Vec<Finding> = sockets
        .iter()
        .flat_map(|socket| socket.findings.iter().cloned())
        .collect();
    findings.extend(snapshot.findings.iter().filter(is_about).cloned());
    let state = match sockets.as_slice() {
        [] if matches!(kind, Kind::TooLong | Kind::ControlPathTooLong) => tr!(
            "{path} is {n} byte long, the limit is {limit}"
                | "{path} is {n} bytes long, the limit is {limit}" % path.len_bytes(),
            path = shown,
            limit = MAX_USABLE_BYTES
        ),
        [] if findings
            .iter()
            .any(|finding| finding.severity >= Severity::Warning) =>
        {
            tr!("nothing is at {path}", path = shown)
        }
        [] => tr!(
            "nothing is at {path}, and nothing is in the way: the next ssh makes a master by itself where \
             ControlMaster says so",
            path = shown
        ),
        [first, rest @ ..] => {
            let states = rest.iter().fold(state(first), |states, socket| {
                tr!("{states}, and {state}", states, state = state(socket))
            });
            tr!("{path} is {state}", path = shown, state = states)
        }
    };
    (state, findings)
}

fn is_of_directories(finding: &Finding) -> bool {
    finding.id.as_str().starts_with("directory-") || finding.id.as_str().starts_with("filesystem-")
}

fn state(socket: &Socket) -> String {
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

/// What can be behind a message that names no path: everything of its kind that is wrong anywhere.
fn anywhere(kind: Kind, snapshot: &Snapshot) -> (String, Vec<Finding>) {
    let of_sockets = snapshot.sockets.iter().flat_map(|socket| &socket.findings);
    let findings: Vec<Finding> = of_sockets
        .chain(&snapshot.findings)
        .filter(|finding| kind.findings().contains(&finding.id))
        .cloned()
        .collect();
    let now = match (kind, findings.len()) {
        (Kind::NoControlPath, _) => tr!(
            "to have one for every host, put this at the end of {file}: {lines}",
            file = "~/.ssh/config",
            lines = "Host *, ControlPath ~/.ssh/s/%C"
        ),
        (Kind::SharedClosed, _) => tr!("nothing is wrong"),
        (_, 0) => tr!("the line names no path, and nothing of this kind is wrong anywhere"),
        (_, number) => tr!("the line names no path; there is {n} finding of this kind"
            | "the line names no path; there are {n} findings of this kind" % number),
    };
    (now, findings)
}
