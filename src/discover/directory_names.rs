//! One name for each directory of control sockets. A symlink or a bind mount can give it a second one, and its sockets
//! would be observed twice.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::model::control_path::ControlPath;
use crate::model::directory::DirectoryId;
use crate::model::places::Places;

/// From each name to the one that is used: not a symlink, or else the shorter.
#[derive(Debug, Default)]
pub(super) struct DirectoryNames(HashMap<PathBuf, PathBuf>);

impl DirectoryNames {
    /// Examines each directory. `is_preferred` outweighs the other rules.
    pub(super) fn of<'a>(
        directories: impl IntoIterator<Item = &'a Path>,
        is_preferred: impl Fn(&Path) -> bool,
    ) -> Self {
        let directories: BTreeSet<&Path> = directories.into_iter().collect();
        if directories.len() < 2 {
            return Self::default();
        }
        let mut names: BTreeMap<DirectoryId, Vec<&Path>> = BTreeMap::new();
        for directory in directories {
            if let Some(id) = id(directory) {
                names.entry(id).or_default().push(directory);
            }
        }
        let rank = |name: &&Path| {
            let length = name.as_os_str().len();
            (Reverse(is_preferred(name)), name.is_symlink(), length)
        };
        let mut used = HashMap::new();
        for names in names.into_values().filter(|names| names.len() > 1) {
            let best = names.iter().copied().min_by_key(rank).unwrap_or(names[0]);
            let others = names.into_iter().filter(|name| *name != best);
            used.extend(others.map(|name| (name.to_owned(), best.to_owned())));
        }
        Self(used)
    }

    pub(super) fn used(&self, directory: &Path) -> Option<&Path> {
        self.0.get(directory).map(PathBuf::as_path)
    }

    pub(super) fn rename(&self, places: &mut Places) {
        if self.0.is_empty() {
            return;
        }
        for host in places.hosts.iter_mut().chain(&mut places.unnamed_host) {
            if let Some(path) = &mut host.control_path
                && let Some(used) = self.used(path.directory())
            {
                *path = in_directory(used, path);
            }
        }
    }
}

/// Gives the ControlPaths of the hosts one name for each directory, as every scan does.
pub fn unify_directories(places: &mut Places) {
    let hosts = || places.hosts.iter().chain(&places.unnamed_host);
    let directories = hosts().filter_map(|host| Some(host.control_path.as_ref()?.directory()));
    DirectoryNames::of(directories, |_| false).rename(places);
}

pub(super) fn in_directory(directory: &Path, path: &ControlPath) -> ControlPath {
    ControlPath::in_directory(directory, OsStr::from_bytes(path.name()))
}

pub(super) fn id(directory: &Path) -> Option<DirectoryId> {
    let metadata = directory.metadata().ok()?;
    Some(DirectoryId {
        device: metadata.dev(),
        inode: metadata.ino(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn directory_has_the_name_without_symlink_or_the_shorter() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        fs::create_dir_all(at("var/home/s")).unwrap();
        symlink("var/home", at("home")).unwrap();
        symlink("s", at("var/home/l")).unwrap();
        let all = ["home/s", "var/home/s", "var/home/l", "home", "missing"].map(at);
        let of = |is_preferred: &dyn Fn(&Path) -> bool| {
            let names = DirectoryNames::of(all.iter().map(PathBuf::as_path), is_preferred);
            all.clone()
                .map(|name| names.used(&name).map(Path::to_owned))
        };
        let short = Some(at("home/s"));
        assert_eq!(of(&|_| false), [None, short.clone(), short, None, None]);
        let link = Some(at("var/home/l"));
        assert_eq!(
            of(&|name| name.ends_with("l")),
            [link.clone(), link, None, None, None]
        );
    }
}
