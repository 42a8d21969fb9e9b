//! A control socket as it was seen ([`Observation`], raw facts) and as it was judged ([`State`], [`Socket`]).
//!
//! The two never mix: `observe` fills the first and has no opinion, `diagnose` makes the second and touches nothing.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use tr::tr;

use super::control_path::{ControlPath, Destination, HostAlias};
use super::finding::{Finding, FindingId, Severity};
use super::places::{Managed, Origin};
use crate::model::network::{Cause, Doubt, Verdict};

/// What tells one socket file from its successor at the same path.
///
/// An inode number alone does not: ext4 gives it out again at once. The change time does; it moves with a rename
/// or chmod too, so after a rename of our own compare [`SocketId::same_file`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
    /// `st_ctim`: seconds and nanoseconds since the epoch.
    pub changed: (i64, i64),
}

impl SocketId {
    /// Whether both name the same file, whatever was done to its name or mode in between.
    #[must_use]
    pub fn same_file(&self, other: &Self) -> bool {
        self.device == other.device && self.inode == other.inode
    }
}

/// The kernel's identity of a listening socket (`udiag_cookie`), never given out twice in one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie(pub u64);

/// A process id of a master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MasterPid(pub i32);

/// A numeric user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u32);

/// A user, with the name the password file has for the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The id.
    pub uid: UserId,
    /// The name; `None` where there is none.
    pub name: Option<String>,
}

/// `root (uid 0)`, or `uid 1234` where there is no name.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} (uid {})", super::text::line(name), self.uid.0),
            None => write!(f, "uid {}", self.uid.0),
        }
    }
}

/// What lstat says of a path. Symlinks are never followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// No such file.
    Missing,
    /// A socket.
    Socket(Stat),
    /// Something else.
    Other(FileKind, Stat),
    /// lstat failed with EACCES or EPERM: a directory on the way may not be searched.
    Denied,
    /// lstat failed otherwise: the errno's text.
    Failed(String),
}

/// The facts of an existing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Which file.
    pub id: SocketId,
    /// Its owner.
    pub uid: UserId,
    /// The permission bits, `st_mode & 0o7777`.
    pub mode: u32,
    /// `st_mtime`: for a socket, when it was bound.
    pub modified: SystemTime,
    /// `st_atime`: for a socket, when it was last connected to, as far as the mount notes it.
    pub accessed: SystemTime,
}

/// What stands where a socket should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link, wherever it leads.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A device node or something unknown.
    Device,
}

impl FileKind {
    /// With its article, for sentences.
    #[must_use]
    pub fn phrase(self) -> String {
        match self {
            Self::Regular => tr!("a regular file"),
            Self::Directory => tr!("a directory"),
            Self::Symlink => tr!("a symbolic link"),
            Self::Fifo => tr!("a named pipe"),
            Self::Device => tr!("a device"),
        }
    }
}

/// What kind of filesystem a path lies on, as far as it decides what ECONNREFUSED proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filesystem {
    /// Only this machine's processes can listen there.
    Local,
    /// Other machines may hold sockets there; its name, such as `nfs`.
    Network(&'static str),
    /// statfs failed. Nothing is proven there.
    Unknown,
}

/// A listening socket in the kernel's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its identity; `None` from tables without one (`/proc/net/unix`).
    pub cookie: Option<Cookie>,
    /// The name it was bound to: the ControlPath with the temporary suffix, for a master.
    pub bound_name: PathBuf,
    /// Connections that wait to be accepted; 0 where the table does not tell.
    pub backlog: u32,
    /// Accepted connections that are open: multiplexed sessions.
    pub sessions: u32,
    /// The user who made it, where the kernel tells.
    pub uid: Option<UserId>,
    /// Who holds it.
    pub holder: Holder,
}

/// The process behind a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// An ssh of the user's own.
    Ssh(Process),
    /// Another program of the user's.
    Other(Process),
    /// No process of the user's that we may look into holds it.
    Unknown,
}

/// What `/proc` says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: MasterPid,
    /// The program's name: the last part of `/proc/PID/exe`, or `comm` where that cannot be read.
    pub name: String,
    /// When it started, where that could be computed.
    pub started: Option<SystemTime>,
    /// Whether it is stopped (state T or t): it cannot answer.
    pub stopped: bool,
    /// Whether it carries a session of its own, beside the multiplexed ones: an interactive master, not one that
    /// waits in the background for clients (`ssh: PATH [mux]`, `-N`).
    pub own_session: bool,
}

/// What a non-blocking connect said. Only asked where the kernel shows no listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connect {
    /// ECONNREFUSED: nobody listens.
    Refused,
    /// Somebody accepts whom our kernel table does not show: another network namespace.
    Accepted,
    /// EAGAIN: the backlog is full.
    Full,
    /// EACCES or EPERM.
    Denied,
    /// Any other errno: its text. Proves nothing.
    Failed(String),
}

/// What was seen at one path in one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Where.
    pub path: ControlPath,
    /// Why we look there.
    pub origin: Origin,
    /// What lstat says.
    pub file: File,
    /// What the path lies on.
    pub filesystem: Filesystem,
    /// Whether the directory is shared with other users: others may write, and only the sticky bit keeps files apart.
    pub shared_directory: bool,
    /// The listener whose inode this file is.
    pub listener: Option<Listener>,
    /// What connect said, where it was asked.
    pub connect: Option<Connect>,
}

/// A master of the user's whose listener is nowhere at its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The path it was bound for: its kernel name without the temporary suffix.
    pub path: ControlPath,
    /// Its listener, held by an ssh of the user's.
    pub listener: Listener,
    /// Whether another socket stands at the path by now. Its owner would lose it if the orphan cleaned up.
    pub successor: bool,
}

