//! The states of a control socket, which `diagnose` derives from an observation.

use tr::tr;

use super::finding::{FindingId, Severity};
use super::ids::MasterPid;
use super::network::{Cause, Doubt};
use super::observation::{FileKind, Owner};

/// Variants hold only facts that are true in that state. The row of the state's finding explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The kernel's table has a listener with the file's inode, or connect succeeds.
    Running,
    Suspect(Doubt),
    Stranded(Cause),
    Unresponsive(Unresponsive),
    /// ECONNREFUSED on a local filesystem; the user owns the file.
    Stale,
    Misowned(Owner),
    Foreign(ForeignHolder),
    NotASocket(FileKind),
    Denied(Denied),
    Leftover,
    Orphaned {
        successor: bool,
    },
    Unverifiable(Unverifiable),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unresponsive {
    Stopped,
    /// So many connections waited in two scans.
    Backlog(u32),
    /// EAGAIN from a listener that the kernel's table does not show.
    BacklogFull,
    CheckTimedOut,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForeignHolder {
    Program {
        name: String,
        pid: MasterPid,
    },
    User(Owner),
    /// A program of the user's that hides its descriptors, as ssh-agent does. ssh would have bound another name.
    Hidden,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// lstat failed: a directory of the path may not be searched.
    Look,
    /// connect failed, or the mode of the file forbids it.
    Connect,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unverifiable {
    /// A network filesystem of this type: another machine may listen.
    Network(&'static str),
    /// A system call failed with this error, which proves nothing.
    Failed(String),
}

impl State {
    /// Returns the name in JSON and tables, the same in every language.
    pub const fn name(&self) -> &'static str {
        match self.finding_id() {
            None => RUNNING.name,
            Some(id) => id.as_str(),
        }
    }

    /// Returns the name in the language of the user, for sentences, menus and notifications.
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

    /// Whether `clean` may remove the file, after it has verified the state again.
    pub const fn is_cleanable(&self) -> bool {
        matches!(self, Self::Stale | Self::Leftover)
    }

    /// Whether a master listens that can be asked, even if its network connection is dead.
    pub const fn is_running(&self) -> bool {
        self.is_usable() || self.is_stranded()
    }

    pub const fn is_stranded(&self) -> bool {
        matches!(self, Self::Stranded(_))
    }

    /// Whether sessions through the master work, as far as is known.
    pub const fn is_usable(&self) -> bool {
        matches!(self, Self::Running | Self::Suspect(_))
    }
}

/// A state in the tables of the documentation. Text between backticks is typed or read literally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateRow {
    pub name: &'static str,
    pub severity: Option<Severity>,
    pub meaning: &'static str,
    pub advice: &'static str,
}

const RUNNING: StateRow = StateRow {
    name: "running",
    severity: None,
    meaning: "a master listens and accepts connections",
    advice: "nothing",
};

pub fn table() -> impl Iterator<Item = StateRow> {
    let states = FindingId::ALL.iter().filter(|id| id.is_state());
    let rows = states.map(|id| id.row()).map(|row| StateRow {
        name: row.id,
        severity: Some(row.severity),
        meaning: row.meaning,
        advice: row.advice,
    });
    std::iter::once(RUNNING).chain(rows)
}
