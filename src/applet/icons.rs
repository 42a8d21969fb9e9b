//! What the icon's three looks are called in an icon theme.

use muxtray::present::menu::Icon;
use tray_icon::NativeIcon;

/// Every look.
#[cfg(any(test, feature = "lean-tray"))]
pub(crate) const LOOKS: [Icon; 3] = [Icon::Idle, Icon::Running, Icon::Attention];

/// The name of a look's pictures.
pub(crate) const fn name(look: Icon) -> &'static str {
    match look {
        Icon::Idle => "io.github.muxtray.Muxtray-idle",
        Icon::Running => "io.github.muxtray.Muxtray",
        Icon::Attention => "io.github.muxtray.Muxtray-attention",
    }
}

/// The look by its name: the panel finds the picture of its size, or the symbolic one where it is told to use those.
pub(crate) fn named(look: Icon) -> NativeIcon {
    NativeIcon::from_name(name(look))
}
