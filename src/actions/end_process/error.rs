//! Why a process was not ended, in words for the person in front of it.

use std::time::Duration;

use nix::errno::Errno;
use thiserror::Error;
use tr::tr;

use crate::actions::control::ActError;
use crate::actions::held::Unfit;
use crate::model::socket::{Holder, MasterPid};
use crate::model::text::{self, translated};

/// Why the process of a master was not ended. Unless it says otherwise, nothing was signalled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EndError {
    /// Its listener has no identity of the kernel's: it is of another network namespace, or sock_diag cannot be read.
    #[error("{}", tr!(
        "cannot be told from others: the kernel shows no identity of its listener here; end it where it runs"
    ))]
    NoIdentity,
    /// Nobody holds that listener any more, or it cannot be found any more.
    #[error("{}", tr!("has no process any more; look again"))]
    Gone,
    /// Another program holds the listener.
    #[error("{}", tr!(
        "is held by {program} (pid {pid}), which is not an ssh; it is left alone",
        program = text::line(.0),
        pid = .1.0
    ))]
    NotSsh(String, MasterPid),
    /// No process of the user's that may be looked into holds the listener.
    #[error("{}", tr!("is held by no process of yours that muxtray may look into; it is left alone"))]
    HolderUnknown,
    /// Another process held the listener at the second look: a master that went to the background just then.
    #[error("{}", tr!("has just moved to another process; look again"))]
    ChangedHands,
    /// The file at its path is not what was seen, or not to be acted on.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// It answered an alive check.
    #[error("{}", tr!("answers, so its process was left alone; an exit request ends it"))]
    Answers,
    /// It could not be asked whether it answers, for a reason of our own.
    #[error(transparent)]
    Unasked(ActError),
    /// More sessions are open than the caller agreed to close.
    #[error("{}", tr!(
        "has {n} session open; its process is ended, closing them, only when told to (--force)"
            | "has {n} sessions open; its process is ended, closing them, only when told to (--force)" % *.sessions
    ))]
    SessionsOpen {
        /// How many.
        sessions: u32,
    },
    /// It was sent SIGKILL and is still there.
    #[error("{}", tr!(
        "was sent SIGKILL, but process {pid} has not ended after {duration}: the kernel holds it, maybe on a network filesystem",
        pid = .pid.0,
        duration = humantime::format_duration(*.waited)
    ))]
    Survives {
        /// Which process.
        pid: MasterPid,
        /// How long was waited.
        waited: Duration,
    },
    /// Its process has ended, but another one shared its listener.
    #[error("{}", tr!("has lost its process, but {process} holds its listener, too; look again", process = of(.0)))]
    StillHeld(Holder),
    /// A system call failed; signals may have been sent before.
    #[error("{}", tr!("cannot be ended: {doing}: {cause}", doing = translated(.doing), cause = .errno.desc()))]
    Failed {
        /// Which.
        doing: &'static str,
        /// How.
        errno: Errno,
    },
}

fn of(holder: &Holder) -> String {
    match holder {
        Holder::Ssh(process) | Holder::Other(process) => {
            format!("{} (pid {})", text::line(&process.name), process.pid.0)
        }
        Holder::Unknown => tr!("another process"),
    }
}
