//! `muxtray keep`, and Keep open in the menu: one connection to a master, so that its ControlPersist time does not begin.
//!
//! The only connections that muxtray holds. ssh counts an open connection to the control socket as use, even without a session
//! (`channel_still_open()` and `set_control_persist_exit_time()`), and muxtray does not count it as a session.

use std::os::fd::AsFd as _;
use std::time::{Duration, SystemTime};

use super::control::CHECK_LIMIT;
use super::error::ActionError;
use super::held_socket::{HeldSocket, target_at};
use crate::model::ids::{MasterPid, Target};
use crate::mux::client::Client;
use crate::mux::deadline::Deadline;
use crate::observe::own_connections::KeptConnection;

/// The longest time between two looks at the clock, which a suspended machine does not count, and at the socket's file.
const LOOKS_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Kept {
    // Dropped before the connection is closed.
    _no_session: KeptConnection,
    client: Client,
    pub pid: Option<MasterPid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepEnd {
    TimeOver,
    MasterEnded,
    /// The socket's file is gone or another one: the master accepts no more sessions.
    SocketGone,
}

/// Connects, and waits for an answer within the limit of an alive check.
pub fn keep(target: &Target) -> Result<Kept, ActionError> {
    let held = HeldSocket::open(target)?;
    let mut client = Client::connect(held.file.as_fd(), Deadline::within(CHECK_LIMIT))?;
    let pid = client.alive()?;
    let no_session = KeptConnection::new(client.as_fd());
    let no_session = no_session.map_err(|error| ActionError::Failed(error.to_string()))?;
    Ok(Kept {
        _no_session: no_session,
        client,
        pid,
    })
}

impl Kept {
    /// Whether the master has not closed the connection.
    pub fn is_open(&mut self) -> bool {
        !self.client.wait_closed(Deadline::within(Duration::ZERO))
    }

    /// Holds the connection until this time, or for as long as the master accepts sessions.
    pub fn hold(mut self, target: &Target, until: Option<SystemTime>) -> KeepEnd {
        loop {
            let left =
                until.map(|until| until.duration_since(SystemTime::now()).unwrap_or_default());
            if left == Some(Duration::ZERO) {
                return KeepEnd::TimeOver;
            }
            let wait = left.map_or(LOOKS_EVERY, |left| left.min(LOOKS_EVERY));
            if self.client.wait_closed(Deadline::within(wait)) {
                return KeepEnd::MasterEnded;
            }
            if target_at(&target.path).is_none_or(|at_path| at_path.id != target.id) {
                return KeepEnd::SocketGone;
            }
        }
    }
}
