//! The applet in a real panel, with real notification daemons.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(feature = "applet")]

#[path = "../support/desktop/mod.rs"]
mod desktop;
#[path = "../support/mod.rs"]
mod support;

mod clipboard;
mod faults;
mod forward;
mod icon_shown;
mod keep;
mod language;
mod menu;
mod notices;
mod open;
#[cfg(all(feature = "tray", not(feature = "lean-tray")))]
mod register;
mod settings;
#[cfg(feature = "tray")]
mod soak;
mod steady;
mod submenu_layout;
mod terminal;
#[cfg(feature = "tray")]
mod terminate;
