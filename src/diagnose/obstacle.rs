//! What stands in the way of a master for a host: what the snapshot knows of it, and why an ssh that was started
//! failed.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tr::tr;

use crate::decide::ending;
use crate::model::control_path::ControlPath;
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::places::Host;
use crate::model::socket::{Snapshot, Socket, State};
use crate::model::text;

/// What stands in the way of multiplexing, and what to do. Each one printable line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// What was seen.
    pub evidence: String,
    /// What to do; none where only ssh's own words are known.
    pub remedy: Option<String>,
}

impl Obstacle {
    /// Without a ControlPath there is nothing to share.
    #[must_use]
    pub fn no_control_path(typed: &str) -> Self {
        Self {
            evidence: tr!(
                "ssh has no ControlPath for {host}",
                host = text::line(typed)
            ),
            remedy: Some(tr!(
                "put these into its Host block: {lines}",
                lines = "ControlMaster auto, ControlPath ~/.ssh/s/%C, ControlPersist 10m"
            )),
        }
    }

    /// What stands at the ControlPath is no master to go through.
    #[must_use]
    pub fn at(socket: &Socket) -> Self {
        let (path, state) = (&socket.path, socket.state.word());
        match socket.findings.first() {
            Some(finding) => Self {
                evidence: tr!(
                    "{path} is {state}: {evidence}",
                    path,
                    state,
                    evidence = finding.evidence
                ),
                remedy: Some(finding.remedy.clone()),
            },
            None => Self {
                evidence: tr!("{path} is {state}", path, state),
                remedy: Some(ending::way_out(socket).to_string()),
            },
        }
    }
}

impl From<&Finding> for Obstacle {
    fn from(finding: &Finding) -> Self {
        Self {
            evidence: format!("{}: {}", finding.subject, finding.evidence),
            remedy: Some(finding.remedy.clone()),
        }
    }
}

/// What stands at the path. An orphan does not: it has no socket there.
#[must_use]
pub fn standing_at<'a>(path: &ControlPath, snapshot: &'a Snapshot) -> Option<&'a Socket> {
    snapshot
        .sockets
        .iter()
        .find(|socket| socket.path == *path && !matches!(socket.state, State::Orphaned { .. }))
}

/// What the snapshot knows against multiplexing to this host beside the socket itself: warnings and errors of its path,
/// its directory, the host and ssh.
#[must_use]
pub fn findings<'a>(typed: &str, host: &Host, snapshot: &'a Snapshot) -> Vec<&'a Finding> {
    let path = host.control_path.as_ref();
    let path_name = path.map(ToString::to_string);
    let directory = path.map(|path| text::path(path.directory()));
    let is_about = |finding: &Finding| {
        let subject = Some(&finding.subject);
        let is_host = finding
            .hosts
            .iter()
            .any(|alias| alias.0 == typed || *alias == host.alias);
        subject == path_name.as_ref()
            || subject == directory.as_ref()
            || is_host
            || finding.id == FindingId::SshMissing
    };
    let of_socket = snapshot
        .sockets
        .iter()
        .filter(|socket| Some(&socket.path) == path && socket.is_running())
        .flat_map(|socket| &socket.findings);
    of_socket
        .chain(snapshot.findings.iter().filter(|finding| is_about(finding)))
        .filter(|finding| finding.severity >= Severity::Warning)
        .collect()
}

/// Why a run did not reach the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// ssh gave up; its last line of substance, one printable line.
    Refused(Option<String>),
    /// It was ended after this long; its last line, where it had said anything.
    TimedOut(Duration, Option<String>),
    /// ssh connected as a master, and left none at this path.
    NoMaster(ControlPath),
    /// ssh could not be started: the system's words.
    NotStarted(String),
}

/// `Permission denied (publickey).`
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Some(said)) => f.write_str(&tr!("ssh said: {said}", said)),
            Self::Refused(None) => f.write_str(&tr!("ssh gave up and did not say why")),
            Self::TimedOut(limit, said) => {
                let limit = humantime::format_duration(*limit);
                f.write_str(&match said {
                    Some(said) => {
                        tr!("no end within {limit}; ssh said: {said}", limit, said)
                    }
                    None => tr!("no end within {limit}", limit),
                })
            }
            Self::NoMaster(path) => {
                f.write_str(&tr!("ssh connected, but made no master at {path}", path))
            }
            Self::NotStarted(error) => f.write_str(&tr!("ssh cannot be started: {error}", error)),
        }
    }
}

#[cfg(test)]
mod tests;
