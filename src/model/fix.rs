//! [`Fix`]: a repair that muxtray can make safely. `actions::fix` verifies the facts again and makes it; any other
//! remedy is a command for the user to run.

use std::path::PathBuf;

use tr::tr;

use super::ids::{DirectoryId, Target};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[must_use]
pub enum Fix {
    MakeDirectory(PathBuf),
    /// Remove the write permission of group and others from a directory that the user owns.
    CloseDirectory {
        path: PathBuf,
        id: DirectoryId,
    },
    CloseSocket(Target),
    Clean(Target),
}

impl Fix {
    pub fn label(&self) -> String {
        match self {
            Self::MakeDirectory(_) => tr!("Make the directory"),
            Self::CloseDirectory { .. } => tr!("Close the directory to others"),
            Self::CloseSocket(_) => tr!("Close the socket to others"),
            Self::Clean(_) => tr!("Clean"),
        }
    }
}
