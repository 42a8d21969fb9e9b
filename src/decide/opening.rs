//! `muxtray open` and the menu's "Open master": what has to be done so that a master runs for a host, which hosts can
//! get one, and what is said of it. It starts nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use tr::tr;

use crate::decide::intent::SessionConsent;
use crate::diagnose::commands;
use crate::diagnose::obstacle::{self, Failure, Obstacle};
use crate::model::control_path::{ControlPath, HostAlias};
use crate::model::finding::FindingId;
use crate::model::places::{Host, Persist, Places};
use crate::model::recent::Recent;
use crate::model::socket::{MasterPid, Snapshot, Socket, State, Target};
use crate::model::text;

/// What to do so that a master runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Plan {
    /// One runs already, and answers as far as can be seen.
    Running(Box<Socket>),
    /// Start one.
    Start(Start),
    /// None can be started.
    Blocked(Obstacle),
}

/// A start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Where the master is to listen.
    pub path: ControlPath,
    /// What has to be done before.
    pub first: First,
    /// [`Host::asks`]
    pub asks: bool,
    /// [`Host::has_connect_timeout`]
    pub has_connect_timeout: bool,
}

/// What stands at the path, and has to go before another master can listen there: ssh would find its name taken, and
/// run on without a control socket (`muxserver_listen()` in mux.c).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// Nothing.
    Nothing,
    /// A socket that nobody listens on.
    Clean(Target),
    /// A master whose network is gone.
    End(Target),
}

/// Decides how a host, as `typed`, gets a master.
pub fn plan(typed: &str, host: &Host, snapshot: &Snapshot) -> Plan {
    let Some(path) = host.control_path.clone() else {
        return Plan::Blocked(Obstacle::no_control_path(typed));
    };
    let first = match obstacle::socket_at(&path, snapshot) {
        None => First::Nothing,
        Some(socket) => match &socket.state {
            State::Stale => First::Clean(socket.target()),
            State::Stranded(_) => First::End(socket.target()),
            State::Running | State::Suspect(_) => return Plan::Running(Box::new(socket.clone())),
            State::Unresponsive(_)
            | State::Misowned(_)
            | State::Foreign(_)
            | State::NotASocket(_)
            | State::Denied(_)
            | State::Leftover
            | State::Orphaned { .. }
            | State::Unverifiable(_) => return Plan::Blocked(Obstacle::at(socket)),
        },
    };
    let known = obstacle::findings(typed, host, snapshot);
    if let Some(finding) = known.into_iter().find(|finding| prevents(finding.id)) {
        return Plan::Blocked(Obstacle::from(finding));
    }
    Plan::Start(Start {
        path,
        first,
        asks: host.asks,
        has_connect_timeout: host.has_connect_timeout,
    })
}

/// Whether no master can begin to listen where this was found. Else a person would be asked for a passphrase in vain.
const fn prevents(id: FindingId) -> bool {
    matches!(
        id,
        FindingId::DirectoryMissing
            | FindingId::DirectoryNotWritable
            | FindingId::FilesystemUnsupported
            | FindingId::FilesystemFull
            | FindingId::PathTooLong
            | FindingId::SshMissing
    )
}

/// A master that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its process, where it has told.
    pub pid: Option<MasterPid>,
    /// From the start of ssh until it went to the background.
    pub took: Duration,
    /// What became of the master that was there before.
    pub before: Option<String>,
    /// Whether another ssh opened it at the same moment; ours has ended.
    pub by_other: bool,
}

/// `opened in 0.4 s, pid 4711`
impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = &self.before {
            write!(f, "{before}; ")?;
        }
        if self.by_other {
            f.write_str(&tr!("opened by another ssh at the same moment"))?;
        } else {
            let seconds = text::number(format_args!("{:.1}", self.took.as_secs_f64()));
            f.write_str(&tr!("opened in {seconds} s", seconds))?;
        }
        match self.pid {
            Some(pid) => f.write_str(&tr!(", pid {pid}", pid = pid.0)),
            None => Ok(()),
        }
    }
}

/// How long a master with this ControlPersist lasts that was opened without a session.
#[must_use]
pub fn lasts(persist: Persist) -> String {
    match persist {
        // `ssh -N` knows no last session to end with.
        Persist::No | Persist::Forever => tr!("it stays until it is told to exit"),
        Persist::Seconds(seconds) => tr!(
            "it ends after {time} without a session",
            time = humantime::format_duration(Duration::from_secs(u64::from(seconds)))
        ),
    }
}

