//! The judgement: what was seen, in; states and findings, out.
//!
//! It knows what each combination of facts proves (see "Stale sockets" and "Who is listening" in mux.c's terms:
//! a refused connect proves that nobody listens, but only on a local filesystem and only for a finished name) and
//! what to say of it. It does not know how the facts were got.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

use super::control_path::{ControlPath, Destination, MAX_USABLE_BYTES};
use super::finding::{Finding, FindingId, Severity};
use super::network::{self, Facts, Judgement};
use super::places::{Host, Origin, Places};
use super::remedy;
use super::socket::{
    Connect, Cookie, Denied, File, Filesystem, ForeignHolder, Holder, Listener, Look, Observation,
    Orphan, Owner, Process, Snapshot, Socket, Stat, State, Target, Unresponsive, Unverifiable,
    UserId,
};

/// How long connections may wait unaccepted before a master counts as wedged. A healthy one accepts within
/// milliseconds; it is as long as the deadline of an alive check.
pub const STUCK_AFTER: Duration = Duration::from_secs(2);

/// How old a refused temporary name must be. Between bind and link a starting master's name refuses too.
pub const LEFTOVER_AFTER: Duration = Duration::from_secs(60);

/// What the judgement needs beside the look itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Whose sockets are "ours".
    pub uid: UserId,
    /// Names for the user ids that occur.
    pub users: &'a BTreeMap<UserId, String>,
    /// Where sockets can be, and whose they are.
    pub places: &'a Places,
    /// What earlier looks and checks tell of the listeners, this look included.
    pub history: &'a History,
}

/// What one look alone cannot tell of a listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    now: Option<Instant>,
    backlog_since: BTreeMap<Cookie, Instant>,
    silent: BTreeSet<Cookie>,
    network: network::Memory,
}

impl History {
    /// The history after a look taken at `now`: listeners that are gone are forgotten, and a backlog that was
    /// seen empty once begins anew.
    #[must_use]
    pub fn after(self, look: &Look, now: Instant) -> Self {
        let listeners: BTreeMap<Cookie, u32> = listeners(look)
            .filter_map(|listener| listener.cookie.map(|cookie| (cookie, listener.backlog)))
            .collect();
        let backlog_since = listeners
            .iter()
            .filter(|(_, backlog)| **backlog > 0)
            .map(|(cookie, _)| {
                (
                    *cookie,
                    self.backlog_since.get(cookie).copied().unwrap_or(now),
                )
            })
            .collect();
        let silent = self
            .silent
            .into_iter()
            .filter(|cookie| listeners.contains_key(cookie))
            .collect();
        Self {
            now: Some(now),
            backlog_since,
            silent,
            network: self.network,
        }
    }

    /// The history with what that look found of the networks behind the masters.
    #[must_use]
    pub fn after_network(mut self, facts: Facts, now: Instant) -> Self {
        self.network = self.network.after(facts, now);
        self
    }

    /// The history after an alive check of this listener that was or was not answered in time.
    #[must_use]
    pub fn after_check(mut self, cookie: Cookie, answered: bool) -> Self {
        if answered {
            self.silent.remove(&cookie);
        } else {
            self.silent.insert(cookie);
        }
        self
    }

    /// When to look again because a backlog may turn out to be stuck; `None` when nothing waits that is not
    /// judged already.
    #[must_use]
    pub fn look_again_at(&self) -> Option<Instant> {
        let now = self.now?;
        self.backlog_since
            .values()
            .map(|since| *since + STUCK_AFTER)
            .filter(|due| *due > now)
            .min()
    }

    fn is_stuck(&self, cookie: Option<Cookie>) -> bool {
        match (
            self.now,
            cookie.and_then(|cookie| self.backlog_since.get(&cookie)),
        ) {
            (Some(now), Some(since)) => now.duration_since(*since) >= STUCK_AFTER,
            _ => false,
        }
    }

