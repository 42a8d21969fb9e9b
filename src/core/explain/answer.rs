//! What to answer to a message: what it means, and what is true of its path now.

use super::{Kind, Message};
use crate::core::control_path::{ControlPath, MAX_USABLE_BYTES};
use crate::core::finding::{Finding, Severity};
use crate::core::socket::{Snapshot, Socket, State};
use crate::core::text;

/// What there is to say to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The message, as one printable line.
    pub line: String,
    /// What it means.
    pub meaning: &'static str,
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
            || finding.evidence.ends_with(&shown)
    };
    let mut findings: Vec<Finding> = sockets
        .iter()
        .flat_map(|socket| socket.findings.iter().cloned())
        .collect();
    findings.extend(snapshot.findings.iter().filter(is_about).cloned());
    let state = match sockets.as_slice() {
        [] if matches!(kind, Kind::TooLong | Kind::ControlPathTooLong) => format!(
            "{shown} is {} bytes long, the limit is {MAX_USABLE_BYTES}",
            path.len_bytes()
        ),
        [] => format!("nothing is at {shown}{}", nothing_there(&findings)),
        sockets => {
            let states: Vec<String> = sockets.iter().map(|socket| state(socket)).collect();
            format!("{shown} is {}", states.join(", and "))
        }
    };
    (state, findings)
}

fn is_of_directories(finding: &Finding) -> bool {
    finding.id.as_str().starts_with("directory-") || finding.id.as_str().starts_with("filesystem-")
}

fn nothing_there(findings: &[Finding]) -> &'static str {
    if findings
        .iter()
        .any(|finding| finding.severity >= Severity::Warning)
    {
        ""
    } else {
        ", and nothing is in the way: the next ssh makes a master by itself where ControlMaster says so"
    }
}

fn state(socket: &Socket) -> String {
    match (&socket.state, socket.sessions) {
        (State::Running, Some(sessions)) => {
            let pid = socket
                .pid
                .map_or_else(String::new, |pid| format!(" (pid {})", pid.0));
            format!("running{pid} with {}", text::count(sessions, "session"))
        }
        (state, _) => state.name().to_owned(),
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
        (Kind::NoControlPath, _) => {
            "to have one for every host, put this at the end of ~/.ssh/config: Host *, ControlPath ~/.ssh/s/%C"
                .to_owned()
        }
        (Kind::SharedClosed, _) => "nothing is wrong".to_owned(),
        (_, 0) => "the line names no path, and nothing of this kind is wrong anywhere".to_owned(),
        (_, number) => format!(
            "the line names no path; {} of this kind",
            match number {
                1 => "there is 1 finding".to_owned(),
                number => format!("there are {number} findings"),
            }
        ),
    };
    (now, findings)
}