/// What helps against a failed start, as far as ssh's words tell.
#[must_use]
pub fn way_out(failure: &Failure, host: &str) -> String {
    let host = text::shell_word(host.as_ref());
    let said = match failure {
        Failure::Refused(said) | Failure::TimedOut(_, said) => said.as_deref().unwrap_or_default(),
        Failure::NoMaster(_) | Failure::NotStarted(_) => "",
    };
    if said.contains("Host key verification failed") {
        tr!(
            "see its key once, in a terminal: {command}",
            command = format_args!("ssh {host}")
        )
    } else if said.contains("ssh_askpass") || said.contains("Permission denied") {
        tr!(
            "load its key into the agent (ssh-add), have an ssh-askpass program ask for it, or open it in a terminal: {command}",
            command = format_args!("muxtray open {host}")
        )
    } else {
        tr!(
            "{command} says more",
            command = format_args!("ssh -v {host}")
        )
    }
}

/// Ending a master whose network is gone and opening another, as one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconnect {
    /// What a row or button that does it says.
    pub label: String,
    /// For which host.
    pub host: HostAlias,
    /// The sessions that it closes.
    pub consent: SessionConsent,
}

/// What reconnecting this master would be; `None` where its network is not gone, or no host of the configuration leads
/// there.
#[must_use]
pub fn reconnect(socket: &Socket) -> Option<Reconnect> {
    let host = commands::host_to_reconnect(socket)?.clone();
    let sessions = socket.sessions_at_stake();
    Some(Reconnect {
        label: reconnect_label(sessions),
        host,
        consent: SessionConsent::to_close(sessions),
    })
}

/// What a row or button says that reconnects, closing so many sessions; `None`: they cannot be counted.
#[must_use]
pub fn reconnect_label(sessions: Option<u32>) -> String {
    match sessions {
        Some(0) => tr!("Reconnect"),
        Some(sessions) => {
            tr!("Reconnect, closing {n} session" | "Reconnect, closing {n} sessions" % sessions)
        }
        None => tr!("Reconnect, closing its sessions"),
    }
}

/// A host of the user's that has no master, for the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Openable {
    /// Its name.
    pub alias: HostAlias,
    /// Whether a master is being opened.
    pub is_opening: bool,
}

/// The hosts for which a master can be opened: those that multiplex and have none, one for each ControlPath, those first
/// that were used last and then in the order of the configuration. Those that are being opened are among them.
#[must_use]
pub fn openable(
    places: &Places,
    snapshot: &Snapshot,
    recent: &Recent,
    opening: &BTreeSet<HostAlias>,
) -> Vec<Openable> {
    // What stands at a path has rows of its own that say what to do; only a stale socket makes room for a master.
    let taken: BTreeSet<&ControlPath> = snapshot
        .sockets
        .iter()
        .filter(|socket| !matches!(socket.state, State::Stale | State::Orphaned { .. }))
        .map(|socket| &socket.path)
        .collect();
    // Every alias of a path counts as used when its master was.
    let mut ranks: BTreeMap<&ControlPath, usize> = BTreeMap::new();
    for host in &places.hosts {
        if let (Some(path), Some(rank)) = (&host.control_path, recent.rank(&host.alias)) {
            let best = ranks.entry(path).or_insert(rank);
            *best = rank.min(*best);
        }
    }
    let mut listed = BTreeSet::new();
    let mut hosts: Vec<(&Host, usize)> = places
        .own_hosts()
        .filter(|(host, path)| {
            host.multiplexes
                && places.other.as_ref() != Some(host)
                && (opening.contains(&host.alias) || !taken.contains(path))
                && listed.insert(*path)
        })
        .map(|(host, path)| (host, ranks.get(path).copied().unwrap_or(usize::MAX)))
        .collect();
    hosts.sort_by_key(|(_, rank)| *rank);
    let openable = |(host, _): (&Host, usize)| Openable {
        is_opening: opening.contains(&host.alias),
        alias: host.alias.clone(),
    };
    hosts.into_iter().map(openable).collect()
}

#[cfg(test)]
mod tests;
