//! A directory that masters make their sockets in, as it was seen. Facts without an opinion: `observe` and, for what
//! only a rehearsal can tell, `act::rehearsal` fill them in; `diagnose` judges.

use std::path::{Path, PathBuf};

use super::group::Permissions;
pub use super::ids::DirectoryId;
use super::ids::UserId;
use super::observation::{FileKind, Filesystem};

/// A directory to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// As ControlPaths name it.
    pub path: PathBuf,
    /// Whether a plain `ssh HOST` makes a socket there. Where none does, its absence is nobody's problem.
    pub makes_masters: bool,
    /// Whether anything of the person's leads there, not only the administrator's hosts
    /// ([`super::places::WrittenBy::Administrator`]).
    pub is_persons: bool,
}

/// What was seen of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Which one was meant.
    pub wanted: Wanted,
    /// Everything on the way to it, symlinks and what they lead to among it, from `/` on. Where it is there, its own
    /// part is the last.
    pub parts: Vec<Part>,
    /// What the way ends in.
    pub end: End,
}

/// A directory or symlink on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where, without a symlink in it but for itself.
    pub path: PathBuf,
    /// Which.
    pub id: DirectoryId,
    /// Its owner.
    pub uid: UserId,
    /// Its permissions.
    pub permissions: Permissions,
    /// Whether it is a symlink; a directory otherwise.
    pub is_symlink: bool,
}

/// What the way to a directory ends in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is there.
    There(There),
    /// It is not.
    Missing {
        /// Where it would be, symlinks followed.
        path: PathBuf,
        /// Whether the user may make what is missing in the last part.
        can_make: bool,
    },
    /// Something else stands on the way, or in its place.
    Other {
        /// Where.
        path: PathBuf,
        /// What.
        kind: FileKind,
    },
    /// The last part may not be searched.
    Denied,
    /// The system's words.
    Failed(String),
}

/// A directory that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct There {
    /// Whether the user may make files in it, by the effective ids.
    pub access: Access,
    /// What it lies on; `None` where statfs failed.
    pub volume: Option<Volume>,
    /// What a rehearsal came to, where one was made.
    pub rehearsal: Option<Rehearsal>,
}

/// What access(2) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// The user may.
    Full,
    /// EACCES.
    Denied,
    /// EROFS.
    ReadOnly,
    /// Anything else; the system's words.
    Failed(String),
}

/// A mounted filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its type's name, as mount(8) writes it: `ext4`, `fuse.sshfs`.
    pub kind: String,
    /// Whether other machines may hold sockets there.
    pub filesystem: Filesystem,
    /// Bytes, for an ordinary user: root's reserve does not count.
    pub space: Room,
    /// Inodes, likewise; `None` where the filesystem makes them as it needs them.
    pub inodes: Option<Room>,
}

/// How much of something is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What an ordinary user can still have.
    pub free: u64,
    /// All there is.
    pub total: u64,
}

/// What became of a socket and a hard link to it, made for a moment under a name of muxtray's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rehearsal {
    /// Both were made.
    Passed,
    /// One was not.
    Failed {
        /// Which.
        step: Step,
        /// The errno, as far as it matters.
        refusal: Refusal,
        /// The system's words.
        words: String,
    },
}

/// What a starting master does in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// bind(2).
    Socket,
    /// link(2).
    HardLink,
}

/// Why something could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// EPERM, EOPNOTSUPP and others: the filesystem has no such thing.
    Unsupported,
    /// ENOSPC, EDQUOT.
    Full,
    /// EACCES, EROFS.
    Denied,
    /// Anything else.
    Other,
}

impl Directory {
    /// As ControlPaths name it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.wanted.path
    }

    /// Its own part, where it is there.
    #[must_use]
    pub fn own(&self) -> Option<(&Part, &There)> {
        match &self.end {
            End::There(there) => self.parts.last().map(|part| (part, there)),
            End::Missing { .. } | End::Other { .. } | End::Denied | End::Failed(_) => None,
        }
    }
}
