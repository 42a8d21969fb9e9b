//! How the process of a master is ended that cannot be asked: which signals, in which order, for which state.
//!
//! SIGTERM lets ssh put its terminal in order and end its ProxyCommand, but it also unlinks the ControlPath by name
//! (`cleanup_exit()` in ssh.c). So it is only for a master whose own file stands there. An orphan's path may be its
//! successor's at any moment: it gets SIGKILL, which cleans nothing up. A stopped process has to be let go on to
//! notice SIGTERM; the signal is pending by then, so it does nothing else first.
//!
//! It knows nothing of pidfds, and proves nothing: who sends the signals has proven whose process it is.

use std::fmt;
use std::time::Duration;

use tr::tr;

use crate::model::control_path::ControlPath;
use crate::model::socket::{Snapshot, Socket, State};
use crate::model::target::{self, Named, TargetError};
use crate::model::text;

/// How long a master may take to end in order.
pub const TERM_LIMIT: Duration = Duration::from_secs(2);

/// How long a killed process may take to be gone. Only one that the kernel holds takes any time at all.
pub const KILL_LIMIT: Duration = Duration::from_secs(2);

/// What stands at the path of a master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The file of its own listener.
    Own,
    /// Nothing, or no socket.
    Empty,
    /// Another socket.
    Successor,
}

/// A signal, as far as ending a master needs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM
    Terminate,
    /// SIGCONT
    Continue,
    /// SIGKILL
    Kill,
}

/// How far the end of a process has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing has been sent.
    Begun,
    /// SIGTERM has been sent, and noticed unless the process hangs.
    Terminated,
    /// SIGKILL has been sent.
    Killed,
}

/// What is seen of it at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Whether the process has ended.
    pub ended: bool,
    /// Whether it was stopped when its end began.
    pub stopped: bool,
    /// What stands at its path.
    pub place: Place,
    /// How long the stage has lasted.
    pub waited: Duration,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Send these, in this order; the next stage begins.
    Send(&'static [Signal], Stage),
    /// Look again when it has ended, and after this long at the latest.
    Wait(Duration),
    /// It has ended.
    Ended,
    /// It outlives even SIGKILL: the kernel holds it.
    GiveUp,
}

/// One step of ending the process of a master.
pub fn next(stage: Stage, seen: Seen) -> Action {
    const KILL: Action = Action::Send(&[Signal::Kill], Stage::Killed);
    let left = |limit: Duration| {
        limit
            .checked_sub(seen.waited)
            .filter(|left| !left.is_zero())
    };
    if seen.ended {
        return Action::Ended;
    }
    match (stage, seen.place) {
        (Stage::Begun, Place::Own) if seen.stopped => {
            Action::Send(&[Signal::Terminate, Signal::Continue], Stage::Terminated)
        }
        (Stage::Begun, Place::Own) => Action::Send(&[Signal::Terminate], Stage::Terminated),
        (Stage::Begun, Place::Empty | Place::Successor) => KILL,
        // Somebody has put another socket there since: its clean-up has to be prevented.
        (Stage::Terminated, Place::Successor) => KILL,
        // It unlinks its file a moment before it ends.
        (Stage::Terminated, Place::Own | Place::Empty) => {
            left(TERM_LIMIT).map_or(KILL, Action::Wait)
        }
        (Stage::Killed, _) => left(KILL_LIMIT).map_or(Action::GiveUp, Action::Wait),
    }
}

/// Whether ending its process is the way to end this master: it does not answer, or has no socket to be asked by.
#[must_use]
pub const fn is_needed(state: &State) -> bool {
    match state {
        State::Unresponsive(_) | State::Orphaned { .. } => true,
        State::Running
        | State::Suspect(_)
        | State::Stranded(_)
        | State::Stale
        | State::Misowned(_)
        | State::Foreign(_)
        | State::NotASocket(_)
        | State::Denied(_)
        | State::Leftover
        | State::Unverifiable(_) => false,
    }
}

/// What a row or button says that has a master end, closing so many sessions; `None`: they cannot be counted.
#[must_use]
pub fn exit_label(sessions: Option<u32>) -> String {
    match sessions {
        Some(0) => tr!("Exit"),
        Some(sessions) => {
            tr!("Exit, closing {n} session" | "Exit, closing {n} sessions" % sessions)
        }
        None => tr!("Exit, closing its sessions"),
    }
}

/// What a row or button says that ends its process.
#[must_use]
pub fn end_process_label(sessions: u32) -> String {
    match sessions {
        0 => tr!("End process"),
        sessions => {
            tr!("End process, closing {n} session" | "End process, closing {n} sessions" % sessions)
        }
    }
}

/// The command that ends the process of the master at this path. With `force` it closes open sessions.
#[must_use]
pub fn command(path: &ControlPath, force: bool) -> String {
    let force = if force { " --force" } else { "" };
    format!(
        "muxtray exit --end-process{force} {}",
        text::shell_word(path.as_path().as_os_str())
    )
}

/// The way to end a master that cannot be asked: "end its process, which closes 2 sessions: muxtray exit
/// --end-process --force PATH" by its [`fmt::Display`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayOut {
    /// What to do, and what it costs.
    pub what: String,
    /// The command for it, where there is one.
    pub command: Option<String>,
}

impl fmt::Display for WayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Some(command) => write!(f, "{}: {command}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// The way to end this master.
#[must_use]
pub fn way_out(socket: &Socket) -> WayOut {
    let stake = socket.sessions_at_stake();
    let force = stake != Some(0);
    // What has no identity cannot be proven; a person may know.
    let command = match (socket.cookie, socket.pid, &socket.state) {
        (Some(_), ..) => command(&socket.path, force),
        (None, Some(pid), State::Orphaned { .. }) => format!("kill -KILL {}", pid.0),
        (None, Some(pid), _) => format!("kill {}", pid.0),
        (None, None, _) => {
            return WayOut {
                what: match stake {
                    Some(0) => tr!("end its process where it runs, maybe in a container"),
                    Some(sessions) => tr!(
                        "end its process where it runs, maybe in a container, which closes {n} session"
                            | "end its process where it runs, maybe in a container, which closes {n} sessions"
                                % sessions
                    ),
                    None => tr!(
                        "end its process where it runs, maybe in a container, which closes its sessions"
                    ),
                },
                command: None,
            };
        }
    };
    WayOut {
        what: match stake {
            Some(0) => tr!("end its process"),
            Some(sessions) => tr!("end its process, which closes {n} session"
                | "end its process, which closes {n} sessions" % sessions),
            None => tr!("end its process, which closes its sessions"),
        },
        command: Some(command),
    }
}

/// The masters that `named` means where it is about ending processes: those at one path that [`is_needed`] says, an
/// orphan rather than its successor. Where there are none, the one socket that [`target::resolve`] finds.
///
/// # Errors
/// None, or several paths with their list.
pub fn resolve<'a>(
    typed: &str,
    named: &Named,
    snapshot: &'a Snapshot,
) -> Result<Vec<&'a Socket>, TargetError> {
    let mut meant: Vec<&Socket> = snapshot
        .sockets
        .iter()
        .filter(|socket| is_needed(&socket.state) && named.matches(socket))
        .collect();
    meant.sort_by(|a, b| a.path.cmp(&b.path));
    match meant.as_slice() {
        [] => target::resolve(typed, named, snapshot).map(|socket| vec![socket]),
        [first, .., last] if first.path != last.path => Err(target::several(typed, &meant)),
        _ => Ok(meant),
    }
}

#[cfg(test)]
mod tests;
