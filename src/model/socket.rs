//! [`Socket`]: a control socket with its state and findings. [`Snapshot`]: all of them at one moment.

use std::time::SystemTime;

use tr::tr;

use super::carried::Carried;
use super::client::{self, Clients};
use super::control_path::{ControlPath, Destination, HostAlias};
use super::finding::{Finding, FindingId, Severity};
use super::forward::{Forward, RemoteForward};
use super::forwarding::Forwarding;
pub use super::ids::{Cookie, MasterPid, SocketId, Target, UserId};
use super::keep::KeptUntil;
use super::network::Verdict;
pub use super::observation::{
    Connect, Facts, File, FileKind, Filesystem, Holder, Listener, Observation, Orphan, Owner,
    Process, Stat, Table,
};
use super::places::Managed;
pub use super::state::{Denied, ForeignHolder, State, Unresponsive, Unverifiable};
use super::text;
use super::zone::{Clock, Zone};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// The path of the file; for an orphan, the path it was bound for.
    pub path: ControlPath,
    /// The TARGET of commands about this socket, as a shell word: a host alias if it names this socket alone, or else the
    /// path.
    pub argument: String,
    /// See [`super::places::Places::ssh_option`].
    pub ssh_option: String,
    pub state: State,
    /// `None` for an orphan, or if lstat failed.
    pub id: Option<SocketId>,
    pub cookie: Option<Cookie>,
    /// The hosts of its ControlPath that are the master's place, if that is known.
    pub hosts: Vec<HostAlias>,
    /// Whether the ControlPath of the hosts is another one: the master began with other settings or options.
    pub is_elsewhere: bool,
    pub strangers: Vec<Stranger>,
    pub destination: Option<Destination>,
    pub pid: Option<MasterPid>,
    /// Open multiplexed sessions; `None` if nobody listens or the kernel reports no number.
    pub sessions: Option<u32>,
    /// The processes of the sessions; `None` if they cannot be known.
    pub clients: Option<Clients>,
    /// Whether a muxtray keeps it open.
    pub is_kept: bool,
    /// How long this one does.
    pub kept_until: Option<KeptUntil>,
    pub own_session: bool,
    /// Connections that run through its forwardings; `None` if nobody listens or they cannot be counted.
    pub forwarded: Option<u32>,
    pub forwards: Vec<Forward>,
    /// Those that muxtray asked for.
    pub remote_forwards: Vec<RemoteForward>,
    /// Those that muxtray was asked for at its path, and that it does not have.
    pub earlier_forwards: Vec<Forwarding>,
    /// The titles of the masters whose connections run through sessions of this one (ProxyJump).
    pub jumping: Vec<String>,
    /// Whether it refuses every session and exit request: it would have to ask a person, and cannot
    /// ([`Places::nobody_confirms`](super::places::Places)).
    pub refuses: bool,
    pub owner: Option<Owner>,
    pub mode: Option<u32>,
    /// The time of the bind; for an orphan, of the start of its process.
    pub since: Option<SystemTime>,
    /// ControlPersist of the host in seconds; 0 is without limit, `None` is "no" or unknown.
    pub persist_secs: Option<u32>,
    /// ControlPersist of the master: that of its arguments, or else of the host.
    pub own_persist_secs: Option<u32>,
    /// When ControlPersist ends it; `None` while it is used, and where that is unknown.
    pub ends_at: Option<SystemTime>,
    pub managed_by: Option<Managed>,
    pub network: Option<Verdict>,
    pub findings: Vec<Finding>,
}

/// A host with the ControlPath of a master that is, or may be, another place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    pub host: HostAlias,
    /// Whose master it is, and the values that differ.
    pub evidence: String,
}

impl Socket {
    /// Returns the connections that end with the master; `None` if they cannot be counted.
    pub fn carried(&self) -> Option<Carried> {
        Some(Carried {
            sessions: self.sessions? + u32::from(self.own_session),
            forwarded: self.forwarded?,
        })
    }

    /// `2 sessions, 1 forwarded connection, the master db jumps through it`; `None` if it cannot be counted.
    pub fn carried_text(&self) -> Option<String> {
        let carried = self.carried()?.to_string();
        Some(text::list([carried].into_iter().chain(self.jumping_text())))
    }

    /// Whether sessions or forwarded connections are open that can end without an event: the end of a known process is
    /// one.
    pub fn changes_without_event(&self) -> bool {
        let are_known = self.clients.as_ref().is_some_and(Clients::are_known);
        (self.sessions > Some(0) && !are_known) || self.forwarded > Some(0)
    }

    /// `kept open until 15:32`; `None` if no muxtray keeps it.
    pub fn kept_text(&self, clock: Clock<'_>) -> Option<String> {
        match self.kept_until {
            Some(KeptUntil::Time(time)) => {
                let time = clock.time(time);
                Some(tr!("kept open until {time}", time))
            }
            Some(KeptUntil::Quit) => Some(tr!("kept open until muxtray quits")),
            None => self.is_kept.then(|| tr!("kept open by another muxtray")),
        }
    }

    /// `idle, ends at 14:32`; `None` if it is used, and where that is unknown.
    pub fn end_text(&self, clock: Clock<'_>) -> Option<String> {
        let time = clock.time(self.ends_at?);
        Some(tr!("idle, ends at {time}", time))
    }

