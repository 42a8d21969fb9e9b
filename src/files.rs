//! Files that muxtray writes below the user's home: replaced whole, or left as they were.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::unistd::{AccessFlags, access};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tr::tr;

use crate::model::text;
use crate::privilege;

/// New content for a file, under a temporary name beside it. Removed on drop, unless it was committed.
///
/// The crate tempfile would not do: it hides the errno of a failed creation behind a message of its own.
#[derive(Debug)]
pub(crate) struct Replacement {
    file: File,
    temporary: PathBuf,
    /// The file to replace, with symlinks resolved.
    target: PathBuf,
    is_committed: bool,
}

impl Replacement {
    /// Writes the content beside the file and syncs it, with the file's mode and owner. If there is no file, makes its
    /// directory and uses mode 0600.
    ///
    /// Fails if the file cannot be opened for writing, or the path is a dangling symlink.
    pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<Self> {
        // Opened for writing, because a rename would replace a read-only file too.
        let (target, old) = match File::options().append(true).open(path) {
            Ok(old) => (fs::canonicalize(path)?, Some(old.metadata()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
                make_parent(path)?;
                (path.to_owned(), None)
            }
            Err(error) => return Err(error),
        };
        let mut new = Self::create(target)?;
        new.file.write_all(content)?;
        if let Some(old) = old {
            let created = new.file.metadata()?;
            if (created.uid(), created.gid()) != (old.uid(), old.gid()) {
                fchown(&new.file, Some(old.uid()), Some(old.gid()))?;
            }
            let mode = Permissions::from_mode(old.mode() & 0o7777);
            new.file.set_permissions(mode)?;
        }
        new.file.sync_all()?;
        Ok(new)
    }

    /// An empty file in the target's own directory, because a rename cannot cross filesystems.
    fn create(target: PathBuf) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let mut name = OsString::from(".");
            name.push(target.file_name().ok_or(io::ErrorKind::InvalidInput)?);
            name.push(format!(".{}.{count}", std::process::id()));
            let temporary = target.with_file_name(name);
            let mut options = File::options();
            match options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&temporary)
            {
                Ok(file) => {
                    return Ok(Self {
                        file,
                        temporary,
                        target,
                        is_committed: false,
                    });
                }
                // Left by a killed process that had this id: in a container every muxtray may have the same.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.temporary
    }

    /// Renames the new content over the file, and syncs the directory so that this survives a power failure. After an
    /// error the file is as it was.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        self.rename()?;
        // Some filesystems cannot sync a directory.
        if let Some(directory) = self.target.parent() {
            let _ = File::open(directory).and_then(|directory| directory.sync_all());
        }
        Ok(())
    }

    fn rename(&mut self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.target)?;
        self.is_committed = true;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.is_committed {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Reads a JSON file that only muxtray writes. Returns `None` if it is missing, not a regular file, larger than
/// `max_bytes`, not owned by `uid`, writable by others, or not a `T`.
pub(crate) fn read_private_json<T: DeserializeOwned>(
    path: &Path,
    uid: u32,
    max_bytes: u64,
) -> Option<T> {
    let file = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    let stat = file.metadata().ok()?;
    let is_private = stat.is_file() && stat.uid() == uid && stat.mode() & 0o022 == 0;
    if !is_private || stat.len() > max_bytes {
        return None;
    }
    // With a byte left, the read that finds the end does not grow it.
    let mut content = Vec::with_capacity(usize::try_from(stat.len()).ok()? + 1);
    file.take(max_bytes).read_to_end(&mut content).ok()?;
    serde_json::from_slice(&content).ok()
}

/// Replaces a JSON file that only muxtray writes, with mode 0600; makes its directory. Without sync: the file is a cache.
pub(crate) fn write_private_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    make_parent(path)?;
    let mut new = Replacement::create(path.to_owned())?;
    new.file.write_all(&serde_json::to_vec(value)?)?;
    new.rename()
}

