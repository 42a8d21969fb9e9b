//! Directories that only this user may enter, for files that other programs are to read.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use muxtray::model::ids::UserId;
use muxtray::observe::accounts;

/// A directory that only this user may enter. Removed with all that is in it when dropped.
#[derive(Debug)]
pub(crate) struct PrivateDirectory(PathBuf);

impl PrivateDirectory {
    /// Makes one whose name begins with `prefix`, and removes those that earlier runs could not remove.
    ///
    /// # Errors
    /// Where neither the runtime directory nor the one for temporary files can be written to.
    pub(crate) fn new(prefix: &str) -> io::Result<Self> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        Self::below(runtime.as_deref(), prefix)
    }

    fn below(runtime: Option<&Path>, prefix: &str) -> io::Result<Self> {
        if let Some(runtime) = runtime {
            match home(runtime).and_then(|home| {
                remove_old(&home, prefix);
                fresh(&home, prefix)
            }) {
                Ok(path) => return Ok(Self(path)),
                Err(error) => tracing::warn!(
                    "cannot use {}: {error}; using the directory for temporary files",
                    runtime.join("muxtray").display()
                ),
            }
        }
        fresh(&std::env::temp_dir(), &format!("muxtray-{prefix}")).map(Self)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::debug!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// `$XDG_RUNTIME_DIR/muxtray`, with nobody else's fingers in it.
fn home(runtime: &Path) -> io::Result<PathBuf> {
    let home = runtime.join("muxtray");
    match DirBuilder::new().mode(0o700).create(&home) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let found = fs::symlink_metadata(&home)?;
    if !found.is_dir() {
        return Err(io::Error::other("not a directory"));
    }
    let user = UserId(nix::unistd::geteuid().as_raw());
    if found.uid() != user.0 || accounts::lets_others_write(&File::open(&home)?, &found, user) {
        return Err(io::Error::other("others may write to it"));
    }
    Ok(home)
}

/// A new directory with a name that nobody could foresee, mode 0700.
fn fresh(parent: &Path, prefix: &str) -> io::Result<PathBuf> {
    Ok(nix::unistd::mkdtemp(
        &parent.join(format!("{prefix}XXXXXX")),
    )?)
}

/// Removes what earlier runs left that were killed: a directory each. The one instance of the session calls this.
fn remove_old(home: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(home) else {
        return;
    };
    for entry in entries.flatten() {
        let old = entry.file_type().is_ok_and(|kind| kind.is_dir())
            && entry.file_name().to_string_lossy().starts_with(prefix);
        if old && let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::debug!("cannot remove {}: {error}", entry.path().display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn the_directory_is_private_and_vanishes() {
        let runtime = tempfile::tempdir().unwrap();
        let directory = PrivateDirectory::below(Some(runtime.path()), "icons-").unwrap();
        let path = directory.path().to_owned();
        assert!(path.starts_with(runtime.path().join("muxtray")), "{path:?}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_run_left_is_removed() {
        let runtime = tempfile::tempdir().unwrap();
        let left = runtime.path().join("muxtray/icons-left00");
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(&left).unwrap();
        fs::write(left.join("tray-icon-1-0.png"), "").unwrap();
        let other = runtime.path().join("muxtray/other");
        fs::create_dir(&other).unwrap();
        let _directory = PrivateDirectory::below(Some(runtime.path()), "icons-").unwrap();
        assert!(!left.exists());
        assert!(other.exists());
    }

    #[test]
    fn a_directory_that_is_not_ours_alone_is_not_used() {
        for prepare in [
            (|path| symlink("/tmp", path).unwrap()) as fn(&Path),
            |path| fs::write(path, "").unwrap(),
            |path| {
                fs::create_dir(path).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
            },
        ] {
            let runtime = tempfile::tempdir().unwrap();
            prepare(&runtime.path().join("muxtray"));
            let directory = PrivateDirectory::below(Some(runtime.path()), "icons-").unwrap();
            assert!(!directory.path().starts_with(runtime.path()));
            assert_eq!(
                fs::metadata(directory.path()).unwrap().mode() & 0o777,
                0o700
            );
        }
    }
}
