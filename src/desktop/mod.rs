//! What the desktop offers beside the tray icon itself: notifications, the single instance, and the text of menus.
//!
//! No GTK here: `run --no-tray` uses these rooms too. The icon and its windows are the program `muxtray-applet`
//! (`src/applet`). In reading order:

pub mod instance;
pub mod menu;
pub mod menu_label;
pub mod notify;

mod block_on;

/// What desktop file, bus name and icons are called.
pub const APP_ID: &str = "io.github.muxtray.Muxtray";
