//! Shows a text as a file in a private directory, with the viewer of the desktop.

use std::env;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use muxtray::actions::desktop_program::is_installed;
use muxtray::actions::xdg_open;

use crate::private_directory::PrivateDirectory;

#[derive(Debug, Clone, Default)]
pub(super) struct Viewer(Arc<Mutex<Option<PrivateDirectory>>>);

/// Returns whether xdg-open is installed and there is a display.
pub(super) fn is_available() -> bool {
    let has_display = ["WAYLAND_DISPLAY", "DISPLAY"]
        .into_iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    has_display && is_installed("xdg-open")
}

impl Viewer {
    /// Shows the text on a new thread; if that fails, logs it.
    pub(super) fn show(&self, title: String, text: String) {
        let viewer = self.clone();
        let show = move || {
            let shown = match viewer.file(&title, &text) {
                Ok(file) => {
                    xdg_open::open(&file, xdg_open::LIMIT).map_err(|error| error.to_string())
                }
                Err(error) => Err(format!("cannot be written to a file: {error}")),
            };
            if let Err(error) = shown {
                tracing::warn!("cannot show the details of {title}: {error}\n{text}");
            }
        };
        let showing = thread::Builder::new().name("show".to_owned()).spawn(show);
        if let Err(error) = showing {
            tracing::warn!("no thread to show details: {error}");
        }
    }

    /// Removes the files. A viewer has read its file by then.
    pub(super) fn close(&self) {
        drop(self.directory().take());
    }

    fn directory(&self) -> MutexGuard<'_, Option<PrivateDirectory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the text to a new file with mode 0600.
    fn file(&self, title: &str, text: &str) -> io::Result<PathBuf> {
        let mut directory = self.directory();
        let directory = match &mut *directory {
            Some(directory) => directory,
            none => none.insert(PrivateDirectory::new("details-")?),
        };
        let path = |number| directory.path().join(format!("muxtray-{number}.txt"));
        let number = (1_u32..).find(|number| !path(*number).exists());
        let path = path(number.unwrap_or_default());
        let mut options = File::options();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        write!(file, "{title}\n\n{text}")?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_a_file_of_its_own() {
        let viewer = Viewer::default();
        let first = viewer.file("web", "one").unwrap();
        let second = viewer.file("web", "two").unwrap();
        std::fs::remove_file(first).unwrap();
        let third = viewer.file("db", "three").unwrap();
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!(
            (read(second), read(third)),
            ("web\n\ntwo".into(), "db\n\nthree".into())
        );
        viewer.close();
    }
}
