//! Icon theme names of the three tray icons.

use muxtray::present::menu::Icon;

#[cfg(test)]
pub(crate) const LOOKS: [Icon; 3] = [Icon::Idle, Icon::Running, Icon::Attention];

pub(crate) const fn name(look: Icon) -> &'static str {
    match look {
        Icon::Idle => "io.github.muxtray.Muxtray-idle",
        Icon::Running => "io.github.muxtray.Muxtray",
        Icon::Attention => "io.github.muxtray.Muxtray-attention",
    }
}

/// Returns an icon by name, so the panel selects the size, or the symbolic variant if it prefers those.
#[cfg(not(feature = "lean-tray"))]
pub(crate) fn named(look: Icon) -> tray_icon::NativeIcon {
    tray_icon::NativeIcon::from_name(name(look))
}
