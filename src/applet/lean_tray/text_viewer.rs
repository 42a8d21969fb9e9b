//! Texts to read without windows of one's own: each a file in a private directory, shown by the desktop's viewer.

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

/// Shows texts, until it is closed.
#[derive(Debug, Clone, Default)]
pub(super) struct Viewer(Arc<Mutex<Shelf>>);

/// The texts that were shown.
#[derive(Debug, Default)]
enum Shelf {
    #[default]
    Unused,
    Used {
        directory: PrivateDirectory,
        texts: u64,
    },
    Closed,
}

/// Whether there is a program that knows the desktop's viewer, and a display to show it on.
pub(super) fn is_there() -> bool {
    let has_display = ["WAYLAND_DISPLAY", "DISPLAY"]
        .into_iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    has_display && is_installed("xdg-open")
}

impl Viewer {
    /// Shows the text, on a thread of its own; where that fails, in the log.
    pub(super) fn show(&self, title: String, text: String) {
        let shelf = self.clone();
        let show = move || {
            let shown = match shelf.file(&title, &text) {
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

    /// Removes what was shown. A viewer keeps what it has read.
    pub(super) fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Shelf::Closed;
    }

    /// A new file with the text, for the user's eyes only; none when it is closed.
    fn file(&self, title: &str, text: &str) -> io::Result<Option<PathBuf>> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*shelf, Shelf::Unused) {
            *shelf = Shelf::Used {
                directory: PrivateDirectory::new("details-")?,
                texts: 0,
            };
        }
        let Shelf::Used { directory, texts } = &mut *shelf else {
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
