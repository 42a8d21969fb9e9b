//! OpenSSH's multiplexing protocol, as far as a watcher speaks it: alive check, exit request, stop request, and
//! the master's account of its connection. No sessions, no forwardings.
//!
//! In reading order: [`wire`], [`error`], [`deadline`], [`client`].

pub mod client;
pub mod deadline;
pub mod error;
pub mod wire;

#[cfg(test)]
pub(crate) mod fake;
