//! The files that ssh rejects, and how it accepts them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::model::text;

/// A file that ssh rejects. ssh wants it to be readable, the user's or root's, and not writable by others
/// (`read_config_file_depth()` in readconf.c). Only ssh decides this: Debian and Ubuntu accept a file that the user's
/// private group may write to (user-group-modes.patch).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfigFile {
    word: String,
    owner: u32,
    /// Whether its owner has no id in this user namespace.
    is_unmapped: bool,
    is_in_home: bool,
    is_symlink: bool,
    is_readable: bool,
}

/// The owner of files if their owner has no id in the user namespace (user_namespaces(7)); the kernel's default.
const OVERFLOW_UID: u32 = 65534;

impl ConfigFile {
    pub(super) fn read(path: &Path, home: &Path) -> Self {
        let owner = fs::metadata(path).map_or(0, |stat| stat.uid());
        let maps_all = || {
            let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
            map.split_whitespace().eq(["0", "0", "4294967295"])
        };
        Self {
            word: text::shell_word(path.as_os_str()),
            owner,
            is_unmapped: owner == OVERFLOW_UID && !maps_all(),
            is_in_home: path.starts_with(home),
            is_symlink: path.is_symlink(),
            is_readable: access(path, AccessFlags::R_OK).is_ok(),
        }
    }

    /// Returns the command after which ssh accepts the file; `None` if there is none here.
    pub(super) fn command(&self, user: u32) -> Option<String> {
        let word = &self.word;
        let sudo = if self.owner == user { "" } else { "sudo " };
        if self.owner != user && self.owner != 0 {
            // A package manager's file, such as Nix's: a copy is the user's.
            if self.is_in_home && self.is_symlink && self.is_readable {
                let copy = format!("cp --remove-destination \"$(readlink -f {word})\" {word}");
                return Some(copy);
            }
            let owner = if self.is_in_home { user } else { 0 };
            return (!self.is_unmapped).then(|| format!("sudo chown {owner} {word}"));
        }
        Some(match self.is_readable {
            true => format!("{sudo}chmod go-w {word}"),
            false if self.owner == user => format!("chmod u+r {word}"),
            false if self.is_in_home => format!("sudo chown {user} {word}"),
            false => format!("sudo chmod a+r {word}"),
        })
    }
}

/// Returns the file that ssh cannot open, or rejects for its owner or mode.
pub(super) fn rejected_file(message: &str) -> Option<PathBuf> {
    // ssh may print two slashes. A name that was escaped is not found.
    let file: PathBuf = Path::new(rejected_path(message)?).components().collect();
    file.exists().then_some(file)
}

fn rejected_path(message: &str) -> Option<&str> {
    message
        .strip_prefix("Bad owner or permissions on ")
        .or_else(|| {
            // Newer versions of ssh begin with the line of the Include.
            let (_, file) = message.split_once("Can't open user config file ")?;
            file.strip_suffix(": Permission denied")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_the_one_that_ssh_names() {
        for (message, path) in [
            ("Bad owner or permissions on /a b", Some("/a b")),
            (
                "Can't open user config file /a b: Permission denied",
                Some("/a b"),
            ),
            (
                "/c line 1: Can't open user config file /a: Permission denied",
                Some("/a"),
            ),
            ("Can't open user config file /a: No such file", None),
            ("/c line 1: Bad configuration option: x", None),
        ] {
            assert_eq!(rejected_path(message), path, "{message}");
        }
    }

    #[test]
    fn command_makes_ssh_accept_the_file() {
        let mine = ConfigFile {
            word: "f".to_owned(),
            owner: 1000,
            is_unmapped: false,
            is_in_home: true,
            is_symlink: false,
            is_readable: true,
        };
        let roots = ConfigFile {
            owner: 0,
            is_in_home: false,
            ..mine.clone()
        };
        let others = ConfigFile {
            owner: 7,
            ..mine.clone()
        };
        let unreadable = |file: &ConfigFile| ConfigFile {
            is_readable: false,
            ..file.clone()
        };
        for (file, command) in [
            (mine.clone(), Some("chmod go-w f")),
            (unreadable(&mine), Some("chmod u+r f")),
            (roots.clone(), Some("sudo chmod go-w f")),
            (unreadable(&roots), Some("sudo chmod a+r f")),
            (others.clone(), Some("sudo chown 1000 f")),
            (
                ConfigFile {
                    is_symlink: true,
                    ..others.clone()
                },
                Some("cp --remove-destination \"$(readlink -f f)\" f"),
            ),
            (
                ConfigFile {
                    owner: 7,
                    ..roots.clone()
                },
                Some("sudo chown 0 f"),
            ),
            (
                ConfigFile {
                    owner: OVERFLOW_UID,
                    is_unmapped: true,
                    ..roots
                },
                None,
            ),
        ] {
            assert_eq!(file.command(1000).as_deref(), command, "{file:?}");
        }
    }
}
