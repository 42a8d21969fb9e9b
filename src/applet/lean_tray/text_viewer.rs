//! Shows a text as a file in a private directory, with the viewer of the desktop.

use std::env;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use muxtray::actions::xdg_open;

use crate::clipboard::is_installed;
use crate::private_directory::PrivateDirectory;

#[derive(Debug, Clone, Default)]
pub(super) struct Viewer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Unused,
    Used {
        directory: PrivateDirectory,
        texts: u64,
    },
    Closed,
}

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
        let state = self.clone();
        let show = move || {
            let shown = match state.file(&title, &text) {
                Ok(None) => return,
                Ok(Some(file)) => {
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
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }

    /// Writes the text to a new file with mode 0600. Returns `None` after [`Viewer::close`].
    fn file(&self, title: &str, text: &str) -> io::Result<Option<PathBuf>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Unused) {
            *state = State::Used {
                directory: PrivateDirectory::new("details-")?,
                texts: 0,
            };
        }
        let State::Used { directory, texts } = &mut *state else {
            return Ok(None);
        };
        *texts += 1;
        let path = directory.path().join(format!("muxtray-{texts}.txt"));
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        write!(file, "{title}\n\n{text}")?;
        Ok(Some(path))
    }
}
