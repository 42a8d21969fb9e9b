//! What identifies a file, a listener, a process and a user.

use super::control_path::ControlPath;

/// What tells one socket file from its successor at the same path.
///
/// An inode number alone does not: ext4 gives it out again at once. The change time does; it moves with a rename
/// or chmod too, so after a rename of our own compare [`SocketId::same_file`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
    /// `st_ctim`: seconds and nanoseconds since the epoch.
    pub changed: (i64, i64),
}

impl SocketId {
    /// Whether both name the same file, whatever was done to its name or mode in between.
    #[must_use]
    pub fn same_file(&self, other: &Self) -> bool {
        self.device == other.device && self.inode == other.inode
    }
}

/// The kernel's identity of a listening socket (`udiag_cookie`), never given out twice in one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie(pub u64);

/// A process id of a master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MasterPid(pub i32);

/// A numeric user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u32);

/// What tells one directory from another at the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryId {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
}

/// What an action was asked for: a path and what stood there when it was drawn or listed.
///
/// An action on a target whose file or listener is another by now is refused, so a click on an old menu never
/// reaches a new master.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// Where.
    pub path: ControlPath,
    /// Which file.
    pub id: Option<SocketId>,
    /// Which listener.
    pub cookie: Option<Cookie>,
}
