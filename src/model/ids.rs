//! Identities of files, listeners, processes and users.

use serde::{Deserialize, Serialize};

use super::control_path::ControlPath;

/// The identity of a socket file.
///
/// ext4 reuses an inode number at once, so the change time belongs to it. A rename or chmod changes that too: after
/// muxtray's own rename compare with [`SocketId::same_file`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SocketId {
    pub device: u64,
    pub inode: u64,
    /// `st_ctim`: seconds and nanoseconds since the epoch.
    pub changed: (i64, i64),
}

impl SocketId {
    pub fn same_file(&self, other: &Self) -> bool {
        self.device == other.device && self.inode == other.inode
    }
}

/// The kernel's id of a listening socket (`udiag_cookie`), unique until the next boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MasterPid(pub i32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserId(pub u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryId {
    pub device: u64,
    pub inode: u64,
}

/// The socket that an action is meant for: its path, and the file and listener that were there when the user saw it.
///
/// An action is refused if the file or the listener has changed since, so a click in an old menu never reaches a new
/// master.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    pub path: ControlPath,
    pub id: Option<SocketId>,
    pub cookie: Option<Cookie>,
}
