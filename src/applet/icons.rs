//! Icon theme names of the three tray icons.

use muxtray::present::menu::Icon;
use tray_icon::NativeIcon;

#[cfg(any(test, feature = "lean-tray"))]
pub(crate) const LOOKS: [Icon; 3] = [Icon::Idle, Icon::Running, Icon::Attention];

pub(crate) const fn name(look: Icon) -> &'static str {
    match look {
        Icon::Idle => "io.github.muxtray.Muxtray-idle",
        Icon::Running => "io.github.muxtray.Muxtray",
        Icon::Attention => "io.github.muxtray.Muxtray-attention",
    }
}

/// Returns an icon by name, so the panel selects the size, or the symbolic variant if it prefers those.
pub(crate) fn named(look: Icon) -> NativeIcon {
    NativeIcon::from_name(name(look))
}
