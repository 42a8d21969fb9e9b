//! The facts about a directory of control sockets. `observe` fills them in, and `actions::rehearsal` those that only the
//! creation of a socket shows.

use std::path::{Path, PathBuf};

use super::group::Permissions;
pub use super::ids::DirectoryId;
use super::ids::UserId;
use super::observation::{FileKind, Filesystem};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeededDirectory {
    pub path: PathBuf,
    /// Whether `ssh HOST` creates a socket there. If not, the directory may be missing.
    pub makes_masters: bool,
    /// Whether the user's own configuration names it, not only the administrator's
    /// ([`super::places::WrittenBy::Administrator`]).
    pub is_persons: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    pub wanted: NeededDirectory,
    /// All directories and symlinks of the path from `/` on, including those that symlinks lead to. The last part is the
    /// directory itself if it exists.
    pub parts: Vec<Part>,
    pub end: End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Without symlinks, except itself.
    pub path: PathBuf,
    pub id: DirectoryId,
    pub uid: UserId,
    pub permissions: Permissions,
    pub is_symlink: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Exists(Existing),
    Missing {
        /// The missing directory, with symlinks resolved.
        path: PathBuf,
        can_make: bool,
    },
    Other {
        path: PathBuf,
        kind: FileKind,
    },
    Denied,
    Failed(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing {
    /// For the effective ids.
    pub access: Access,
    pub volume: Option<Volume>,
    pub rehearsal: Option<Rehearsal>,
}

/// The result of access(2) for writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    Full,
    Denied,
    ReadOnly,
    Failed(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its type's name, as mount(8) writes it: `ext4`, `fuse.sshfs`.
    pub kind: String,
    pub filesystem: Filesystem,
    /// Bytes for ordinary users, without the reserve of root.
    pub space: Capacity,
    /// Inodes; `None` if the filesystem creates them on demand.
    pub inodes: Option<Capacity>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    pub free: u64,
    pub total: u64,
}

/// The result of listening on a socket under a temporary name, and connecting through a hard link to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rehearsal {
    Passed,
    Failed {
        step: Step,
        refusal: Refusal,
        words: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Socket,
    HardLink,
    /// A connect through the hard link.
    Connect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// EPERM, EOPNOTSUPP and others: the filesystem does not support it.
    Unsupported,
    Full,
    Denied,
    Other,
}

impl Directory {
    pub fn path(&self) -> &Path {
        &self.wanted.path
    }

    /// Whether this user is root. In a user namespace without root its files have another owner, as `/` has
    /// (user_namespaces(7), "Unmapped user and group IDs").
    pub fn is_root(&self, uid: UserId) -> bool {
        uid == UserId(0) || self.parts.first().is_some_and(|top| top.uid == uid)
    }

    /// Returns the directory of its path that may not be searched or written to.
    pub fn closed(&self) -> Option<&Part> {
        match &self.end {
            End::Denied => self.parts.last(),
            End::Exists(there) if there.access == Access::Denied => self.parts.last(),
            _ => None,
        }
    }

    pub fn own(&self) -> Option<(&Part, &Existing)> {
        match &self.end {
            End::Exists(there) => self.parts.last().map(|part| (part, there)),
            End::Missing { .. } | End::Other { .. } | End::Denied | End::Failed(_) => None,
        }
    }
}
