//! `muxtray keep`, and Keep open in the menu: one connection to a master, so that its ControlPersist time does not begin.
//!
//! muxtray holds no other connections. ssh counts an open connection to the control socket as use, even without a session
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

/// The longest time between two looks at the socket's file and at the wall clock: the wait does not count the time in which
/// the machine is suspended.
const LOOKS_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Kept {
    // Dropped before the connection is closed.
    _no_session: KeptConnection,
    client: Client,
    pub pid: Option<MasterPid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldEnd {
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
    pub fn hold(mut self, target: &Target, until: Option<SystemTime>) -> HoldEnd {
        loop {
            let left =
                until.map(|until| until.duration_since(SystemTime::now()).unwrap_or_default());
            if left == Some(Duration::ZERO) {
                return HoldEnd::TimeOver;
            }
            let wait = left.map_or(LOOKS_EVERY, |left| left.min(LOOKS_EVERY));
            if self.client.wait_closed(Deadline::within(wait)) {
                return HoldEnd::MasterEnded;
            }
            // A new mode changes the id. While the connection is open, the inode is not reused (unix_stream_connect() in
            // the kernel's net/unix/af_unix.c).
            let is_same = |at_path: Target| {
                let ids = at_path.id.zip(target.id);
                ids.is_some_and(|(now, kept)| now.same_file(&kept))
            };
            if !target_at(&target.path).is_some_and(is_same) {
                return HoldEnd::SocketGone;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;
    use crate::actions::held_socket::tests::target_of;
    use crate::mux::fake::{FakeMaster, hello};
    use crate::mux::wire::{Reply, RequestId};

    #[test]
    fn connection_is_held_while_the_file_is_the_same() {
        for (change, end) in [
            ((|_| {}) as fn(&Path), HoldEnd::TimeOver),
            (
                |path| fs::set_permissions(path, Permissions::from_mode(0o640)).unwrap(),
                HoldEnd::TimeOver,
            ),
            (|path| fs::remove_file(path).unwrap(), HoldEnd::SocketGone),
            (
                |path| {
                    fs::remove_file(path).unwrap();
                    fs::write(path, "").unwrap();
                },
                HoldEnd::SocketGone,
            ),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("u@h-22");
            let _master = FakeMaster::answering(&path, hello(), |_, id| {
                let id = RequestId(id);
                Some(Reply::Alive { id, pid: 4711 }.encode())
            });
            let target = target_of(&path);
            let kept = keep(&target).unwrap();
            change(&path);
            let until = SystemTime::now() + Duration::from_millis(50);
            assert_eq!(kept.hold(&target, Some(until)), end);
        }
    }
}
