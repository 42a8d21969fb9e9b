use std::time::Duration;

use thiserror::Error;
use tr::tr;

use super::held_socket::HoldError;
use crate::decide::action_report::{ActionOutcome, Refusal};
use crate::diagnose::obstacle::Failure;
use crate::model::carried::Carried;
use crate::model::control_path::ControlPath;
use crate::model::socket::MasterPid;
use crate::mux::error::{Awaited, MuxError};

/// Why an action was not done, or not verified.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ActionError {
    /// The socket was neither connected to nor changed.
    #[error(transparent)]
    Hold(#[from] HoldError),
    #[error(transparent)]
    Mux(#[from] MuxError),
    /// More connections are open than may be closed, with the sessions in one line; `None` if they cannot be counted or
    /// named. Nothing was sent to the master.
    #[error("{}", connections_open(*.0, .1.as_deref()))]
    ConnectionsOpen(Option<Carried>, Option<String>),
    #[error("{}", tr!(
        "the master accepted the request but still listens after {duration}",
        duration = humantime::format_duration(*.0)
    ))]
    StillListening(Duration),
    /// Such an exit waits for something: a terminal, a tracer, a network filesystem.
    #[error("{}", tr!(
        "the master no longer listens, but its process {pid} still exists after {duration}",
        pid = .0.0,
        duration = humantime::format_duration(*.1)
    ))]
    StillRunning(MasterPid, Duration),

    #[error("{}", tr!("not removed: a process listens on it"))]
    Live,
    #[error("{}", tr!("not removed: younger than a minute, so a master may be starting; try again later"))]
    TooYoung,
    #[error("{}", tr!("not removed: another muxtray is cleaning its directory; try again"))]
    Busy,
    #[error("{}", tr!("not removed: {path} remains from an interrupted clean; clean that first", path = .0))]
    AsideTaken(ControlPath),
    /// The renamed file is not the one that was judged, and its original name was taken before it could be put back.
    /// Both files are whole. If the renamed one belongs to a master, that is an orphan with a successor.
    #[error("{}", tr!(
        "replaced by a new master meanwhile; the previous file is kept as {path} until the next clean",
        path = .0
    ))]
    LeftAside(ControlPath),

    #[error("{}", tr!("its listener no longer exists"))]
    Gone,
    /// Between two scans, as when a master goes to the background.
    #[error("{}", tr!("its listener has just moved to another process; try again"))]
    HolderChanged,

    /// Another directory, or a symlink on the way to it.
    #[error("{}", tr!("changed since it was checked; try again"))]
    DirectoryChanged,

    /// A master that asks before each session is started with the program to ask with, and the ssh of its ProxyJump,
    /// which does not inherit BatchMode, would use it too.
    #[error("{}", tr!("with ControlMaster ask, its ProxyJump or ProxyCommand could ask a person"))]
    WouldAsk,
    /// The started ssh has been ended.
    #[error("{0}")]
    NotStarted(Failure),
    /// By a signal. The started ssh has been ended.
    #[error("{}", tr!("interrupted"))]
    Interrupted,

    /// For another reason, for which muxtray did not try.
    #[error("{0}")]
    Refused(String),
    /// muxtray did not try, because a fact could not be found out.
    #[error("{0}")]
    Unknown(String),
    #[error("{0}")]
    Failed(String),
}

impl ActionError {
    pub(super) fn with_text(&self, text: String) -> Self {
        match self.outcome() {
            ActionOutcome::Failed => Self::Failed(text),
            ActionOutcome::Refused(Refusal::Unknown) => Self::Unknown(text),
            _ => Self::Refused(text),
        }
    }

    /// Whether the master got the request and did not answer it properly, or did not do as it answered. Then ending
    /// its process is the way left.
    pub(super) const fn is_unresponsive(&self) -> bool {
        match self {
            Self::Mux(error) => error.is_unresponsive(),
            Self::StillListening(_) => true,
            _ => false,
        }
    }

    /// Whether the master refused an exit request, because a person did or none could be asked (ControlMaster ask).
    pub(super) const fn is_refusal_to_exit(&self) -> bool {
        matches!(self, Self::Mux(MuxError::RefusedByMaster(Awaited::Exit, _)))
    }

    pub const fn outcome(&self) -> ActionOutcome {
        match self {
            Self::Unknown(_) => ActionOutcome::Refused(Refusal::Unknown),
            Self::ConnectionsOpen(..) => ActionOutcome::Refused(Refusal::ConnectionsOpen),
            Self::Mux(_)
            | Self::StillListening(_)
            | Self::StillRunning(..)
            | Self::Busy
            | Self::LeftAside(_)
            | Self::NotStarted(_)
            | Self::Interrupted
            | Self::Failed(_) => ActionOutcome::Failed,
            _ => ActionOutcome::REFUSED,
        }
    }
}

fn connections_open(carried: Option<Carried>, sessions: Option<&str>) -> String {
    match carried {
        Some(carried) => {
            let open = tr!("{carried} open, nothing was closed", carried);
            sessions.map_or(open.clone(), |sessions| format!("{open}: {sessions}"))
        }
        None => tr!(
            "its sessions cannot be counted, nothing was closed: the kernel shows no listener in this network namespace"
        ),
    }
}
