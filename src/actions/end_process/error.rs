use std::time::Duration;

use nix::errno::Errno;
use thiserror::Error;
use tr::tr;

use crate::actions::control::{ControlError, sessions_open};
use crate::actions::held_socket::HoldError;
use crate::decide::action_report::{ActionOutcome, Refusal};
use crate::model::socket::{Holder, MasterPid};
use crate::model::text::{self, translated};

/// Why the process of a master was not ended. No signal was sent, unless the message says so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EndProcessError {
    /// Without a cookie, the process cannot be proven to hold the listener.
    #[error("{}", tr!(
        "cannot be ended safely: the kernel reports no id for its listener (other network namespace, or sock_diag is blocked); end it from where it runs"
    ))]
    NoCookie,
    #[error("{}", tr!("its listener no longer exists"))]
    Gone,
    #[error("{}", tr!(
        "left alone: its listener is held by {program} (pid {pid}), which is not ssh",
        program = text::line(.0),
        pid = .1.0
    ))]
    NotSsh(String, MasterPid),
    #[error("{}", tr!("left alone: the process that holds its listener cannot be determined"))]
    HolderUnknown,
    /// Between two looks, as when a master goes to the background.
    #[error("{}", tr!("its listener has just moved to another process; try again"))]
    HolderChanged,
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// It answered an alive check.
    #[error("{}", tr!("left alone: the master answers, so an exit request ends it"))]
    Answers,
    /// The alive check failed for a reason on muxtray's side.
    #[error(transparent)]
    NotChecked(ControlError),
    #[error("{}", sessions_open(*.sessions))]
    SessionsOpen { sessions: u32 },
    #[error("{}", tr!(
        "process {pid} still exists {duration} after SIGKILL: the kernel holds it, maybe on a network filesystem",
        pid = .pid.0,
        duration = humantime::format_duration(*.waited)
    ))]
    Survives { pid: MasterPid, waited: Duration },
    /// The process has ended, and another one shares its listener.
    #[error("{}", tr!("its process has ended, but {process} holds its listener too; try again", process = holder_name(.0)))]
    StillHeld(Holder),
    /// Signals may have been sent before.
    #[error("{}", tr!("cannot be ended: {doing}: {cause}", doing = translated(.doing), cause = .errno.desc()))]
    Failed { doing: &'static str, errno: Errno },
}

impl EndProcessError {
    #[must_use]
    pub const fn outcome(&self) -> ActionOutcome {
        match self {
            Self::NoCookie | Self::HolderUnknown | Self::NotChecked(_) => {
                ActionOutcome::Refused(Refusal::Unknown)
            }
            Self::Gone
            | Self::NotSsh(..)
            | Self::HolderChanged
            | Self::Hold(_)
            | Self::Answers
            | Self::SessionsOpen { .. } => ActionOutcome::REFUSED,
            Self::Survives { .. } | Self::StillHeld(_) | Self::Failed { .. } => {
                ActionOutcome::Failed
            }
        }
    }
}

fn holder_name(holder: &Holder) -> String {
    match holder {
        Holder::Ssh(process) | Holder::Other(process) => {
            format!("{} (pid {})", text::line(&process.name), process.pid.0)
        }
        Holder::Unknown => tr!("another process"),
    }
}
