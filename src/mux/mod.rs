//! The parts of OpenSSH's multiplexing protocol that muxtray uses: alive check, exit request, stop request, connection
//! info. No sessions, no forwardings.

pub mod client;
pub mod deadline;
pub mod error;
pub mod wire;

#[cfg(test)]
pub(crate) mod fake;
