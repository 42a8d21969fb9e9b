//! What can go wrong between a client and a master, in words for the person in front of it.

use std::fmt;
use std::time::Duration;

use nix::errno::Errno;
use thiserror::Error;

use super::wire::{self, WireError};

/// What was being waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A place in the master's backlog.
    Connect,
    /// Its HELLO.
    Hello,
    /// The answer to an alive check.
    AliveCheck,
    /// The account of its connection.
    ConnectionInfo,
    /// The answer to an exit request.
    Exit,
    /// The answer to a stop request.
    Stop,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "the connection",
            Self::Hello => "the greeting",
            Self::AliveCheck => "the alive check",
            Self::ConnectionInfo => "the question for its connection",
            Self::Exit => "the exit request",
            Self::Stop => "the stop request",
        })
    }
}

impl Step {
    /// What the person in front of it can do about a silence.
    const fn advice(self) -> &'static str {
        match self {
            Self::Connect => "its backlog is full: the master is stopped or hangs",
            Self::Hello | Self::AliveCheck | Self::ConnectionInfo => {
                "the master is stopped or hangs"
            }
            // With ControlMaster ask or autoask the master opens an askpass dialog, which takes as long as a person takes.
            Self::Exit | Self::Stop => "if the master asks for confirmation, answer there",
        }
    }
}

/// Why a master did not do what it was asked. The messages go behind the socket's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MuxError {
    /// ECONNREFUSED.
    #[error("connection refused: nobody listens there")]
    Refused,
    /// EACCES or EPERM on connect.
    #[error("permission denied on connect: check the socket's mode")]
    Denied,
    /// The deadline passed. An exit or stop request may still be carried out later, when a person confirms it.
    #[error("no answer to {waiting} within {}; {}", humantime::format_duration(*.limit), .waiting.advice())]
    TimedOut {
        /// What was being waited for.
        waiting: Step,
        /// The limit for everything together.
        limit: Duration,
    },
    /// The connection ended instead of an answer.
    #[error("the other side closed the connection instead of answering {waiting}")]
    Closed {
        /// What was being waited for.
        waiting: Step,
    },
    /// It speaks another version of the protocol.
    #[error("the master speaks version {0} of the mux protocol; only {version} is known", version = wire::VERSION)]
    Version(u32),
    /// What it sent is not of the protocol.
    #[error("what listens there does not speak the mux protocol: {0}")]
    Protocol(#[from] WireError),
    /// A message of the protocol, but not one that answers the question.
    #[error("what listens there does not keep to the mux protocol: {reply} answers {waiting}")]
    Unexpected {
        /// The message's name.
        reply: &'static str,
        /// What was being waited for.
        waiting: Step,
    },
    /// PERMISSION_DENIED: with ControlMaster ask, a person said no. The master's reason, one printable line.
    #[error("the master refused {waiting}: {reason}")]
    RefusedByMaster {
        /// What it refused.
        waiting: Step,
        /// Its words.
        reason: String,
    },
    /// FAILURE. The master's reason, one printable line.
    #[error("the master could not carry out {waiting}: {reason}")]
    Failed {
        /// What it could not do.
        waiting: Step,
        /// Its words.
        reason: String,
    },
    /// `/proc` is not mounted, and the socket can only be reached through it.
    #[error("cannot be reached: /proc is not mounted")]
    NoProc,
    /// Another system call failed.
    #[error("{doing}: {}", .errno.desc())]
    Io {
        /// Which.
        doing: &'static str,
        /// How.
        errno: Errno,
    },
}
