use std::path::PathBuf;

use nix::errno::Errno;
use thiserror::Error;
use tr::tr;

use crate::actions::held_socket::HoldError;
use crate::decide::action_report::ActionOutcome;
use crate::model::control_path::ASIDE_PREFIX;
use crate::model::text::{self, marked, translated};

/// Why a socket was not removed. Unless the message names another path, the file is where it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CleanError {
    #[error(transparent)]
    Hold(#[from] HoldError),
    #[error("{}", tr!("not removed: a process listens on it"))]
    Live,
    /// The result of connect proves neither that there is a listener nor that there is none.
    #[error("{}", tr!("not removed, not proven stale: {cause}", cause = .0))]
    Unproven(String),
    #[error("{}", tr!(
        "not removed: on a network filesystem ({filesystem}), where another machine may listen",
        filesystem = .0
    ))]
    NetworkFilesystem(&'static str),
    #[error("{}", tr!("not removed: its filesystem type cannot be read"))]
    UnknownFilesystem,
    #[error("{}", tr!("not removed: younger than a minute, so a master may be starting; try again later"))]
    TooYoung,
    #[error("{}", tr!("not removed: its name does not start with {prefix}", prefix = ASIDE_PREFIX))]
    NotAside,
    #[error("{}", tr!("cannot be removed: permission denied on its directory"))]
    DirectoryDenied,
    #[error("{}", tr!("cannot be removed: read-only filesystem"))]
    ReadOnly,
    /// Without `RENAME_NOREPLACE` a file cannot be put back safely.
    #[error("{}", tr!(
        "cannot be removed safely: the filesystem does not support RENAME_NOREPLACE; the next ssh removes it, or remove it with rm"
    ))]
    RenameUnsupported,
    #[error("{}", tr!("cannot be removed: its temporary name would be too long; remove it with rm"))]
    NameTooLong,
    #[error("{}", tr!("not removed: another muxtray is cleaning its directory; try again"))]
    Busy,
    /// The temporary name is taken.
    #[error("{}", tr!(
        "not removed: {path} remains from an interrupted clean; clean that first",
        path = text::path(.0)
    ))]
    AsideTaken(PathBuf),
    /// The renamed file is not the one that was judged, and its original name was taken before it could be put back.
    /// Both files are whole. If the renamed one belongs to a master, that is an orphan with a successor.
    #[error("{}", tr!(
        "replaced by a new master meanwhile; the previous file is kept as {path} until the next clean",
        path = text::path(.aside)
    ))]
    LeftAside { aside: PathBuf },
    #[error("{}", tr!("cannot be removed: {doing}: {cause}", doing = translated(.doing), cause = .errno.desc()))]
    Failed { doing: &'static str, errno: Errno },
}

impl CleanError {
    /// The error of a failed change of names in the directory.
    pub(super) fn of_directory(errno: Errno) -> Self {
        match errno {
            Errno::EACCES | Errno::EPERM => Self::DirectoryDenied,
            Errno::EROFS => Self::ReadOnly,
            other => Self::Failed {
                doing: marked!("change a name in its directory"),
                errno: other,
            },
        }
    }

    #[must_use]
    pub const fn outcome(&self) -> ActionOutcome {
        match self {
            Self::Hold(HoldError::Missing) => ActionOutcome::Unchanged,
            Self::Hold(_)
            | Self::Live
            | Self::Unproven(_)
            | Self::NetworkFilesystem(_)
            | Self::UnknownFilesystem
            | Self::TooYoung
            | Self::NotAside
            | Self::AsideTaken(_) => ActionOutcome::REFUSED,
            Self::DirectoryDenied
            | Self::ReadOnly
            | Self::RenameUnsupported
            | Self::NameTooLong
            | Self::Busy
            | Self::LeftAside { .. }
            | Self::Failed { .. } => ActionOutcome::Failed,
        }
    }
}
