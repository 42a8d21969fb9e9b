//! The icon's three looks, built in, and the private directory through which a panel gets to see them.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use muxtray::core::view::Icon as Look;
use tray_icon::Icon;

/// What the names of our directories in the runtime directory begin with.
const PREFIX: &str = "icons-";

/// The looks, decoded once.
pub(crate) struct Icons {
    idle: Icon,
    running: Icon,
    attention: Icon,
}

impl Icons {
    /// Decodes what is built in.
    ///
    /// # Errors
    /// Never, unless the build took a picture of the wrong kind.
    pub(crate) fn new() -> Result<Self, String> {
        Ok(Self {
            idle: decode(include_bytes!("../../icons/tray/idle.png"))?,
            running: decode(include_bytes!("../../icons/tray/running.png"))?,
            attention: decode(include_bytes!("../../icons/tray/attention.png"))?,
        })
    }

    /// The picture of a look.
    pub(crate) fn of(&self, look: Look) -> Icon {
        match look {
            Look::Idle => self.idle.clone(),
            Look::Running => self.running.clone(),
            Look::Attention => self.attention.clone(),
        }
    }
}

fn decode(picture: &'static [u8]) -> Result<Icon, String> {
    let mut decoder = png::Decoder::new(io::Cursor::new(picture));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let mut pixels = vec![0; reader.output_buffer_size().unwrap_or(0)];
    let frame = reader
        .next_frame(&mut pixels)
        .map_err(|error| error.to_string())?;
    pixels.truncate(frame.buffer_size());
    Icon::from_rgba(pixels, frame.width, frame.height).map_err(|error| error.to_string())
}

/// A directory that only this user may enter, for the picture files the panel reads. Removed when dropped.
///
/// tray-icon would use a fixed name, in /tmp where there is no runtime directory: anyone could make it first.
#[derive(Debug)]
pub(crate) struct IconDirectory(PathBuf);

impl IconDirectory {
    /// Makes one, and removes those that earlier runs could not remove.
    ///
    /// # Errors
    /// Where neither the runtime directory nor the one for temporary files can be written to.
    pub(crate) fn new(runtime: Option<&Path>) -> io::Result<Self> {
        if let Some(runtime) = runtime {
            match home(runtime).and_then(|home| {
                remove_old(&home);
                fresh(&home, PREFIX)
            }) {
                Ok(path) => return Ok(Self(path)),
                Err(error) => tracing::warn!(
                    "cannot use {} for the icon: {error}; using the directory for temporary files",
                    runtime.join("muxtray").display()
                ),
            }
        }
        fresh(&std::env::temp_dir(), "muxtray-icons-").map(Self)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for IconDirectory {
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
    if found.uid() != nix::unistd::geteuid().as_raw() || found.mode() & 0o022 != 0 {
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
fn remove_old(home: &Path) {
    let Ok(entries) = fs::read_dir(home) else {
        return;
    };
    for entry in entries.flatten() {
        let old = entry.file_type().is_ok_and(|kind| kind.is_dir())
            && entry.file_name().to_string_lossy().starts_with(PREFIX);
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
    fn the_looks_are_pictures() {
        assert_eq!(Icons::new().err(), None);
    }

    #[test]
    fn the_directory_is_private_and_vanishes() {
        let runtime = tempfile::tempdir().unwrap();
        let directory = IconDirectory::new(Some(runtime.path())).unwrap();
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
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("tray-icon-1-0.png"), "").unwrap();
        let other = runtime.path().join("muxtray/other");
        fs::create_dir(&other).unwrap();
        let _directory = IconDirectory::new(Some(runtime.path())).unwrap();
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
            let directory = IconDirectory::new(Some(runtime.path())).unwrap();
            assert!(!directory.path().starts_with(runtime.path()));
            assert_eq!(
                fs::metadata(directory.path()).unwrap().mode() & 0o777,
                0o700
            );
        }
    }
}