    fn is_silent(&self, cookie: Option<Cookie>) -> bool {
        cookie.is_some_and(|cookie| self.silent.contains(&cookie))
    }
}

fn listeners(look: &Look) -> impl Iterator<Item = &Listener> {
    let observed = look
        .observations
        .iter()
        .filter_map(|observation| observation.listener.as_ref());
    observed.chain(look.orphans.iter().map(|orphan| &orphan.listener))
}

/// Judges everything one look saw.
#[must_use]
pub fn snapshot(look: &Look, context: Context<'_>) -> Snapshot {
    let observed = look
        .observations
        .iter()
        .filter_map(|observation| judge(observation, look.at, context));
    let orphaned = look
        .orphans
        .iter()
        .map(|orphan| judge_orphan(orphan, context));
    let mut sockets: Vec<Socket> = observed
        .chain(orphaned)
        .filter(|socket| !context.places.ignores(&socket.path))
        .collect();
    sockets.sort_by_cached_key(|socket| {
        let rank = socket.worst().filter(|severity| *severity > Severity::Info);
        (
            std::cmp::Reverse(rank),
            socket.title(),
            socket.path.clone(),
            socket.cookie,
        )
    });
    let mut findings = context.places.findings.clone();
    findings.extend(context.places.hosts.iter().filter_map(path_too_long));
    findings.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| (a.id, &a.subject).cmp(&(b.id, &b.subject)))
    });
    let asides = look
        .observations
        .iter()
        .filter_map(|observation| aside(observation, context));
    Snapshot {
        at: look.at,
        sockets,
        findings,
        asides: asides.collect(),
    }
}

/// A socket of ours that a clean which broke off has left under its own name, whether or not somebody listens.
fn aside(observation: &Observation, context: Context<'_>) -> Option<Target> {
    match (&observation.origin, &observation.file) {
        (Origin::Aside, File::Socket(stat)) if stat.uid == context.uid => Some(Target {
            path: observation.path.clone(),
            id: Some(stat.id),
            cookie: observation
                .listener
                .as_ref()
                .and_then(|listener| listener.cookie),
        }),
        _ => None,
    }
}

/// A host whose master could not make its socket.
fn path_too_long(host: &Host) -> Option<Finding> {
    let path = host.control_path.as_ref()?;
    let length = path.len_bytes();
    (length > MAX_USABLE_BYTES).then(|| {
        Finding::new(
            FindingId::PathTooLong,
            format!("host {}", host.alias),
            format!(
                "its ControlPath expands to {length} bytes, the limit is {MAX_USABLE_BYTES}: {path}"
            ),
            "use a shorter one, such as: ControlPath ~/.ssh/s/%C",
        )
    })
}

/// One socket, or nothing where there is nothing to say: no file, a start under way, another user's file in a
/// shared directory, a file that only a vague pattern matches.
#[must_use]
pub fn judge(observation: &Observation, at: SystemTime, context: Context<'_>) -> Option<Socket> {
    let state = state(observation, at, context)?;
    let stat = match &observation.file {
        File::Socket(stat) | File::Other(_, stat) => Some(stat),
        File::Missing | File::Denied | File::Failed(_) => None,
    };
    let since = stat.map(|stat| stat.modified);
    let listener = observation.listener.as_ref();
    let mut socket = socket(&observation.path, state, stat, listener, since, context);
    if let (State::Running, Some(verdict)) = (&socket.state, &socket.network) {
        socket.state = match verdict.judgement {
            Judgement::Well => State::Running,
            Judgement::Suspect(doubt) => State::Suspect(doubt),
            Judgement::Stranded(cause) => State::Stranded(cause),
        };
    }
    socket.findings = remedy::findings(&socket, observation.listener.is_some());
    Some(socket)
}

