//! What came of an action that went well, in words that stand behind the socket's name.

use std::fmt;

use super::clean::{Cleaned, Kind};
use super::control::{Checked, Exited, Stopped};
use super::terminate::{Ended, FileLeft};
use crate::core::socket::State;
use crate::core::text;

/// `answered in 0.8 ms, pid 4711`
impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "answered in {:.1} ms",
            self.round_trip.as_secs_f64() * 1000.0
        )?;
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
        match self.closed {
            None | Some(0) => f.write_str("ended")?,
            Some(sessions) => write!(f, "ended, closing {}", text::count(sessions, "session"))?,
        }
        if self.file_remains {
            f.write_str("; its socket file is still there")?;
        }
        Ok(())
    }
}

/// `accepts no more sessions, and ends with the 2 sessions it has`
impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sessions {
            Some(0) => f.write_str("had no sessions, and has ended"),
            Some(sessions) => write!(
                f,
                "accepts no more sessions, and ends with the {} it has",
                text::count(sessions, "session")
            ),
            None => f.write_str("accepts no more sessions, and ends with its last one"),
        }
    }
}

/// `process 4711 ended (SIGKILL), closing 2 sessions`
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = if self.killed { "SIGKILL" } else { "SIGTERM" };
        write!(f, "process {} ended ({signal})", self.pid.0)?;
        if self.closed > 0 {
            write!(f, ", closing {}", text::count(self.closed, "session"))?;
        }
        match &self.file {
            FileLeft::NeverThere | FileLeft::Gone => Ok(()),
            FileLeft::Remains(error) => write!(f, "; its socket file {error}"),
        }
    }
}

/// `removed`
impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removed => f.write_str("removed"),
            Self::PutBack(path) => write!(f, "may be in use, so it has its name back: {path}"),
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
