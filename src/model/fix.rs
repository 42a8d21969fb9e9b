//! [`Fix`]: what muxtray can mend by itself without harm, as a value. `actions::fix` carries it out, and proves again
//! what it stands on; everything that is not one of these is told as a command for a person to run.

use std::path::PathBuf;

use tr::tr;

use super::ids::{DirectoryId, Target};

/// A safe remedy, and what it was judged for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[must_use]
pub enum Fix {
    /// Make this directory and what is missing above it, for the user alone (mode 0700).
    MakeDirectory(PathBuf),
    /// Take the write permission of group and others from this directory of the user's.
    CloseDirectory {
        /// Where, without symlinks.
        path: PathBuf,
        /// Which.
        id: DirectoryId,
    },
    /// Give this socket of the user's the mode 0600.
    CloseSocket(Target),
    /// Remove this socket, after proving once more that nobody listens on it.
    Clean {
        /// Which.
        target: Target,
        /// Whether it is the temporary name of a start that broke off.
        is_leftover: bool,
    },
}

impl Fix {
    /// A few words for a menu entry or button.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::MakeDirectory(_) => tr!("Make the directory"),
            Self::CloseDirectory { .. } => tr!("Close the directory to others"),
            Self::CloseSocket(_) => tr!("Close the socket to others"),
            Self::Clean { .. } => tr!("Clean"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::in_state;
    use crate::model::socket::State;

    #[test]
    fn each_says_what_it_does() {
        let target = in_state(State::Stale).target();
        let id = DirectoryId {
            device: 1,
            inode: 2,
        };
        let path = PathBuf::from("/s");
        for (fix, label) in [
            (Fix::MakeDirectory(path.clone()), "Make the directory"),
            (
                Fix::CloseDirectory { path, id },
                "Close the directory to others",
            ),
            (
                Fix::CloseSocket(target.clone()),
                "Close the socket to others",
            ),
            (
                Fix::Clean {
                    target,
                    is_leftover: true,
                },
                "Clean",
            ),
        ] {
            assert_eq!(fix.label(), label);
        }
    }
}
