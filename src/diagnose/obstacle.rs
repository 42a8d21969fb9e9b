//! The reason why no master can be used or started for a host.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tr::tr;

use super::commands;
use crate::model::control_path::ControlPath;
use crate::model::finding::{Finding, FindingId};
use crate::model::places::Host;
use crate::model::socket::{Snapshot, Socket};
use crate::model::state::State;
use crate::model::text;

/// Something that prevents multiplexing. Each text is one printable line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    pub evidence: String,
    /// `None` if only the message of ssh is known.
    pub remedy: Option<String>,
}

impl Obstacle {
    pub fn no_control_path(typed: &str) -> Self {
        let remedy = tr!(
            "put these before any other ControlMaster and ControlPath: {lines}",
            lines = "ControlMaster auto, ControlPath ~/.ssh/s/%C, ControlPersist 10m"
        );
        Self {
            evidence: tr!(
                "ssh has no ControlPath for {host}",
                host = text::line(typed)
            ),
            remedy: Some(tr!(
                "{remedy}; create its directory with: {command}",
                remedy,
                command = "mkdir -p -m 700 ~/.ssh ~/.ssh/s"
            )),
        }
    }

    /// The master of a jump host that is stranded.
    pub fn stranded_jump(jump: &Socket) -> Self {
        Self {
            evidence: tr!(
                "it jumps through {master}, which has lost its network connection",
                master = jump.title()
            ),
            remedy: commands::reconnect(jump).map(|command| tr!("first {command}", command)),
        }
    }

    /// A socket at the ControlPath that is no usable master.
    pub fn at(socket: &Socket) -> Self {
        let state = socket.state.word();
        match socket.findings.first() {
            Some(finding) => Self {
                evidence: tr!(
                    "{path} is {state}: {evidence}",
                    path = finding.subject,
                    state,
                    evidence = finding.evidence
                ),
                remedy: Some(finding.remedy.clone()),
            },
            None => Self {
                evidence: tr!("{path} is {state}", path = socket.path, state),
                remedy: Some(commands::way_out(socket).to_string()),
            },
        }
    }
}

/// Returns the obstacle of a running master that is, or may be, another host's. The remedy is that of the finding about
/// the path.
pub fn of_stranger(host: &Host, socket: &Socket, snapshot: &Snapshot) -> Option<Obstacle> {
    let stranger = socket.stranger(&host.alias.0)?;
    let mut findings = snapshot.findings.iter();
    let is_about_place = |id| matches!(id, FindingId::PathCollision | FindingId::PathNotPerHost);
    let finding =
        findings.find(|finding| is_about_place(finding.id) && finding.is_about(&socket.path));
    Some(Obstacle {
        evidence: format!("{}: {}", socket.path, stranger.evidence),
        remedy: finding.map(|finding| finding.remedy.clone()),
    })
}

impl From<&Finding> for Obstacle {
    fn from(finding: &Finding) -> Self {
        Self {
            evidence: format!("{}: {}", finding.subject, finding.evidence),
            remedy: Some(finding.remedy.clone()),
        }
    }
}

/// Returns the socket at the path. An orphan has no socket there.
pub fn socket_at<'a>(path: &ControlPath, snapshot: &'a Snapshot) -> Option<&'a Socket> {
    snapshot
        .sockets
        .iter()
        .find(|socket| socket.path == *path && !matches!(socket.state, State::Orphaned { .. }))
}

/// Returns the warnings and errors of a running master, of its path and directory, of the host, and of ssh.
pub fn findings<'a>(typed: &str, host: &Host, snapshot: &'a Snapshot) -> Vec<&'a Finding> {
    let path = host.control_path.as_ref();
    let is_about = |finding: &&Finding| {
        let mut hosts = finding.hosts.iter();
        hosts.any(|alias| alias.0 == typed || *alias == host.alias)
            || path.is_some_and(|path| finding.is_about(path))
            || finding.id == FindingId::SshMissing
    };
    let of_socket = snapshot
        .sockets
        .iter()
        .filter(|socket| Some(&socket.path) == path && socket.is_running())
        .flat_map(|socket| &socket.findings);
    of_socket
        .chain(snapshot.findings.iter().filter(is_about))
        .filter(|finding| finding.severity.is_problem())
        .collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// ssh failed; its last message, as one printable line.
    Refused(Option<String>),
    /// ssh was ended after this time; its last message.
    TimedOut(Duration, Option<String>),
    NoMaster(ControlPath),
    NotStarted(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Refused(Some(message)) => tr!("ssh failed: {message}", message),
            Self::Refused(None) => tr!("ssh failed and printed no reason"),
            Self::TimedOut(limit, message) => {
                let limit = humantime::format_duration(*limit);
                match message {
                    Some(message) => {
                        tr!(
                            "ssh timed out after {limit}; its last message: {message}",
                            limit,
                            message
                        )
                    }
                    None => tr!("ssh timed out after {limit}", limit),
                }
            }
            Self::NoMaster(path) => tr!("ssh connected, but started no master at {path}", path),
            Self::NotStarted(error) => tr!("ssh cannot be started: {error}", error),
        })
    }
}

#[cfg(test)]
mod tests;