/// Makes the directory of a file that muxtray is about to create, with those above it that are missing, mode 0700; but
/// never the home directory: if that is missing, it is not mounted, and would be hidden when it is.
pub(crate) fn make_parent(file: &Path) -> io::Result<()> {
    privilege::check_new_file(file)?;
    let Some(directory) = file.parent() else {
        return Ok(());
    };
    let home = std::env::home_dir();
    let below = home
        .as_ref()
        .and_then(|home| Some((home, directory.strip_prefix(home).ok()?)));
    let Some((home, below)) = below else {
        return private().recursive(true).create(directory);
    };
    if !home.is_dir() {
        let home = text::path(home);
        let message = tr!("the home directory {path} does not exist", path = home);
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    make_below(home, below)
}

/// Not recursively: that would make the home again if it has gone by now.
fn make_below(home: &Path, below: &Path) -> io::Result<()> {
    let mut directory = home.to_owned();
    for name in below {
        directory.push(name);
        if let Err(error) = private().create(&directory)
            && !directory.is_dir()
        {
            return Err(error);
        }
    }
    Ok(())
}

fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// Whether this process may execute the file.
pub(crate) fn is_program(file: &Path) -> bool {
    file.is_file() && access(file, AccessFlags::X_OK).is_ok()
}

/// A path to the very file of a descriptor, whatever its name leads to now. It is short, and valid while the descriptor is
/// open.
pub(crate) fn path_of(descriptor: &impl AsRawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()))
}

pub(crate) fn write_error(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            tr!("{error}; free some space and try again", error)
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        let mut names: Vec<String> = entries.map(|entry| name(entry).unwrap()).collect();
        names.sort();
        names
    }

    fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
        Replacement::write(path, content)?.commit()
    }

    #[test]
    fn new_file_is_private_and_old_one_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/file");
        let mode = || fs::metadata(&path).unwrap().mode() & 0o7777;
        replace(&path, b"one").unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode()), (b"one".to_vec(), 0o600));
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode()), (b"two".to_vec(), 0o640));
        assert_eq!(names(path.parent().unwrap()), ["file"]);
    }

    #[test]
    fn dropped_replacement_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "old").unwrap();
        let replacement = Replacement::write(&path, b"new").unwrap();
        assert_eq!(fs::read(replacement.path()).unwrap(), b"new");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(replacement);
        assert_eq!(names(directory.path()), ["file"]);
    }

    #[test]
    fn files_left_by_a_killed_process_do_not_matter() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for count in 0..1000 {
            let left = format!(".file.{}.{count}", std::process::id());
            fs::write(directory.path().join(left), "left").unwrap();
        }
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(directory.path()).len(), 1001);
    }

    #[test]
    fn symlink_stays_and_its_target_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("dotfiles/real");
        let link = directory.path().join("link");
        fs::create_dir(real.parent().unwrap()).unwrap();
        fs::write(&real, "old").unwrap();
        symlink("dotfiles/real", &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert_eq!(names(directory.path()), ["dotfiles", "link"]);
    }

    #[test]
    fn home_that_goes_away_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        let make = || make_below(&home, Path::new(".cache/muxtray"));
        assert_eq!(make().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(names(directory.path()), [""; 0]);
        fs::create_dir(&home).unwrap();
        for _ in 0..2 {
            make().unwrap();
        }
        let made = fs::metadata(home.join(".cache/muxtray")).unwrap();
        assert_eq!(made.mode() & 0o7777, 0o700);
        fs::write(home.join("file"), "").unwrap();
        let error = make_below(&home, Path::new("file/muxtray")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn dangling_symlink_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink("gone", &link).unwrap();
        let error = replace(&link, b"new").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(names(directory.path()), ["link"]);
    }

    #[test]
    fn private_file_is_read_only_if_nobody_else_can_write_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made/cache");
        let uid = nix::unistd::geteuid().as_raw();
        write_private_json(&path, &"12345").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(read_private_json(&path, uid, 7), Some("12345".to_owned()));
        assert_eq!(read_private_json::<String>(&path, uid, 6), None);
        assert_eq!(read_private_json::<String>(&path, uid + 1, 7), None);
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(read_private_json::<String>(&link, uid, 7), None);
        fs::set_permissions(&path, Permissions::from_mode(0o602)).unwrap();
        assert_eq!(read_private_json::<String>(&path, uid, 7), None);
    }

    #[test]
    fn full_disk_comes_with_remedy() {
        for (errno, has_remedy) in [
            (nix::errno::Errno::ENOSPC, true),
            (nix::errno::Errno::EDQUOT, true),
            (nix::errno::Errno::EACCES, false),
        ] {
            let text = write_error(&errno.into());
            assert_eq!(text.contains("free some space"), has_remedy, "{text}");
        }
    }
}
