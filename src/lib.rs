//! muxtray watches OpenSSH's control sockets without touching them.

pub mod act;
pub mod core;
pub mod mux;
pub mod observe;
