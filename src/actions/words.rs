//! What came of an action that went well, in words that stand behind the socket's name.

use std::fmt;

use tr::tr;

use super::clean::{Cleaned, Kind};
use super::control::{Checked, Exited, Stopped};
use super::end_process::{Ended, FileLeft};
use crate::model::socket::State;
use crate::model::text;

/// `answered in 0.8 ms, pid 4711`
impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&tr!(
            "answered in {millis} ms",
            millis = text::millis(self.round_trip)
        ))?;
        if let Some(pid) = self.pid {
            write!(f, ", pid {}", pid.0)?;
        }
        match &self.connection {
            Some(connection) => write!(f, ", {connection}"),
            None => Ok(()),
        }
    }
}

/// `ended, closing 2 sessions`
impl fmt::Display for Exited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = match self.closed {
            None | Some(0) => tr!("ended"),
            Some(sessions) => {
                tr!("ended, closing {n} session" | "ended, closing {n} sessions" % sessions)
            }
        };
        if self.file_remains {
            return f.write_str(&tr!("{ended}; its socket file is still there", ended));
        }
        f.write_str(&ended)
    }
}

/// `accepts no more sessions, and ends with the 2 sessions it has`
impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sessions {
            Some(0) => f.write_str(&tr!("had no sessions, and has ended")),
            Some(sessions) => f.write_str(&tr!(
                "accepts no more sessions, and ends with the {n} session it has"
                    | "accepts no more sessions, and ends with the {n} sessions it has" % sessions
            )),
            None => f.write_str(&tr!("accepts no more sessions, and ends with its last one")),
        }
    }
}

/// `process 4711 ended (SIGKILL), closing 2 sessions`
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = if self.killed { "SIGKILL" } else { "SIGTERM" };
        let ended = match self.closed {
            0 => tr!("process {pid} ended ({signal})", pid = self.pid.0, signal),
            closed => tr!(
                "process {pid} ended ({signal}), closing {n} session"
                    | "process {pid} ended ({signal}), closing {n} sessions" % closed,
                pid = self.pid.0,
                signal
            ),
        };
        match &self.file {
            FileLeft::NeverThere | FileLeft::Gone => f.write_str(&ended),
            FileLeft::Remains(error) => {
                f.write_str(&tr!("{ended}; its socket file {what}", ended, what = error))
            }
        }
    }
}

/// `removed`
impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removed => f.write_str(&tr!("removed")),
            Self::PutBack(path) => {
                f.write_str(&tr!("may be in use, so it has its name back: {path}", path))
            }
        }
    }
}

impl Kind {
    /// What `clean` is to take a socket of this state for; `None` where it is not its business.
    #[must_use]
    pub const fn of(state: &State) -> Option<Self> {
        match state {
            State::Stale => Some(Self::Stale),
            State::Leftover => Some(Self::Leftover),
            State::Running
            | State::Suspect(_)
            | State::Stranded(_)
            | State::Unresponsive(_)
            | State::Misowned(_)
            | State::Foreign(_)
            | State::NotASocket(_)
            | State::Denied(_)
            | State::Orphaned { .. }
            | State::Unverifiable(_) => None,
        }
    }
}
