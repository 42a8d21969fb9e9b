//! A judged control socket, and everything that is known at one moment.

use std::time::SystemTime;

use super::control_path::{ControlPath, Destination, HostAlias};
use super::finding::{Finding, FindingId, Severity};
pub use super::ids::{Cookie, MasterPid, SocketId, Target, UserId};
use super::network::Verdict;
pub use super::observation::{
    Connect, File, FileKind, Filesystem, Holder, Listener, Look, Observation, Orphan, Owner,
    Process, Stat, Table,
};
use super::places::Managed;
pub use super::state::{Denied, ForeignHolder, State, Unresponsive, Unverifiable};

/// One control socket, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Where it is, or for an orphan where it was.
    pub path: ControlPath,
    /// The judgement.
    pub state: State,
    /// Which file it was made of; none for an orphan or what could not be looked at.
    pub id: Option<SocketId>,
    /// Which listener it was made of.
    pub cookie: Option<Cookie>,
    /// The configured host aliases whose ControlPath this is.
    pub hosts: Vec<HostAlias>,
    /// Where it leads, where that is known.
    pub destination: Option<Destination>,
    /// The master's process.
    pub pid: Option<MasterPid>,
    /// Multiplexed sessions that are open; `None` where nobody listens or the kernel does not tell.
    pub sessions: Option<u32>,
    /// Whether the master carries a session of its own beside those.
    pub own_session: bool,
    /// Who owns the file.
    pub owner: Option<Owner>,
    /// Its permission bits.
    pub mode: Option<u32>,
    /// Since when it is there.
    pub since: Option<SystemTime>,
    /// ControlPersist of its host in seconds; 0 is "for ever"; `None` is "no" or unknown.
    pub persist_secs: Option<u32>,
    /// The program it belongs to, where that is not the user's own configuration.
    pub managed_by: Option<Managed>,
    /// What is known of the network behind it, where the connection was found.
    pub network: Option<Verdict>,
    /// What is wrong with it; the state's own finding first.
    pub findings: Vec<Finding>,
}

impl Socket {
    /// Every session that ends with the master: the multiplexed ones and its own. `None` where they cannot be
    /// counted.
    #[must_use]
    pub fn sessions_at_stake(&self) -> Option<u32> {
        self.sessions
            .map(|multiplexed| multiplexed + u32::from(self.own_session))
    }

    /// What a person calls it: its host aliases, else where it leads, else its path.
    #[must_use]
    pub fn title(&self) -> String {
        if self.hosts.is_empty() {
            self.destination
                .as_ref()
                .map_or_else(|| self.path.to_string(), ToString::to_string)
        } else {
            let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
            hosts.join(", ")
        }
    }

    /// Whether a master listens there that can be asked something, whatever its network does.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(
            self.state,
            State::Running | State::Suspect(_) | State::Stranded(_)
        )
    }

    /// Whether nothing changed but the age of what is known of its network.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let is_same_finding = |(one, other): (&Finding, &Finding)| match one.id {
            FindingId::Suspect | FindingId::Stranded => {
                one.id == other.id && one.subject == other.subject && one.remedy == other.remedy
            }
            _ => one == other,
        };
        let Self {
            path,
            state,
            id,
            cookie,
            hosts,
            destination,
            pid,
            sessions,
            own_session,
            owner,
            mode,
            since,
            persist_secs,
            managed_by,
            network: _,
            findings,
        } = self;
        *path == other.path
            && *state == other.state
            && *id == other.id
            && *cookie == other.cookie
            && *hosts == other.hosts
            && *destination == other.destination
            && *pid == other.pid
            && *sessions == other.sessions
            && *own_session == other.own_session
            && *owner == other.owner
            && *mode == other.mode
            && *since == other.since
            && *persist_secs == other.persist_secs
            && *managed_by == other.managed_by
            && findings.len() == other.findings.len()
            && findings.iter().zip(&other.findings).all(is_same_finding)
    }

    /// The severity of the worst that is wrong with it.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Whether something is wrong with it that a person should see first.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        self.worst() >= Some(Severity::Warning)
    }

    /// What an action on this socket must still find there.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            path: self.path.clone(),
            id: self.id,
            cookie: self.cookie,
        }
    }
}

/// Everything that is known at one moment: what all renderings are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// When the look was taken.
    pub at: SystemTime,
    /// Every socket, problems first, then by path.
    pub sockets: Vec<Socket>,
    /// What is wrong with directories, hosts and configuration.
    pub findings: Vec<Finding>,
    /// Files that a clean of muxtray's own took aside and did not live to remove or put back. Settling them finishes
    /// what was asked for then; one that nobody listens on is among the sockets too, as a leftover.
    pub asides: Vec<Target>,
}

impl Snapshot {
    /// The socket that a target was made of, if it is still the same.
    #[must_use]
    pub fn find(&self, target: &Target) -> Option<&Socket> {
        self.sockets.iter().find(|socket| {
            socket.path == target.path && socket.id == target.id && socket.cookie == target.cookie
        })
    }

    /// Whether nothing changed but the time of the look, and what only ages with it.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let pairs = self.sockets.iter().zip(&other.sockets);
        self.sockets.len() == other.sockets.len()
            && pairs
                .into_iter()
                .all(|(one, other)| one.says_the_same(other))
            && self.findings == other.findings
            && self.asides == other.asides
    }
}

#[cfg(test)]
mod tests;
