//! The state of one socket: the conclusion from each combination of facts.

use std::time::{Duration, SystemTime};

use tr::tr;

use super::context::Context;
use crate::model::places::Origin;
use crate::model::socket::{
    Connect, Denied, File, Filesystem, ForeignHolder, Holder, Listener, Observation, Stat, State,
    Unresponsive, Unverifiable, UserId,
};

/// The age from which a temporary name that refuses connections is a leftover. It also refuses between bind and link of a
/// starting master.
pub const LEFTOVER_AFTER: Duration = Duration::from_secs(60);

pub(super) fn state(
    observation: &Observation,
    at: SystemTime,
    context: Context<'_>,
) -> Option<State> {
    let origin = observation.origin;
    let is_shared = observation.shared_directory;
    match &observation.file {
        File::Missing => None,
        File::Denied => Some(State::Denied(Denied::Look)),
        File::Failed(cause) => (origin == Origin::Exact)
            .then(|| State::Unverifiable(Unverifiable::Failed(cause.clone()))),
        File::Other(kind, stat) => {
            let is_problem = match origin {
                Origin::Exact => true,
                Origin::Pattern => stat.uid == context.uid || !is_shared,
                _ => false,
            };
            is_problem.then_some(State::NotASocket(*kind))
        }
        File::Socket(stat) if stat.uid != context.uid => {
            let is_problem = match origin {
                Origin::Exact => true,
                // Another user may have sockets in /tmp.
                Origin::Pattern | Origin::Kernel => !is_shared,
                Origin::VaguePattern | Origin::Temporary | Origin::Aside => false,
            };
            is_problem.then(|| State::Misowned(context.owner(stat.uid)))
        }
        File::Socket(stat) => match &observation.listener {
            Some(listener) => with_listener(origin, stat, listener, context),
            None => without_listener(observation, stat, at),
        },
    }
}

fn with_listener(
    origin: Origin,
    stat: &Stat,
    listener: &Listener,
    context: Context<'_>,
) -> Option<State> {
    let is_bound_as_master = listener.is_bound_as_master();
    // A pattern matches sockets of other programs too, such as ssh-agent's.
    if !is_bound_as_master && origin != Origin::Exact {
        return None;
    }
    let foreign = match (&listener.holder, listener.uid) {
        (Holder::Other(process), _) => Some(ForeignHolder::Program {
            name: process.name.clone(),
            pid: process.pid,
        }),
        (Holder::Unknown, Some(uid)) if uid != context.uid => {
            Some(ForeignHolder::User(context.owner(uid)))
        }
        (Holder::Unknown, _) if !is_bound_as_master => Some(ForeignHolder::Hidden),
        (Holder::Ssh(_) | Holder::Unknown, _) => None,
    };
    if let Some(holder) = foreign {
        let is_problem = match &holder {
            ForeignHolder::Program { .. } | ForeignHolder::Hidden => origin == Origin::Exact,
            ForeignHolder::User(_) => origin != Origin::VaguePattern,
        };
        return is_problem.then_some(State::Foreign(holder));
    }
    // A starting master before link, or a socket that `clean` is about to rename back.
    if matches!(origin, Origin::Temporary | Origin::Aside) {
        return None;
    }
    let is_stopped = matches!(&listener.holder, Holder::Ssh(process) if process.stopped);
    Some(
        if stat.permissions.mode & 0o200 == 0 && context.uid != UserId(0) {
            State::Denied(Denied::Connect)
        } else if is_stopped {
            State::Unresponsive(Unresponsive::Stopped)
        } else if context.history.is_stuck(listener.cookie) {
            State::Unresponsive(Unresponsive::Backlog(listener.backlog))
        } else if context.history.has_timed_out(listener.cookie) {
            State::Unresponsive(Unresponsive::CheckTimedOut)
        } else {
            State::Running
        },
    )
}

fn without_listener(observation: &Observation, stat: &Stat, at: SystemTime) -> Option<State> {
    let unverifiable = |cause| State::Unverifiable(Unverifiable::Failed(cause));
    Some(match (&observation.filesystem, &observation.connect) {
        (Filesystem::Network(name), _) => State::Unverifiable(Unverifiable::Network(name)),
        (Filesystem::Unknown, _) => unverifiable(tr!("its filesystem could not be determined")),
        (Filesystem::Local, None) => return None,
        (Filesystem::Local, Some(Connect::Refused)) => match observation.origin {
            Origin::Temporary => {
                let age = at.duration_since(stat.modified).unwrap_or_default();
                return (age > LEFTOVER_AFTER).then_some(State::Leftover);
            }
            Origin::Aside => State::Leftover,
            Origin::Exact | Origin::Pattern | Origin::VaguePattern | Origin::Kernel => State::Stale,
        },
        // A master in another network namespace, which the kernel's table does not show.
        (Filesystem::Local, Some(Connect::Accepted)) => State::Running,
        (Filesystem::Local, Some(Connect::Full)) => State::Unresponsive(Unresponsive::BacklogFull),
        (Filesystem::Local, Some(Connect::Denied)) => State::Denied(Denied::Connect),
        // A datagram socket, for example: no ssh has made it.
        (Filesystem::Local, Some(Connect::Failed(_))) if observation.origin != Origin::Exact => {
            return None;
        }
        (Filesystem::Local, Some(Connect::Failed(cause))) => unverifiable(cause.clone()),
    })
}
