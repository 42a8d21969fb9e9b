//! The facts of one observation of the control sockets. `observe` fills them in and judges nothing.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;
use tr::tr;

use super::carried::Carried;
use super::client::Clients;
use super::control_path::{ControlPath, Destination, stem_of_temporary};
use super::forward::Listening;
use super::forwarding::Forwarding;
use super::group::Permissions;
use super::ids::{Cookie, MasterPid, SocketId, UserId};
use super::persist::Persist;
use super::text;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owner {
    pub uid: UserId,
    pub name: Option<String>,
}

/// `root (uid 0)`, or `uid 1234` without a name.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} (uid {})", text::line(name), self.uid.0),
            None => write!(f, "uid {}", self.uid.0),
        }
    }
}

/// The result of lstat. Symlinks are never followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    Missing,
    Socket(Stat),
    Other(FileKind, Stat),
    /// EACCES or EPERM: a directory of the path may not be searched.
    Denied,
    Failed(String),
}

impl File {
    pub const fn stat(&self) -> Option<&Stat> {
        match self {
            Self::Socket(stat) | Self::Other(_, stat) => Some(stat),
            Self::Missing | Self::Denied | Self::Failed(_) => None,
        }
    }

    pub const fn socket(&self) -> Option<&Stat> {
        match self {
            Self::Socket(stat) => Some(stat),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    pub id: SocketId,
    pub uid: UserId,
    pub permissions: Permissions,
    /// `st_mtime`: for a socket, the time of the bind.
    pub modified: SystemTime,
    /// `st_atime`: for a socket, the time of the last connect, if the mount records it.
    pub accessed: SystemTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Regular,
    Directory,
    Symlink,
    Fifo,
    Device,
}

impl FileKind {
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

/// The filesystem of a path. ECONNREFUSED proves that nobody listens only on a local one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filesystem {
    Local,
    /// Processes of other machines may listen there; the type's name, such as `nfs`.
    Network(&'static str),
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// `None` in `/proc/net/unix`, which has no cookies.
    pub cookie: Option<Cookie>,
    /// The name of the bind: for a master, the ControlPath with the temporary suffix.
    pub bound_name: PathBuf,
    /// Connections that wait for accept; 0 in `/proc/net/unix`.
    pub backlog: u32,
    /// Accepted connections of other programs than muxtray: multiplexed sessions.
    pub sessions: u32,
    /// `None` if the kernel's table shows no clients.
    pub clients: Option<Clients>,
    /// Whether a muxtray holds a connection.
    pub is_kept: bool,
    /// Connections that run through forwardings of its process; `None` if they cannot be counted.
    pub forwarded: Option<u32>,
    /// The listeners of its process's forwardings.
    pub listening: Vec<Listening>,
    pub uid: Option<UserId>,
    pub holder: Holder,
}

impl Listener {
    /// Whether it has the temporary name of a master. Agents bind their socket without one, and so does ssh for a
    /// forwarding (`-L /PATH:…`).
    pub fn is_bound_as_master(&self) -> bool {
        let name = self.bound_name.file_name();
        name.is_some_and(|name| stem_of_temporary(name.as_bytes()).is_some())
    }

    /// Returns the connections that end with the master; `None` if they cannot be counted.
    pub fn carried(&self) -> Option<Carried> {
        let has_own = self.holder.ssh().is_some_and(|it| it.own_session);
        Some(Carried {
            sessions: self.sessions + u32::from(has_own),
            forwarded: self.forwarded?,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// An OpenSSH client, whatever the name of its program.
    Ssh(Process),
    Other(Process),
    Unknown,
}

impl Holder {
    pub const fn process(&self) -> Option<&Process> {
        match self {
            Self::Ssh(process) | Self::Other(process) => Some(process),
            Self::Unknown => None,
        }
    }

    pub const fn ssh(&self) -> Option<&Process> {
        match self {
            Self::Ssh(process) => Some(process),
            Self::Other(_) | Self::Unknown => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: MasterPid,
    /// The last part of `/proc/PID/exe`, or `comm` if that cannot be read.
    pub name: String,
    pub started: Option<SystemTime>,
    pub stopped: bool,
    /// Whether it has a session of its own beside the multiplexed ones: an interactive master or an `ssh -N` in a
    /// terminal, not one that runs in the background.
    pub own_session: bool,
    pub arguments: Option<SshArguments>,
    /// The program that started it, if it still runs. Only of a master that no candidate led to.
    pub starter: Option<String>,
}

/// The arguments of an ssh, unless a title replaced them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshArguments {
    /// As typed: the host may be an alias.
    pub server: Destination,
    pub has_other_config: bool,
    /// The arguments of `-L` and `-D`.
    pub forwardings: Vec<Forwarding>,
    pub gateway_ports: bool,
    /// `-o ControlPersist`, which the configuration does not show.
    pub persist: Option<Persist>,
}

/// The result of a non-blocking connect. Only paths without a listener in the kernel's table are connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connect {
    Refused,
    /// A listener of another network namespace, which the kernel's table does not show.
    Accepted,
    Full,
    Denied,
    /// Any other error, as text. Proves nothing.
    Failed(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    pub path: ControlPath,
    pub origin: Origin,
    pub file: File,
    pub filesystem: Filesystem,
    /// Whether other users may write to the directory, and only the sticky bit protects files.
    pub shared_directory: bool,
    /// The listener with the file's inode.
    pub listener: Option<Listener>,
    pub connect: Option<Connect>,
}

/// A master of the user without a socket file: the file at its path is missing or has another inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    pub path: ControlPath,
    pub listener: Listener,
    /// Whether another socket is at the path. The orphan's clean-up would remove it.
    pub successor: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub at: SystemTime,
    /// Every path that has a file, or could not be looked at.
    pub observations: Vec<Observation>,
    pub orphans: Vec<Orphan>,
    pub table: Table,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// sock_diag: inodes, backlog, sessions.
    SockDiag,
    /// `/proc/net/unix`: names only, without inodes, backlog and waiting connections.
    ProcNetUnix,
    /// Neither could be read: every path is connected to.
    None,
}

/// The reason to look at a path. A regular file at the ControlPath of a host is a problem; a file that matches a vague
/// pattern is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The ControlPath of a configured host, or a path that the user named.
    Exact,
    /// A pattern that only control sockets match: it has `%C` or `%p`, or a directory of its own.
    Pattern,
    /// A pattern that other files may match too, such as `~/.ssh/%h`: only sockets of the user count.
    VaguePattern,
    /// A temporary name (`.` and 16 letters or digits) of a path that a pattern or host has.
    Temporary,
    /// A name that an interrupted `clean` gave to a socket.
    Aside,
    /// A listener of one of the user's ssh processes, at a path that nothing else led to.
    Kernel,
}
