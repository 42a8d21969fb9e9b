//! The laboratory that the integration tests work in: an sshd on loopback, an unprivileged user, and real masters
//! brought into every state a control socket can have.
//!
//! A test makes a [`Lab`], starts masters in it and runs the built program against them. Nothing outlives the lab:
//! what it started is ended by process id when it is dropped, and its directory goes with it. The laboratory knows
//! nothing of how the program works; what it says of a socket it learns from lstat, `/proc` and ssh itself.

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
mod trace;
mod truth;
mod user;

pub(crate) use denied::Denied;
pub(crate) use lab::{Lab, PATH};
pub(crate) use listener::{Behaviour, Listener, Listeners, PACKETS, python_called_ssh};
pub(crate) use master::{Master, Session};
pub(crate) use mount::NetworkMount;
pub(crate) use muxtray::{GOOD, Report, SocketReport, program};
pub(crate) use network::{CLIENT, Network, WEB};
pub(crate) use process::{Finished, PATIENCE, Process, look_for, wait_for, wait_until};
pub(crate) use trace::{Call, calls, strace, traced_process};
pub(crate) use truth::{
    command_line, files_below, is_listening, is_socket, pid_of_persisted, process_parent,
    process_state, processes, threads,
};
pub(crate) use user::{NOBODY, User};

use std::io::Write as _;

/// Says on standard error that a test, or a part of one, did not run, and why. Written past the test harness, which
/// would swallow it.
pub(crate) fn skip(name: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {name}: {why}");
}
