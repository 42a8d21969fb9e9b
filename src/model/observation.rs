//! The facts of one look at the control sockets. `observe` fills them in and judges nothing.

use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use tr::tr;

use super::control_path::ControlPath;
use super::ids::{Cookie, MasterPid, SocketId, UserId};
use super::text;

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
            Some(name) => write!(f, "{} (uid {})", text::line(name), self.uid.0),
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

/// Why we look at a path. It decides what may be said of it: a file that a vague pattern happens to match is
/// nobody's problem, the same file at a configured host's exact path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A configured host's exact path, or one the user named.
    Exact,
    /// It matches a pattern that only control sockets match (it has `%C` or `%p`, or a directory of its own).
    Pattern,
    /// It matches a pattern that other files may match too (`~/.ssh/%h`): only sockets that prove to be ours count.
    VaguePattern,
    /// The temporary name (`.` and 16 letters or digits) of a path that a pattern or host has.
    Temporary,
    /// A name that muxtray's own `clean` gave to a socket and did not live to remove or put back.
    Aside,
    /// Only the kernel told us: a listener of one of the user's own ssh processes.
    Kernel,
}
