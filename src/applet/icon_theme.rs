//! The tray icons as files of an icon theme. The trays send icon names, not pixels, so the panel needs a directory
//! in which it can find them.

use std::fs;
use std::io;
use std::path::Path;

/// A relative path and the content of the file.
type File = (&'static str, &'static [u8]);

macro_rules! themed {
    ($place:expr) => {
        (
            concat!("hicolor/", $place),
            include_bytes!(concat!("../../icons/hicolor/", $place)).as_slice(),
        )
    };
}

macro_rules! look {
    ($name:literal, $plain:literal) => {
        [
            (
                concat!($name, ".png"),
                include_bytes!(concat!("../../icons/tray/", $plain, ".png")).as_slice(),
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

/// The three icons. A panel selects the file of its size, or the symbolic one. For panels without theme support one
/// file of each is at the top level.
const FILES: [[File; 8]; 3] = [
    look!("io.github.muxtray.Muxtray", "running"),
    look!("io.github.muxtray.Muxtray-idle", "idle"),
    look!("io.github.muxtray.Muxtray-attention", "attention"),
];

pub(crate) fn write(directory: &Path) -> io::Result<()> {
    for (path, content) in FILES.into_iter().flatten() {
        let file = directory.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icons::{LOOKS, name};

    #[test]
    fn writes_every_icon_by_its_name() {
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
