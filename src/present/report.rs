//! The report: the only serialised types. `list --json` and `doctor --json` print it; its names are a promise
//! (`schema`), so it is kept apart from the types the program thinks in.

use std::time::SystemTime;

use serde::Serialize;

use crate::model::finding::{Finding, Severity};
use crate::model::network::Verdict;
use crate::model::places::Managed;
use crate::model::socket::{Snapshot, Socket};
use crate::model::text;

/// The version of the format. Fields may be added to it; none is renamed or removed.
pub const SCHEMA: u32 = 1;

/// Everything one look found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Every socket, problems first.
    pub sockets: Vec<SocketReport>,
    /// What is wrong with directories, hosts and configuration.
    pub findings: Vec<Finding>,
}

/// One socket. Unknown values are null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SocketReport {
    /// Its path; bytes that are no UTF-8 as `\x…`.
    pub path: String,
    /// Its state's name.
    pub state: &'static str,
    /// The configured aliases that use it.
    pub hosts: Vec<String>,
    /// `user@host:port`.
    pub destination: Option<String>,
    /// The master's process.
    pub pid: Option<i32>,
    /// Multiplexed sessions that are open.
    pub sessions: Option<u32>,
    /// Whether the master has a session of its own beside those; `exit` counts it.
    pub own_session: bool,
    /// Who owns the file.
    pub owner: Option<OwnerReport>,
    /// Its permission bits, octal.
    pub mode: Option<String>,
    /// Since when it is there, RFC 3339, UTC.
    pub since: Option<String>,
    /// ControlPersist in seconds; 0 is for ever, null is no or unknown.
    pub persist_secs: Option<u32>,
    /// The program it belongs to.
    pub managed_by: Option<Managed>,
    /// What is known of the network behind it; null where its connection was not found for certain.
    pub network: Option<NetworkReport>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// The TCP connection of a master, or of its ProxyCommand or ProxyJump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkReport {
    /// `well`, `suspect` or `stranded`.
    pub state: &'static str,
    /// Our end, `address:port`.
    pub local: String,
    /// The other end.
    pub remote: String,
    /// The program that holds it in the master's stead.
    pub proxy: Option<String>,
    /// The smoothed round trip in microseconds.
    pub round_trip_us: u64,
    /// How long ago anything last came, in seconds, the sleep of the machine not counted.
    pub last_heard_secs: u64,
    /// How long data has been waiting for an answer, in seconds, where it had to be sent again.
    pub unanswered_secs: Option<u64>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnerReport {
    /// The id.
    pub uid: u32,
    /// The name.
    pub name: Option<String>,
}

impl Report {
    /// The worst there is, which decides the exit status.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        let of_sockets = self.sockets.iter().flat_map(|socket| &socket.findings);
        of_sockets
            .chain(&self.findings)
            .map(|finding| finding.severity)
            .max()
    }
}

impl From<&Snapshot> for Report {
    fn from(snapshot: &Snapshot) -> Self {
        Self {
            schema: SCHEMA,
            sockets: snapshot.sockets.iter().map(SocketReport::from).collect(),
            findings: snapshot.findings.clone(),
        }
    }
}

impl From<&Socket> for SocketReport {
    fn from(socket: &Socket) -> Self {
        let path = socket.path.as_path();
        Self {
            path: path
                .to_str()
                .map_or_else(|| text::path(path), str::to_owned),
            state: socket.state.name(),
            hosts: socket.hosts.iter().map(|alias| alias.0.clone()).collect(),
            destination: socket.destination.as_ref().map(ToString::to_string),
            pid: socket.pid.map(|pid| pid.0),
            sessions: socket.sessions,
            own_session: socket.own_session,
            owner: socket.owner.as_ref().map(|owner| OwnerReport {
                uid: owner.uid.0,
                name: owner.name.clone(),
            }),
            mode: socket.mode.map(|mode| format!("{mode:04o}")),
            since: socket.since.map(rfc3339),
            persist_secs: socket.persist_secs,
            managed_by: socket.managed_by,
            network: socket.network.as_ref().map(NetworkReport::from),
            findings: socket.findings.clone(),
        }
    }
}

impl From<&Verdict> for NetworkReport {
    fn from(verdict: &Verdict) -> Self {
        let connection = &verdict.connection;
        let round_trip = connection.numbers.round_trip.as_micros();
        Self {
            state: verdict.judgement.name(),
            local: connection.local.to_string(),
            remote: connection.remote.to_string(),
            proxy: connection.proxy.clone(),
            round_trip_us: u64::try_from(round_trip).unwrap_or(u64::MAX),
            last_heard_secs: connection.numbers.last_heard().as_secs(),
            unanswered_secs: verdict.unanswered.map(|unanswered| unanswered.as_secs()),
        }
    }
}

/// The time to the second; a time before the epoch, which a file can have, as the epoch.
fn rfc3339(time: SystemTime) -> String {
    let since_epoch = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since_epoch).to_string()
}

#[cfg(test)]
mod tests;
