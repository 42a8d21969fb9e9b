//! The icon's looks as the files of an icon theme, built in. AppIndicator hands over names, no pictures, so the panel
//! has to find them in a directory.

use std::fs;
use std::io;
use std::path::Path;

/// A file of the theme: its place there, and what is in it.
type File = (&'static str, &'static [u8]);

macro_rules! themed {
    ($place:expr) => {
        (
            concat!("hicolor/", $place),
            include_bytes!(concat!("../../../icons/hicolor/", $place)).as_slice(),
        )
    };
}

macro_rules! look {
    ($name:literal, $plain:literal) => {
        [
            (
                concat!($name, ".png"),
                include_bytes!(concat!("../../../icons/tray/", $plain, ".png")).as_slice(),
            ),
            themed!(concat!("16x16/apps/", $name, ".png")),
            themed!(concat!("22x22/apps/", $name, ".png")),
            themed!(concat!("24x24/apps/", $name, ".png")),
            themed!(concat!("32x32/apps/", $name, ".png")),
            themed!(concat!("48x48/apps/", $name, ".png")),
            themed!(concat!("scalable/apps/", $name, ".svg")),
            themed!(concat!("symbolic/apps/", $name, "-symbolic.svg")),
        ]
    };
}

/// The three looks. A panel takes the picture of its own size, and one that is told to use symbolic icons finds those
/// and gives them its colour. For panels that know no themes one picture of each lies at the top.
const PICTURES: [[File; 8]; 3] = [
    look!("io.github.muxtray.Muxtray", "running"),
    look!("io.github.muxtray.Muxtray-idle", "idle"),
    look!("io.github.muxtray.Muxtray-attention", "attention"),
];

/// Puts the pictures there.
///
/// # Errors
/// Where that cannot be written to.
pub(super) fn write(directory: &Path) -> io::Result<()> {
    for (place, picture) in PICTURES.into_iter().flatten() {
        let file = directory.join(place);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, picture)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icons::{LOOKS, name};

    #[test]
    fn every_look_is_there_by_its_name() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        for look in LOOKS {
            let name = name(look);
            for file in [
                format!("{name}.png"),
                format!("hicolor/22x22/apps/{name}.png"),
                format!("hicolor/symbolic/apps/{name}-symbolic.svg"),
            ] {
                assert!(directory.path().join(&file).is_file(), "{file}");
            }
        }
    }
}
