//! Expands a [`Pattern`] by listing directories only. The limits bound the time, whatever the disk holds.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::model::control_path::{Component, Pattern};

const MAX_ENTRIES: usize = 50_000;

/// The limit of directories that one pattern expands to.
const MAX_DIRECTORIES: usize = 1_000;

/// Whether wildcards in the directory part of a pattern match symbolic links. Without wildcards, links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// As glob(3) does.
    Follow,
    Skip,
}

/// Calls `each` with every name in a directory except `.` and `..`, and with its type if the filesystem reports it. Returns
/// `false` if the directory could not be read, or has more names than the limit: then any name may exist.
pub(super) fn list(directory: &Path, mut each: impl FnMut(&[u8], Option<Type>)) -> bool {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let mut opened = match Dir::open(directory, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(errno) => return matches!(errno, Errno::ENOENT | Errno::ENOTDIR),
    };
    let mut seen = 0;
    for entry in opened.iter() {
        let Ok(entry) = entry else {
            return false;
        };
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        seen += 1;
        if seen > MAX_ENTRIES {
            return false;
        }
        each(name, entry.file_type());
    }
    true
}

/// The subdirectories of each directory that was listed, so that patterns with the same parent list it once.
#[derive(Debug)]
pub(super) struct Subdirectories {
    links: Links,
    listed: HashMap<PathBuf, Vec<OsString>>,
}

impl Subdirectories {
    pub(super) fn new(links: Links) -> Self {
        Self {
            links,
            listed: HashMap::new(),
        }
    }

    fn of(&mut self, parent: &Path) -> &[OsString] {
        self.listed.entry(parent.to_owned()).or_insert_with(|| {
            let mut names = Vec::new();
            list(parent, |name, kind| {
                let can_be_directory = match kind {
                    Some(Type::Directory) | None => true,
                    Some(Type::Symlink) => self.links == Links::Follow,
                    Some(_) => false,
                };
                if can_be_directory {
                    names.push(OsStr::from_bytes(name).to_owned());
                }
            });
            names
        })
    }

    /// Returns the directories in which the pattern's last component can match, and that component. A directory without
    /// a wildcard may not exist. Calls `on_wildcard` with every directory that is listed, and the component with the
    /// wildcard.
    pub(super) fn directories<'a>(
        &mut self,
        pattern: &'a Pattern,
        mut on_wildcard: impl FnMut(&Path, &Component),
    ) -> (Vec<PathBuf>, &'a Component) {
        let mut directories = vec![pattern.root().to_path_buf()];
        let mut rest = pattern.components().iter();
        let name = rest
            .next_back()
            .expect("a pattern has at least one component");
        for component in rest {
            let mut found = Vec::new();
            for parent in directories {
                if let Some(literal) = component.as_literal() {
                    found.push(parent.join(literal));
                    continue;
                }
                on_wildcard(&parent, component);
                let names = self.of(&parent).iter();
                let matching = names.filter(|name| component.matches(name.as_bytes()));
                let free = MAX_DIRECTORIES.saturating_sub(found.len());
                found.extend(matching.take(free).map(|name| parent.join(name)));
            }
            directories = found;
        }
        (directories, name)
    }
}

/// Returns the paths that match, sorted by their bytes as glob(3) does. A pattern without wildcards matches its one path,
/// whether or not it exists.
pub(super) fn paths(pattern: &Pattern) -> Vec<PathBuf> {
    if let Some(path) = pattern.as_literal() {
        return vec![path.as_path().to_path_buf()];
    }
    let (directories, component) =
        Subdirectories::new(Links::Follow).directories(pattern, |_, _| {});
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
