//! The parts of OpenSSH's multiplexing protocol that muxtray uses: alive check, exit and stop request, connection info,
//! forwardings. No sessions.

pub mod client;
pub mod deadline;
pub mod error;
pub mod wire;

#[cfg(test)]
pub(crate) mod fake;
