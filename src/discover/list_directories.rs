//! From a [`Pattern`] to directories and names, by listing directories and nothing else: no file is looked at.
//!
//! Two bounds keep a look short whatever the disk holds: [`MAX_ENTRIES`] names of one directory, and
//! [`MAX_DIRECTORIES`] directories for one pattern.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::model::control_path::{Component, Pattern};

/// As many names of one directory are looked at.
pub(super) const MAX_ENTRIES: usize = 50_000;

/// As many directories does one pattern expand to.
pub(super) const MAX_DIRECTORIES: usize = 1_000;

/// How far the listing of a directory went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    /// To the end: a name that was not seen is not there.
    Complete,
    /// There is no such directory, so nothing is in it.
    Missing,
    /// It could not be read, or not to its end: anything may be there.
    Unknown,
}

/// Whether wildcards in the directory part of a pattern go through symbolic links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// As glob(3) does.
    Follow,
    /// A directory entry that is a link is left alone. Links in the plain part of a path always work.
    Skip,
}

/// Calls `each` with every name of a directory but `.` and `..`, and its type where the filesystem tells.
pub(super) fn list(directory: &Path, mut each: impl FnMut(&[u8], Option<Type>)) -> Listing {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let mut opened = match Dir::open(directory, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Listing::Missing,
        Err(_) => return Listing::Unknown,
    };
    let mut seen = 0;
    for entry in opened.iter() {
        let Ok(entry) = entry else {
            return Listing::Unknown;
        };
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        seen += 1;
        if seen > MAX_ENTRIES {
            return Listing::Unknown;
        }
        each(name, entry.file_type());
    }
    Listing::Complete
}

/// The directories that the pattern's last component can lie in. Those without a wildcard are not looked for.
pub(super) fn directories(pattern: &Pattern, links: Links) -> (Vec<PathBuf>, &Component) {
    directories_by(pattern, links, |_, _| {})
}

/// The same; `wild` gets every directory on the way that a component with a wildcard is looked for in, and that
/// component.
pub(super) fn directories_by(
    pattern: &Pattern,
    links: Links,
    mut wild: impl FnMut(&Path, &Component),
) -> (Vec<PathBuf>, &Component) {
    let mut directories = vec![pattern.root().to_path_buf()];
    let mut rest = pattern.components().iter();
    let name = rest
        .next_back()
        .expect("a pattern has at least one component");
    for component in rest {
        directories = match component.as_literal() {
            Some(literal) => directories
                .into_iter()
                .map(|directory| directory.join(literal))
                .collect(),
            None => {
                directories
                    .iter()
                    .for_each(|parent| wild(parent, component));
                matching_directories(&directories, component, links)
            }
        };
    }
    (directories, name)
}

fn matching_directories(parents: &[PathBuf], component: &Component, links: Links) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for parent in parents {
        list(parent, |name, kind| {
            let can_be_directory = match kind {
                Some(Type::Directory) | None => true,
                Some(Type::Symlink) => links == Links::Follow,
                Some(_) => false,
            };
            if can_be_directory && found.len() < MAX_DIRECTORIES && component.matches(name) {
                found.push(parent.join(OsStr::from_bytes(name)));
            }
        });
        if found.len() >= MAX_DIRECTORIES {
            break;
        }
    }
    found
}

/// Every path that the pattern stands for and that a directory shows, sorted by its bytes as glob(3) sorts; for a
/// pattern without wildcards its one path, whether it is there or not.
pub(super) fn paths(pattern: &Pattern) -> Vec<PathBuf> {
    if let Some(path) = pattern.as_literal() {
        return vec![path.as_path().to_path_buf()];
    }
    let (directories, component) = directories(pattern, Links::Follow);
    let mut paths = Vec::new();
    for directory in directories {
        match component.as_literal() {
            Some(literal) => paths.push(directory.join(literal)),
            None => {
                list(&directory, |name, _| {
                    if component.matches(name) {
                        paths.push(directory.join(OsStr::from_bytes(name)));
                    }
                });
            }
        }
    }
    paths.sort_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    paths
}
