//! The icon's looks as the files of an icon theme, built in.

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
pub(super) const PICTURES: [[File; 8]; 3] = [
    look!("io.github.muxtray.Muxtray", "running"),
    look!("io.github.muxtray.Muxtray-idle", "idle"),
    look!("io.github.muxtray.Muxtray-attention", "attention"),
];
