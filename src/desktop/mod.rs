//! Notifications, the single instance, and the computation of menu changes.
//!
//! None of it uses GTK, so `run --no-tray` uses it too. `src/applet` contains the icon and its windows.

pub mod instance;
pub mod menu;
pub mod menu_label;
pub mod notify;

mod block_on;

/// The name of the desktop file, the bus name and the icons.
pub const APP_ID: &str = "io.github.muxtray.Muxtray";