fn judge_orphan(orphan: &Orphan, context: Context<'_>) -> Socket {
    let state = State::Orphaned {
        successor: orphan.successor,
    };
    let since = process(&orphan.listener).and_then(|process| process.started);
    let mut socket = socket(
        &orphan.path,
        state,
        None,
        Some(&orphan.listener),
        since,
        context,
    );
    socket.findings = remedy::findings(&socket, true);
    socket
}

fn state(observation: &Observation, at: SystemTime, context: Context<'_>) -> Option<State> {
    let owner = |uid: UserId| Owner {
        uid,
        name: context.users.get(&uid).cloned(),
    };
    match &observation.file {
        File::Missing => None,
        File::Denied => Some(State::Denied(Denied::Look)),
        File::Failed(cause) => match observation.origin {
            Origin::Exact => Some(State::Unverifiable(Unverifiable::Failed(cause.clone()))),
            Origin::Pattern
            | Origin::VaguePattern
            | Origin::Temporary
            | Origin::Aside
            | Origin::Kernel => None,
        },
        File::Other(kind, stat) => match observation.origin {
            Origin::Exact => Some(State::NotASocket(*kind)),
            Origin::Pattern if stat.uid == context.uid || !observation.shared_directory => {
                Some(State::NotASocket(*kind))
            }
            Origin::Pattern
            | Origin::VaguePattern
            | Origin::Temporary
            | Origin::Aside
            | Origin::Kernel => None,
        },
        File::Socket(stat) if stat.uid != context.uid => match observation.origin {
            Origin::Exact => Some(State::Misowned(owner(stat.uid))),
            Origin::Pattern | Origin::Kernel if !observation.shared_directory => {
                Some(State::Misowned(owner(stat.uid)))
            }
            // A colleague's socket in /tmp is none of our business.
            Origin::Pattern
            | Origin::Kernel
            | Origin::VaguePattern
            | Origin::Temporary
            | Origin::Aside => None,
        },
        File::Socket(stat) => match &observation.listener {
            Some(listener) => with_listener(observation.origin, stat, listener, owner, context),
            None => without_listener(observation, stat, at),
        },
    }
}

fn with_listener(
    origin: Origin,
    stat: &Stat,
    listener: &Listener,
    owner: impl Fn(UserId) -> Owner,
    context: Context<'_>,
) -> Option<State> {
    let process = match &listener.holder {
        Holder::Ssh(process) => Some(process),
        Holder::Other(process) => {
            let program = ForeignHolder::Program {
                name: process.name.clone(),
                pid: process.pid,
            };
            return (origin != Origin::VaguePattern).then_some(State::Foreign(program));
        }
        Holder::Unknown => match listener.uid {
            Some(uid) if uid != context.uid => {
                let user = ForeignHolder::User(owner(uid));
                return (origin != Origin::VaguePattern).then_some(State::Foreign(user));
            }
            Some(_) | None => None,
        },
    };
    match origin {
        // Listening under its temporary name, or under the name `clean` gave it: about to be linked or put back.
        Origin::Temporary | Origin::Aside => None,
        Origin::Exact | Origin::Pattern | Origin::VaguePattern | Origin::Kernel => {
            Some(if stat.mode & 0o200 == 0 && context.uid != UserId(0) {
                State::Denied(Denied::Connect)
            } else if process.is_some_and(|process| process.stopped) {
                State::Unresponsive(Unresponsive::Stopped)
            } else if context.history.is_stuck(listener.cookie) {
                State::Unresponsive(Unresponsive::Backlog(listener.backlog))
            } else if context.history.is_silent(listener.cookie) {
                State::Unresponsive(Unresponsive::CheckTimedOut)
            } else {
                State::Running
            })
        }
    }
}

