//! Ending the process of a master that cannot be asked: the signals, and the masters that a TARGET names.
//!
//! SIGTERM lets ssh restore its terminal and end its ProxyCommand, but ssh also unlinks the ControlPath by name
//! (`cleanup_exit()` in ssh.c), so it is only for a master with its own file there. At any moment another master can
//! take the path of an orphan, so an orphan gets SIGKILL, which runs no clean-up.
//!
//! `actions::end_process` sends the signals, after it has proven by pidfd that the process is the master.

use std::time::Duration;

use crate::model::socket::{Snapshot, Socket};
use crate::model::state::State;
use crate::model::target::{self, TargetError, TargetName};

/// The time between SIGTERM and SIGKILL.
const TERM_LIMIT: Duration = Duration::from_secs(2);

/// The time in which a killed process has to end. Only one that the kernel blocks takes any time at all.
pub const KILL_LIMIT: Duration = Duration::from_secs(2);

/// The file at the path of a master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtPath {
    /// The file of its own listener.
    Own,
    /// No socket.
    Empty,
    /// Another socket.
    Successor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Terminate,
    Continue,
    Kill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Start,
    Terminated,
    Killed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    pub ended: bool,
    /// Whether it was stopped at the start.
    pub stopped: bool,
    pub at_path: AtPath,
    pub waited: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Send these signals in this order; the next phase begins.
    Send(&'static [Signal], Phase),
    /// Observe again when the process has ended, and after this time at the latest.
    Wait(Duration),
    Ended,
    /// The process survives SIGKILL: the kernel blocks it.
    GiveUp,
}

pub fn next(phase: Phase, observed: Observed) -> Action {
    const KILL: Action = Action::Send(&[Signal::Kill], Phase::Killed);
    let left = |limit: Duration| {
        limit
            .checked_sub(observed.waited)
            .filter(|left| !left.is_zero())
    };
    if observed.ended {
        return Action::Ended;
    }
    match (phase, observed.at_path) {
        // A stopped process handles SIGTERM when it continues, before anything else.
        (Phase::Start, AtPath::Own) if observed.stopped => {
            Action::Send(&[Signal::Terminate, Signal::Continue], Phase::Terminated)
        }
        (Phase::Start, AtPath::Own) => Action::Send(&[Signal::Terminate], Phase::Terminated),
        (Phase::Start, AtPath::Empty | AtPath::Successor) => KILL,
        // A successor has appeared since: the clean-up has to be prevented.
        (Phase::Terminated, AtPath::Successor) => KILL,
        // ssh unlinks its file a moment before it ends.
        (Phase::Terminated, AtPath::Own | AtPath::Empty) => {
            left(TERM_LIMIT).map_or(KILL, Action::Wait)
        }
        (Phase::Killed, _) => left(KILL_LIMIT).map_or(Action::GiveUp, Action::Wait),
    }
}

/// Whether a master has to be ended by its process: it does not answer, or has no socket to be asked by.
pub const fn is_needed(state: &State) -> bool {
    matches!(state, State::Unresponsive(_) | State::Orphaned { .. })
}

/// Returns the masters at one path that [`is_needed`] selects: an orphan rather than its successor. If there are none,
/// returns the socket of [`target::resolve`].
pub fn resolve<'a>(
    typed: &str,
    name: &TargetName,
    snapshot: &'a Snapshot,
) -> Result<Vec<&'a Socket>, TargetError> {
    let mut masters = name.matching(snapshot);
    masters.retain(|socket| is_needed(&socket.state));
    masters.sort_by(|a, b| a.path.cmp(&b.path));
    match masters.as_slice() {
        [] => target::resolve(typed, name, snapshot).map(|socket| vec![socket]),
        [first, .., last] if first.path != last.path => Err(target::several(typed, &masters)),
        _ => Ok(masters),
    }
}

#[cfg(test)]
mod tests;