/// Everything one look saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The wall clock at its start.
    pub at: SystemTime,
    /// Every path with something at it, or that could not be looked at.
    pub observations: Vec<Observation>,
    /// Masters without their file.
    pub orphans: Vec<Orphan>,
    /// Where the listeners were read from.
    pub table: Table,
}

/// Which of the kernel's tables could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// sock_diag: inodes, backlog, sessions.
    SockDiag,
    /// `/proc/net/unix`: names only; no inode, backlog or count of waiting connections.
    ProcNetUnix,
    /// Neither: every look has to connect.
    None,
}

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

/// One control socket, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Where it is, or for an orphan where it was.
    pub path: ControlPath,
    /// The judgement.
    pub state: State,
    /// Which file it was made of; none for an orphan or what could not be looked at.
    pub id: Option<SocketId>,
    /// Which listener it was made of.
    pub cookie: Option<Cookie>,
    /// The configured host aliases whose ControlPath this is.
    pub hosts: Vec<HostAlias>,
    /// Where it leads, where that is known.
    pub destination: Option<Destination>,
    /// The master's process.
    pub pid: Option<MasterPid>,
    /// Multiplexed sessions that are open; `None` where nobody listens or the kernel does not tell.
    pub sessions: Option<u32>,
    /// Whether the master carries a session of its own beside those.
    pub own_session: bool,
    /// Who owns the file.
    pub owner: Option<Owner>,
    /// Its permission bits.
    pub mode: Option<u32>,
    /// Since when it is there.
    pub since: Option<SystemTime>,
    /// ControlPersist of its host in seconds; 0 is "for ever"; `None` is "no" or unknown.
    pub persist_secs: Option<u32>,
    /// The program it belongs to, where that is not the user's own configuration.
    pub managed_by: Option<Managed>,
    /// What is known of the network behind it, where the connection was found.
    pub network: Option<Verdict>,
    /// What is wrong with it; the state's own finding first.
    pub findings: Vec<Finding>,
}

impl Socket {
    /// Every session that ends with the master: the multiplexed ones and its own. `None` where they cannot be
    /// counted.
    #[must_use]
    pub fn sessions_at_stake(&self) -> Option<u32> {
        self.sessions
            .map(|multiplexed| multiplexed + u32::from(self.own_session))
    }

    /// What a person calls it: its host aliases, else where it leads, else its path.
    #[must_use]
    pub fn title(&self) -> String {
        if self.hosts.is_empty() {
            self.destination
                .as_ref()
                .map_or_else(|| self.path.to_string(), ToString::to_string)
        } else {
            let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
            hosts.join(", ")
        }
    }

    /// Whether a master listens there that can be asked something, whatever its network does.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(
            self.state,
            State::Running | State::Suspect(_) | State::Stranded(_)
        )
    }

    /// Whether nothing changed but the age of what is known of its network.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let is_same_finding = |(one, other): (&Finding, &Finding)| match one.id {
            FindingId::Suspect | FindingId::Stranded => {
                one.id == other.id && one.subject == other.subject && one.remedy == other.remedy
            }
            _ => one == other,
        };
        let Self {
            path,
            state,
            id,
            cookie,
            hosts,
            destination,
            pid,
            sessions,
            own_session,
            owner,
            mode,
            since,
            persist_secs,
            managed_by,
            network: _,
            findings,
        } = self;
        *path == other.path
            && *state == other.state
            && *id == other.id
            && *cookie == other.cookie
            && *hosts == other.hosts
            && *destination == other.destination
            && *pid == other.pid
            && *sessions == other.sessions
            && *own_session == other.own_session
            && *owner == other.owner
            && *mode == other.mode
            && *since == other.since
            && *persist_secs == other.persist_secs
            && *managed_by == other.managed_by
            && findings.len() == other.findings.len()
            && findings.iter().zip(&other.findings).all(is_same_finding)
    }

    /// The severity of the worst that is wrong with it.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Whether something is wrong with it that a person should see first.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        self.worst() >= Some(Severity::Warning)
    }

    /// What an action on this socket must still find there.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            path: self.path.clone(),
            id: self.id,
            cookie: self.cookie,
        }
    }
}

/// What an action was asked for: a path and what stood there when it was drawn or listed.
///
/// An action on a target whose file or listener is another by now is refused, so a click on an old menu never
/// reaches a new master.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// Where.
    pub path: ControlPath,
    /// Which file.
    pub id: Option<SocketId>,
    /// Which listener.
    pub cookie: Option<Cookie>,
}

/// Everything that is known at one moment: what all renderings are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// When the look was taken.
    pub at: SystemTime,
    /// Every socket, problems first, then by path.
    pub sockets: Vec<Socket>,
    /// What is wrong with directories, hosts and configuration.
    pub findings: Vec<Finding>,
    /// Files that a clean of muxtray's own took aside and did not live to remove or put back. Settling them finishes
    /// what was asked for then; one that nobody listens on is among the sockets too, as a leftover.
    pub asides: Vec<Target>,
}

impl Snapshot {
    /// The socket that a target was made of, if it is still the same.
    #[must_use]
    pub fn find(&self, target: &Target) -> Option<&Socket> {
        self.sockets.iter().find(|socket| {
            socket.path == target.path && socket.id == target.id && socket.cookie == target.cookie
        })
    }

    /// Whether nothing changed but the time of the look, and what only ages with it.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let pairs = self.sockets.iter().zip(&other.sockets);
        self.sockets.len() == other.sockets.len()
            && pairs
                .into_iter()
                .all(|(one, other)| one.says_the_same(other))
            && self.findings == other.findings
            && self.asides == other.asides
    }
}

#[cfg(test)]
mod tests;