fn without_listener(observation: &Observation, stat: &Stat, at: SystemTime) -> Option<State> {
    match (&observation.filesystem, &observation.connect) {
        (Filesystem::Network(name), _) => Some(State::Unverifiable(Unverifiable::Network(name))),
        (Filesystem::Unknown, _) => {
            let cause = "its filesystem could not be determined".to_owned();
            Some(State::Unverifiable(Unverifiable::Failed(cause)))
        }
        (Filesystem::Local, Some(Connect::Refused)) => match observation.origin {
            Origin::Temporary => {
                let age = at.duration_since(stat.modified).unwrap_or_default();
                (age > LEFTOVER_AFTER).then_some(State::Leftover)
            }
            Origin::Aside => Some(State::Leftover),
            Origin::Exact | Origin::Pattern | Origin::VaguePattern | Origin::Kernel => {
                Some(State::Stale)
            }
        },
        // Somebody accepts whom our kernel table does not show: a master in another network namespace.
        (Filesystem::Local, Some(Connect::Accepted)) => Some(State::Running),
        (Filesystem::Local, Some(Connect::Full)) => {
            Some(State::Unresponsive(Unresponsive::BacklogFull))
        }
        (Filesystem::Local, Some(Connect::Denied)) => Some(State::Denied(Denied::Connect)),
        (Filesystem::Local, Some(Connect::Failed(cause))) => {
            Some(State::Unverifiable(Unverifiable::Failed(cause.clone())))
        }
        (Filesystem::Local, None) => None,
    }
}

fn socket(
    path: &ControlPath,
    state: State,
    stat: Option<&Stat>,
    listener: Option<&Listener>,
    since: Option<SystemTime>,
    context: Context<'_>,
) -> Socket {
    let meant = meant_by(path, &state);
    let hosts: Vec<_> = context.places.hosts_at(&meant).collect();
    let process = listener.and_then(process);
    let limit = hosts.iter().find_map(|host| host.unanswered_limit());
    let verdict = |process: &Process| {
        let limit = limit.unwrap_or(network::LIMIT);
        context.history.network.verdict(process.pid, limit)
    };
    Socket {
        path: path.clone(),
        state,
        id: stat.map(|stat| stat.id),
        cookie: listener.and_then(|listener| listener.cookie),
        destination: destination(&meant, context.places),
        persist_secs: hosts.first().and_then(|host| host.persist.as_secs()),
        hosts: hosts.into_iter().map(|host| host.alias.clone()).collect(),
        pid: process.map(|process| process.pid),
        sessions: listener.map(|listener| listener.sessions),
        own_session: process.is_some_and(|process| process.own_session),
        owner: stat.map(|stat| Owner {
            uid: stat.uid,
            name: context.users.get(&stat.uid).cloned(),
        }),
        mode: stat.map(|stat| stat.mode),
        since,
        managed_by: context.places.managed_by(&meant),
        network: process.and_then(verdict),
        findings: Vec::new(),
    }
}

/// The path that a leftover is the remains of; any other is itself.
fn meant_by(path: &ControlPath, state: &State) -> ControlPath {
    let stem = match state {
        State::Leftover => path
            .without_aside_prefix()
            .or_else(|| path.without_temporary_suffix()),
        State::Running
        | State::Suspect(_)
        | State::Stranded(_)
        | State::Unresponsive(_)
        | State::Stale
        | State::Misowned(_)
        | State::Foreign(_)
        | State::NotASocket(_)
        | State::Denied(_)
        | State::Orphaned { .. }
        | State::Unverifiable(_) => None,
    };
    stem.unwrap_or_else(|| path.clone())
}

fn process(listener: &Listener) -> Option<&Process> {
    match &listener.holder {
        Holder::Ssh(process) | Holder::Other(process) => Some(process),
        Holder::Unknown => None,
    }
}

/// The one destination of the hosts configured for this path, else what the path itself says.
fn destination(path: &ControlPath, places: &Places) -> Option<Destination> {
    let mut configured = places.hosts_at(path).map(|host| &host.destination);
    match configured.next() {
        Some(first) => configured
            .all(|other| other == first)
            .then(|| first.clone()),
        None => places.destination_of(path),
    }
}

#[cfg(test)]
mod tests;
