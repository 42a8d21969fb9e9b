//! muxtray watches OpenSSH's control sockets without touching them.

pub mod core;
pub mod discover;
