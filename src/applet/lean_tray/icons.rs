//! The tray icon by name if the icons are installed, otherwise as pixels.
//!
//! By name the panel selects the size. As pixels tray-icon sends one size, which the panel scales: 44, twice the usual
//! 22.

use std::env;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use muxtray::present::menu::Icon as Look;
use tray_icon::{Icon, TrayIcon, TrayIconBuilder};

use crate::icons::{LOOKS, name, named};

/// The built-in icons in the order of [`LOOKS`]; `None` if the icons are installed.
pub(super) struct Icons(Option<[Icon; 3]>);

impl Icons {
    pub(super) fn new() -> Result<Self, String> {
        if are_installed(&data_directories()) {
            return Ok(Self(None));
        }
        Ok(Self(Some([
            decode(include_bytes!("../../../icons/tray/idle.png"))?,
            decode(include_bytes!("../../../icons/tray/running.png"))?,
            decode(include_bytes!("../../../icons/tray/attention.png"))?,
        ])))
    }

    /// Sets the first icon.
    pub(super) fn begin(&self, builder: TrayIconBuilder, look: Look) -> TrayIconBuilder {
        match self.pixels(look) {
            Some(pixels) => builder.with_icon(pixels),
            None => builder.with_native_icon(named(look)),
        }
    }

    /// Changes the icon.
    pub(super) fn show(&self, icon: &TrayIcon, look: Look) -> tray_icon::Result<()> {
        match self.pixels(look) {
            Some(pixels) => icon.set_icon(Some(pixels)),
            None => icon.set_native_icon(Some(named(look))),
        }
    }

    fn pixels(&self, look: Look) -> Option<Icon> {
        let place = LOOKS.iter().position(|known| *known == look)?;
        self.0.as_ref()?.get(place).cloned()
    }
}

/// Returns whether one of these directories has all icons in hicolor, the fallback theme.
fn are_installed(data: &[PathBuf]) -> bool {
    let has = |directory: &Path, look| {
        let file = format!("icons/hicolor/22x22/apps/{}.png", name(look));
        directory.join(file).is_file()
    };
    data.iter()
        .any(|directory| LOOKS.iter().all(|look| has(directory, *look)))
}

/// The data directories of the XDG Base Directory Specification.
fn data_directories() -> Vec<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    let own = variable("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/share")));
    let shared = variable("XDG_DATA_DIRS").unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    own.into_iter().chain(env::split_paths(&shared)).collect()
}

fn decode(picture: &'static [u8]) -> Result<Icon, String> {
    let decoded = || -> Result<Icon, Box<dyn Error>> {
        let mut decoder = png::Decoder::new(io::Cursor::new(picture));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info()?;
        let mut pixels = vec![0; reader.output_buffer_size().unwrap_or(0)];
        let frame = reader.next_frame(&mut pixels)?;
        pixels.truncate(frame.buffer_size());
        Ok(Icon::from_rgba(pixels, frame.width, frame.height)?)
    };
    decoded().map_err(|error| format!("cannot make the tray icon: {error}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_looks_are_pictures() {
        assert_eq!(Icons::new().err(), None);
    }

    #[test]
    fn only_whole_sets_are_installed() {
        let data = tempfile::tempdir().unwrap();
        let directories = [PathBuf::from("/nonexistent"), data.path().to_owned()];
        assert!(!are_installed(&directories));
        let apps = data.path().join("icons/hicolor/22x22/apps");
        fs::create_dir_all(&apps).unwrap();
        for look in LOOKS {
            assert!(!are_installed(&directories), "{look:?} is missing");
            fs::write(apps.join(format!("{}.png", name(look))), "").unwrap();
        }
        assert!(are_installed(&directories));
    }
}
