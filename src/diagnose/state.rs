//! The state of one socket: the conclusion from each combination of facts.

use std::time::{Duration, SystemTime};

use tr::tr;

use super::context::Context;
use crate::model::places::Origin;
use crate::model::socket::{
    Connect, Denied, File, Filesystem, ForeignHolder, Holder, Listener, Observation, Owner, Stat,
    State, Unresponsive, Unverifiable, UserId,
};

/// The age from which a temporary name that refuses connections is a leftover. It also refuses between bind and link of a
/// starting master.
pub const LEFTOVER_AFTER: Duration = Duration::from_secs(60);

pub(super) fn state(
    observation: &Observation,
    at: SystemTime,
    context: Context<'_>,
) -> Option<State> {
    let owner = |uid: UserId| context.owner(uid);
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
            // Another user may have sockets in /tmp.
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
        // A starting master before link, or a socket that `clean` is about to rename back.
        Origin::Temporary | Origin::Aside => None,
        Origin::Exact | Origin::Pattern | Origin::VaguePattern | Origin::Kernel => Some(
            if stat.permissions.mode & 0o200 == 0 && context.uid != UserId(0) {
                State::Denied(Denied::Connect)
            } else if process.is_some_and(|process| process.stopped) {
                State::Unresponsive(Unresponsive::Stopped)
            } else if context.history.is_stuck(listener.cookie) {
                State::Unresponsive(Unresponsive::Backlog(listener.backlog))
            } else if context.history.has_timed_out(listener.cookie) {
                State::Unresponsive(Unresponsive::CheckTimedOut)
            } else {
                State::Running
            },
        ),
    }
}

fn without_listener(observation: &Observation, stat: &Stat, at: SystemTime) -> Option<State> {
    match (&observation.filesystem, &observation.connect) {
        (Filesystem::Network(name), _) => Some(State::Unverifiable(Unverifiable::Network(name))),
        (Filesystem::Unknown, _) => {
            let cause = tr!("its filesystem could not be determined");
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
        // A master in another network namespace, which the kernel's table does not show.
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
