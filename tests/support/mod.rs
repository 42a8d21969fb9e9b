//! The laboratory of the integration tests: an sshd on loopback, an unprivileged user, and real masters in every state
//! of a control socket.
//!
//! A test makes a [`Lab`], starts masters in it and runs the built program against them. Dropping the lab ends its
//! processes by their ids and removes its directory. The laboratory does not use muxtray's code: it reads the state of
//! a socket from lstat, `/proc` and ssh.

#![allow(
    dead_code,
    unused_imports,
    reason = "every test program uses its own part of the laboratory"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a laboratory that cannot be set up fails the test that wanted it"
)]

mod denied;
mod lab;
mod listener;
mod master;
mod mount;
mod muxtray;
mod network;
mod process;
mod target;
mod trace;
mod truth;
mod user;

pub(crate) use denied::Denied;
pub(crate) use lab::{Lab, PATH};
pub(crate) use listener::{Behaviour, Listener, Listeners, PACKETS, python_called_ssh};
pub(crate) use master::{Master, Session};
pub(crate) use mount::FuseMount;
pub(crate) use muxtray::{GOOD, Report, SocketReport, program};
pub(crate) use network::{CLIENT, Network, SERVERS, WEB};
pub(crate) use process::{Finished, PATIENCE, Process, look_for, wait_for, wait_until};
pub(crate) use target::Target;
pub(crate) use trace::{judged, no_trace};
pub(crate) use truth::{
    command_line, files_below, has_glycin, is_listening, is_socket, pid_of_persisted,
    process_parent, process_start, process_state, processes, threads,
};
pub(crate) use user::{NOBODY, User};

use std::io::Write as _;

/// Prints the reason if a test, or a part of one, does not run. Writes to standard error directly, because the test
/// harness hides captured output.
pub(crate) fn skip(name: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {name}: {why}");
}
