//! Directories with mode 0700 for files that other programs read.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use muxtray::xdg;
use nix::unistd::{geteuid, mkdtemp};

/// Removed with its content when dropped.
#[derive(Debug)]
pub(crate) struct PrivateDirectory(PathBuf);

impl PrivateDirectory {
    /// Makes a directory with the name prefix `prefix`, and removes those left by earlier runs.
    pub(crate) fn new(prefix: &str) -> io::Result<Self> {
        let runtime = xdg::directory("XDG_RUNTIME_DIR");
        Self::below(runtime.as_deref(), prefix)
    }

    fn below(runtime: Option<&Path>, prefix: &str) -> io::Result<Self> {
        if let Some(runtime) = runtime {
            match parent_directory(runtime).and_then(|parent_directory| {
                remove_old(&parent_directory, prefix);
                make_directory(&parent_directory, prefix)
            }) {
                Ok(path) => return Ok(Self(path)),
                Err(error) => tracing::warn!(
                    "cannot use {}: {error}; using the directory for temporary files",
                    runtime.join("muxtray").display()
                ),
            }
        }
        make_directory(&std::env::temp_dir(), &format!("muxtray-{prefix}")).map(Self)
    }

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

/// Returns `$XDG_RUNTIME_DIR/muxtray`, made if missing. Fails if other users can write to it.
fn parent_directory(runtime: &Path) -> io::Result<PathBuf> {
    let parent_directory = runtime.join("muxtray");
    match DirBuilder::new().mode(0o700).create(&parent_directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let found = fs::symlink_metadata(&parent_directory)?;
    if !found.is_dir() {
        return Err(io::Error::other("not a directory"));
    }
    if found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write to it"));
    }
    Ok(parent_directory)
}

/// Makes a directory with an unpredictable name and mode 0700.
fn make_directory(parent: &Path, prefix: &str) -> io::Result<PathBuf> {
    Ok(mkdtemp(&parent.join(format!("{prefix}XXXXXX")))?)
}

/// Removes directories left by killed runs. Safe because only one instance runs in a session.
fn remove_old(parent_directory: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(parent_directory) else {
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
    fn directory_is_private_and_removed_on_drop() {
        let runtime = tempfile::tempdir().unwrap();
        let directory = PrivateDirectory::below(Some(runtime.path()), "icons-").unwrap();
        let path = directory.path().to_owned();
        assert!(path.starts_with(runtime.path().join("muxtray")), "{path:?}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn removes_directories_of_killed_runs() {
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
    fn rejects_directory_writable_by_others() {
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