    /// Returns one text for each session, if their processes are known: `ssh on pts/4 for 2 h`.
    pub fn session_texts(&self, at: SystemTime) -> Vec<String> {
        client::session_texts(self.clients.as_ref(), self.own_session, at)
    }

    /// `the master db jumps through it`; `None` if no master does.
    pub fn jumping_text(&self) -> Option<String> {
        let masters = self.jumping.iter();
        let texts = masters.map(|master| tr!("the master {master} jumps through it", master));
        (!self.jumping.is_empty()).then(|| text::list(texts))
    }

    /// Returns the number of masters that its connection runs through.
    pub fn jumps(&self) -> usize {
        let verdict = self.network.as_ref();
        verdict.map_or(0, |verdict| verdict.connection.through.len())
    }

    /// Returns one line for each forwarding, and one for those beyond `limit`.
    pub fn forward_lines(&self, limit: usize) -> Vec<String> {
        let local = self.forwards.iter().map(ToString::to_string);
        let remote = self.remote_forwards.iter().map(ToString::to_string);
        let mut lines: Vec<String> = local.chain(remote).collect();
        if lines.len() > limit {
            let others = lines.len() - limit;
            lines.truncate(limit);
            lines.push(tr!(
                "and {n} more forwarding" | "and {n} more forwardings" % others
            ));
        }
        lines
    }

    /// Returns the forwardings for one line; `None` if there are none.
    pub fn forwards_text(&self) -> Option<String> {
        const MAX: usize = 3;
        let lines = self.forward_lines(MAX);
        (!lines.is_empty()).then(|| text::list(lines))
    }

    pub fn stranger(&self, host: &str) -> Option<&Stranger> {
        let mut strangers = self.strangers.iter();
        strangers.find(|stranger| stranger.host.0 == host)
    }

    /// Returns the host aliases, or else the destination, or else the path.
    pub fn title(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        match &self.destination {
            _ if !hosts.is_empty() => hosts.join(", "),
            Some(destination) => destination.to_string(),
            None => self.path.to_string(),
        }
    }

    pub const fn is_running(&self) -> bool {
        self.state.is_running()
    }

    /// Whether it is no master of another program, and is at the ControlPath of its hosts.
    pub const fn is_own_at_control_path(&self) -> bool {
        self.managed_by.is_none() && !self.is_elsewhere
    }

    pub fn eq_ignoring_age(&self, other: &Self) -> bool {
        let without_ages = |socket: &Self| {
            let mut socket = socket.clone();
            socket.network = None;
            for finding in &mut socket.findings {
                if matches!(finding.id, FindingId::Suspect | FindingId::Stranded) {
                    finding.evidence.clear();
                }
            }
            socket
        };
        self == other || without_ages(self) == without_ages(other)
    }

    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    pub fn is_problem(&self) -> bool {
        self.worst().is_some_and(Severity::is_problem)
    }

    /// Equal for the names of one master; without a listener, for one path.
    pub fn identity(&self) -> (Option<Cookie>, Option<ControlPath>) {
        let path = self.cookie.is_none().then(|| self.path.clone());
        (self.cookie, path)
    }

    pub fn target(&self) -> Target {
        Target {
            path: self.path.clone(),
            id: self.id,
            cookie: self.cookie,
        }
    }
}

/// Everything that is known at one moment. Tables, JSON and menus are made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub at: SystemTime,
    /// Known if a time is to be shown.
    pub zone: Zone,
    pub sockets: Vec<Socket>,
    pub findings: Vec<Finding>,
    /// Files that an interrupted `clean` has renamed. They are settled without a new request; one that nobody listens on
    /// is also in `sockets`, as a leftover.
    pub asides: Vec<Target>,
}

impl Snapshot {
    pub fn clock(&self) -> Clock<'_> {
        Clock {
            at: self.at,
            zone: &self.zone,
        }
    }

    /// Returns the socket of the target if its file and listener are still the same.
    pub fn find(&self, target: &Target) -> Option<&Socket> {
        self.sockets.iter().find(|socket| {
            socket.path == target.path && socket.id == target.id && socket.cookie == target.cookie
        })
    }

    /// Returns the findings of the sockets with their sockets, and then the other findings.
    pub fn all_findings(&self) -> impl Iterator<Item = (&Finding, Option<&Socket>)> {
        let of_sockets = self.sockets.iter().flat_map(|socket| {
            let findings = socket.findings.iter();
            findings.map(move |finding| (finding, Some(socket)))
        });
        of_sockets.chain(self.findings.iter().map(|finding| (finding, None)))
    }

    /// Returns the highest severity of all findings, which decides the exit status.
    pub fn worst(&self) -> Option<Severity> {
        let findings = self.all_findings();
        findings.map(|(finding, _)| finding.severity).max()
    }

    /// Whether both are equal but for their time and the age of their network facts.
    pub fn eq_ignoring_age(&self, other: &Self) -> bool {
        let mut pairs = self.sockets.iter().zip(&other.sockets);
        self.sockets.len() == other.sockets.len()
            && pairs.all(|(one, other)| one.eq_ignoring_age(other))
            && self.findings == other.findings
            && self.asides == other.asides
    }
}

#[cfg(test)]
mod tests;
