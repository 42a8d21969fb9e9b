//! The states of a control socket: the judgement that `diagnose` makes of an observation.

use tr::tr;

use super::finding::{FindingId, Row, Severity};
use super::ids::MasterPid;
use super::network::{Cause, Doubt};
use super::observation::{FileKind, Owner};

/// The judgement on one socket. Variants hold only what is true then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A master listens, and accepts.
    Running,
    /// It is running, but the network behind it is doubtful.
    Suspect(Doubt),
    /// It is running, but its connection cannot work any more.
    Stranded(Cause),
    /// A master holds the socket but does not accept or answer.
    Unresponsive(Unresponsive),
    /// Nobody listens: refused on connect, local filesystem, own uid.
    Stale,
    /// The file belongs to another user; never connected to.
    Misowned(Owner),
    /// Something that is not an ssh of the user's listens there.
    Foreign(ForeignHolder),
    /// A file, directory or symlink stands where a control socket should.
    NotASocket(FileKind),
    /// The user may not look or connect.
    Denied(Denied),
    /// The temporary name of a start that broke off, nobody listening.
    Leftover,
    /// A master lives on without its socket file.
    Orphaned {
        /// Whether another socket stands at the path by now.
        successor: bool,
    },
    /// Nothing can be proven there.
    Unverifiable(Unverifiable),
}

/// Why a master counts as unresponsive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unresponsive {
    /// The process is stopped (SIGSTOP, Ctrl-Z).
    Stopped,
    /// So many connections have waited over two looks.
    Backlog(u32),
    /// EAGAIN from a listener that our table does not show.
    BacklogFull,
    /// The last alive check got no answer in time.
    CheckTimedOut,
}

/// Who listens instead of an ssh of the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForeignHolder {
    /// Another program of the user's.
    Program {
        /// Its name.
        name: String,
        /// Its process id.
        pid: MasterPid,
    },
    /// A process of another user's.
    User(Owner),
}

/// What may not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// lstat: a directory on the way may not be searched.
    Look,
    /// connect, or the mode of the file.
    Connect,
}

/// Why nothing can be proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unverifiable {
    /// The network filesystem of this name: another machine may listen.
    Network(&'static str),
    /// A system call failed in a way that proves nothing; its text.
    Failed(String),
}

impl State {
    /// The state's name in JSON and tables: an id, the same in every language.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.finding_id() {
            None => "running",
            Some(id) => id.as_str(),
        }
    }

    /// The state in the language of the person, for sentences, menus and notifications.
    #[must_use]
    pub fn word(&self) -> String {
        // Translators: these twelve are the states of a control socket.
        match self {
            Self::Running => tr!("state" => "running"),
            Self::Suspect(_) => tr!("state" => "suspect"),
            Self::Stranded(_) => tr!("state" => "stranded"),
            Self::Unresponsive(_) => tr!("state" => "unresponsive"),
            Self::Stale => tr!("state" => "stale"),
            Self::Misowned(_) => tr!("state" => "misowned"),
            Self::Foreign(_) => tr!("state" => "foreign"),
            Self::NotASocket(_) => tr!("state" => "not-a-socket"),
            Self::Denied(_) => tr!("state" => "denied"),
            Self::Leftover => tr!("state" => "leftover"),
            Self::Orphaned { .. } => tr!("state" => "orphaned"),
            Self::Unverifiable(_) => tr!("state" => "unverifiable"),
        }
    }

    /// The finding that goes with the state; none for a running master.
    #[must_use]
    pub const fn finding_id(&self) -> Option<FindingId> {
        Some(match self {
            Self::Running => return None,
            Self::Suspect(_) => FindingId::Suspect,
            Self::Stranded(_) => FindingId::Stranded,
            Self::Unresponsive(_) => FindingId::Unresponsive,
            Self::Stale => FindingId::Stale,
            Self::Misowned(_) => FindingId::Misowned,
            Self::Foreign(_) => FindingId::Foreign,
            Self::NotASocket(_) => FindingId::NotASocket,
            Self::Denied(_) => FindingId::Denied,
            Self::Leftover => FindingId::Leftover,
            Self::Orphaned { .. } => FindingId::Orphaned,
            Self::Unverifiable(_) => FindingId::Unverifiable,
        })
    }

    /// How bad it is; `None` for a running master.
    #[must_use]
    pub const fn severity(&self) -> Option<Severity> {
        match self.finding_id() {
            None => None,
            Some(id) => Some(id.severity()),
        }
    }

    /// Whether `clean` may remove the file, after proving it once more.
    #[must_use]
    pub const fn is_cleanable(&self) -> bool {
        match self {
            Self::Stale | Self::Leftover => true,
            Self::Running
            | Self::Suspect(_)
            | Self::Stranded(_)
            | Self::Unresponsive(_)
            | Self::Misowned(_)
            | Self::Foreign(_)
            | Self::NotASocket(_)
            | Self::Denied(_)
            | Self::Orphaned { .. }
            | Self::Unverifiable(_) => false,
        }
    }
}

/// A state in the tables of the documentation; text between backticks is typed or read literally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateRow {
    /// The name in JSON and in tables.
    pub name: &'static str,
    pub meaning: &'static str,
    pub advice: &'static str,
}

/// The one state that is no finding.
const RUNNING: StateRow = StateRow {
    name: "running",
    meaning: "a master listens and accepts",
    advice: "nothing",
};

/// Every state, `running` first.
pub fn table() -> impl Iterator<Item = StateRow> {
    let states = FindingId::ALL.iter().filter(|id| id.is_state());
    let row = |id: &FindingId| {
        let Row {
            id: name,
            meaning,
            advice,
            ..
        } = id.row();
        StateRow {
            name,
            meaning,
            advice,
        }
    };
    std::iter::once(RUNNING).chain(states.map(row))
}
