//! muxtray watches OpenSSH control sockets without touching them.

pub mod config;
pub mod core;
pub mod desktop;
pub mod observe;
