//! Never-rules, races, faults, the session bus, and the structure of the source.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/desktop/notify_arguments.rs"]
mod notify_arguments;
#[path = "../session_bus/mod.rs"]
mod session_bus;
#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod faults;
mod import_cycles;
mod instance;
mod linkage;
mod never;
mod notify;
mod test_fixtures;
