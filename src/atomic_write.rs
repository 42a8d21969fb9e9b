//! A file's new text in the place of the old, whole or not at all: whoever reads it meanwhile, and whatever fails in
//! between, sees the one or the other.
//!
//! Knows nothing of what the text means. It is for the few files of the user's that muxtray changes.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tr::tr;

use crate::model::text;
use crate::privilege;

/// A new text that lies beside the file it is for, on disk, not yet in its place. Gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Draft {
    temporary: PathBuf,
    /// The file itself, at the end of all symbolic links.
    file: PathBuf,
    is_placed: bool,
}

impl Draft {
    /// Writes the text beside the file, with the file's own mode and owner. A file that its mode protects from being
    /// written stays protected. Where there is none yet, its directory is made and the mode is 0600.
    ///
    /// # Errors
    /// The system call's own, and those of [`privilege::check_new_file`]; nothing of the text is left then.
    pub(crate) fn write(path: &Path, text: &[u8]) -> io::Result<Self> {
        let (file, old) = match File::options().append(true).open(path) {
            Ok(old) => (fs::canonicalize(path)?, Some(old.metadata()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A link that leads to nothing is somebody's intention, and not known well enough to carry it out.
                if path.symlink_metadata().is_ok() {
                    return Err(error);
                }
                (path.to_owned(), None)
            }
            Err(error) => return Err(error),
        };
        let draft = Self {
            temporary: beside(&file)?,
            file,
            is_placed: false,
        };
        if old.is_none() {
            privilege::check_new_file(&draft.file)?;
        }
        if old.is_none()
            && let Some(directory) = draft.file.parent()
        {
            make_directory(directory)?;
        }
        let mut temporary = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft.temporary)?;
        temporary.write_all(text)?;
        if let Some(old) = old {
            let new = temporary.metadata()?;
            if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                fchown(&temporary, Some(old.uid()), Some(old.gid()))?;
            }
            temporary.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
        }
        temporary.sync_all()?;
        Ok(draft)
    }

    /// Where the text lies now, to be read again before it counts.
    pub(crate) fn path(&self) -> &Path {
        &self.temporary
    }

    /// Puts it into the file's place.
    ///
    /// # Errors
    /// The system call's own; the old file is there as it was.
    pub(crate) fn put_in_place(mut self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.file)?;
        self.is_placed = true;
        // The rename itself is to outlive a power cut; where a filesystem knows no such thing, it is done all the same.
        if let Some(directory) = self.file.parent() {
            let _ = File::open(directory).and_then(|directory| directory.sync_all());
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_placed {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes a directory of the user's, private, with those above it that are missing; but no home. One that is not there
/// is not mounted yet, or not any more, and what would be made in its place would be hidden or in the way.
///
/// # Errors
/// The system call's own, or that the home directory is not there.
pub(crate) fn make_directory(directory: &Path) -> io::Result<()> {
    if let Some(home) = std::env::home_dir()
        && directory.starts_with(&home)
        && !home.is_dir()
    {
        let home = text::path(&home);
        let words = tr!("the home directory {path} is not there", path = home);
        return Err(io::Error::new(io::ErrorKind::NotFound, words));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

/// A name that nobody else has, in the same directory: a rename does not lead from one filesystem to another.
pub(crate) fn beside(file: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.{count}", std::process::id()));
    Ok(file.with_file_name(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| {
            let name = entry.unwrap().file_name();
            name.into_string().unwrap()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/file");
        let mode = || fs::metadata(&path).unwrap().mode() & 0o7777;
        Draft::write(&path, b"one").unwrap().put_in_place().unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode()), (b"one".to_vec(), 0o600));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        Draft::write(&path, b"two").unwrap().put_in_place().unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode()), (b"two".to_vec(), 0o640));
        assert_eq!(names(path.parent().unwrap()), ["file"]);
    }

    #[test]
    fn a_draft_that_is_not_wanted_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "old").unwrap();
        let draft = Draft::write(&path, b"new").unwrap();
        assert_eq!(fs::read(draft.path()).unwrap(), b"new");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(draft);
        assert_eq!(names(directory.path()), ["file"]);
    }

    #[test]
    fn a_link_stays_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (
            directory.path().join("dotfiles/real"),
            directory.path().join("link"),
        );
        fs::create_dir(real.parent().unwrap()).unwrap();
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink("dotfiles/real", &link).unwrap();
        Draft::write(&link, b"new").unwrap().put_in_place().unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert_eq!(names(directory.path()), ["dotfiles", "link"]);
    }

    #[test]
    fn a_link_to_nothing_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("gone", &link).unwrap();
        let error = Draft::write(&link, b"new").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(names(directory.path()), ["link"]);
    }
}
