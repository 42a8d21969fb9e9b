//! What can stand in the way of a clean, in words for the person in front of it.

use std::path::PathBuf;

use nix::errno::Errno;
use thiserror::Error;
use tr::tr;

use crate::actions::held::Unfit;
use crate::model::text::{self, marked, translated};

/// What stood in the way. Unless it says otherwise, the file is where it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CleanError {
    /// It is not the file that was judged, or none that may be removed.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Somebody listens there by now.
    #[error("{}", tr!("is in use by now: somebody listens there; it is left alone"))]
    Live,
    /// Connect said neither that somebody listens nor that nobody does; its words.
    #[error("{}", tr!("is not proven stale: {cause}; it is left alone", cause = .0))]
    Unproven(String),
    /// Another machine may listen there.
    #[error("{}", tr!(
        "lies on a network filesystem ({filesystem}): another machine may listen there; it is left alone",
        filesystem = .0
    ))]
    NetworkFilesystem(&'static str),
    /// Statfs failed.
    #[error("{}", tr!("lies on a filesystem that cannot be told; it is left alone"))]
    UnknownFilesystem,
    /// A master may just be starting there.
    #[error("{}", tr!("is younger than a minute: a master may just be starting there; try again then"))]
    TooYoung,
    /// Not a name that clean gives.
    #[error("{}", tr!("has no name that muxtray gave it"))]
    NotAside,
    /// EACCES or EPERM on opening the directory or changing a name in it.
    #[error("{}", tr!("cannot be removed: permission denied on its directory"))]
    DirectoryDenied,
    /// EROFS.
    #[error("{}", tr!("cannot be removed: its filesystem is mounted read-only"))]
    ReadOnly,
    /// The filesystem cannot rename without replacing, so nothing can be taken aside and put back safely.
    #[error("{}", tr!(
        "cannot be removed safely: its filesystem cannot rename without replacing; the next ssh there removes it, or rm does"
    ))]
    RenameUnsupported,
    /// With our prefix the name exceeds what the filesystem allows.
    #[error("{}", tr!("cannot be taken aside: its name is too long; rm removes it"))]
    NameTooLong,
    /// Another muxtray cleans in this directory.
    #[error("{}", tr!("is being cleaned by another muxtray; try again"))]
    Busy,
    /// An earlier clean left its own file under the name that this one needs.
    #[error("{}", tr!(
        "cannot be taken aside: {path} is still there from an earlier clean; clean that first",
        path = text::path(.0)
    ))]
    AsideTaken(PathBuf),
    /// What was renamed is not what was judged, and another file took its name before it could be put back. Both are
    /// whole; this one has another name now. If it belongs to a master, that is an orphan with a successor.
    #[error("{}", tr!(
        "was taken by a new master meanwhile; what stood there before is kept as {path}, and a later clean settles it",
        path = text::path(.aside)
    ))]
    LeftAside {
        /// Where it is.
        aside: PathBuf,
    },
    /// Another system call failed.
    #[error("{}", tr!("cannot be removed: {doing}: {cause}", doing = translated(.doing), cause = .errno.desc()))]
    Failed {
        /// Which.
        doing: &'static str,
        /// How.
        errno: Errno,
    },
}

impl CleanError {
    /// What a failed change of names means where nothing more is known.
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
}
