//! The listening unix sockets of this network namespace, and which of them is the one behind a file.
//!
//! It is a value made by [`super::sock_diag`] or [`super::proc_net_unix`]; it asks nobody anything.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};

use crate::model::control_path::ControlPath;
use crate::model::socket::{Cookie, Stat, Table, UserId};

/// Every listening socket with a path, indexed for look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixTable {
    source: Table,
    /// In the order of `(inode, socket_inode)`; those without an inode first.
    listeners: Vec<UnixListener>,
    /// Where only names are known: from the bound name, and from it without the temporary suffix.
    by_name: HashMap<ControlPath, usize>,
}

/// A listening socket as the kernel tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixListener {
    /// Its number in sockfs: the `N` of `/proc/PID/fd/… -> socket:[N]`. Given out again after a while.
    pub socket_inode: u32,
    /// Its identity, never given out again; `None` from `/proc/net/unix`.
    pub cookie: Option<Cookie>,
    /// The path it was bound to, as the program wrote it: in its own mount namespace, and maybe relative.
    pub name: PathBuf,
    /// The file it was bound to; `None` from `/proc/net/unix`.
    pub vfs: Option<Vfs>,
    /// Connections that wait to be accepted.
    pub backlog: u32,
    /// Accepted connections that are still open.
    pub sessions: u32,
    /// Who made it; `None` before Linux 5.3 and from `/proc/net/unix`.
    pub uid: Option<UserId>,
}

/// A file as `UNIX_DIAG_VFS` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vfs {
    /// The low 32 bits of the inode number.
    pub inode: u32,
    /// The superblock's device in the kernel's own encoding, 12 bits of major and 20 of minor. Not always `st_dev`:
    /// btrfs gives each subvolume, and overlayfs each layer, a device of its own there.
    pub device: u32,
}

/// One row of the kernel's table, before accepted connections were counted to their listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    /// A listener; its `sessions` are not known yet.
    Listener(UnixListener),
    /// An accepted connection. It carries its listener's name and file.
    Accepted {
        /// Its own number in sockfs.
        socket_inode: u32,
        /// The listener's.
        vfs: Option<Vfs>,
        /// The listener's.
        name: PathBuf,
    },
}

impl UnixListener {
    /// What tells it from every other, and from those that were: as good as the table allows.
    pub(super) fn key(&self) -> (u32, Option<Cookie>) {
        (self.socket_inode, self.cookie)
    }
}

impl UnixTable {
    /// No table at all.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Table::None, [])
    }

    pub(super) fn new(source: Table, rows: impl IntoIterator<Item = Row>) -> Self {
        let mut listeners = Vec::new();
        // A dump that spans several messages can show a socket twice when others come and go meanwhile.
        let mut seen = HashSet::new();
        let mut accepted: HashMap<(Option<Vfs>, PathBuf), u32> = HashMap::new();
        for row in rows {
            match row {
                Row::Listener(listener) if seen.insert(listener.socket_inode) => {
                    listeners.push(listener);
                }
                Row::Accepted {
                    socket_inode,
                    vfs,
                    name,
                } if seen.insert(socket_inode) => *accepted.entry((vfs, name)).or_default() += 1,
                Row::Listener(_) | Row::Accepted { .. } => {}
            }
        }
        listeners.sort_unstable_by_key(|listener| (inode(listener), listener.socket_inode));
        let mut by_name = HashMap::new();
        for (index, listener) in listeners.iter_mut().enumerate() {
            let key = (listener.vfs, std::mem::take(&mut listener.name));
            listener.sessions = accepted.get(&key).copied().unwrap_or(0);
            listener.name = key.1;
            if listener.vfs.is_none()
                && let Some(name) = ControlPath::new(&listener.name)
            {
                by_name.extend(name.without_temporary_suffix().map(|stem| (stem, index)));
                by_name.insert(name, index);
            }
        }
        Self {
            source,
            listeners,
            by_name,
        }
    }

    /// Where it was read from.
    #[must_use]
    pub fn source(&self) -> Table {
        self.source
    }

    /// Every listener that is bound to a path.
    pub fn listeners(&self) -> impl Iterator<Item = &UnixListener> {
        self.listeners.iter()
    }

    /// The listener behind the file that was found at `path`, if any.
    ///
    /// The file's inode decides: a listener keeps its inode from being given out again. Where the kernel's device
    /// is not `st_dev` (btrfs, overlayfs) the name must agree too, and where 32 bits cannot hold the inode number
    /// its last part. Where the table tells no inodes, the name decides alone.
    #[must_use]
    pub fn listener_of(&self, path: &ControlPath, stat: &Stat) -> Option<&UnixListener> {
        let low = u32::try_from(stat.id.inode & u64::from(u32::MAX)).unwrap_or_default();
        let exact = u64::from(low) == stat.id.inode;
        let device = kernel_device(stat.id.device);
        let from = self
            .listeners
            .partition_point(|listener| inode(listener) < Some(low));
        let same_inode = self.listeners[from..]
            .iter()
            .take_while(|listener| inode(listener) == Some(low));
        let mut named = None;
        for listener in same_inode {
            let same_device = device.is_some() && listener.vfs.map(|vfs| vfs.device) == device;
            if same_device && (exact || is_named(listener, path)) {
                return Some(listener);
            }
            if is_bound_to(listener, path) {
                named = Some(listener);
            }
        }
        named.or_else(|| self.listeners.get(*self.by_name.get(path)?))
    }

    /// Whether this very listener is in the table.
    #[must_use]
    pub fn contains(&self, listener: &UnixListener) -> bool {
        self.listeners
            .iter()
            .any(|other| other.key() == listener.key())
    }
}

fn inode(listener: &UnixListener) -> Option<u32> {
    listener.vfs.map(|vfs| vfs.inode)
}

/// Whether the listener was bound to this path or to a temporary name of it.
fn is_bound_to(listener: &UnixListener, path: &ControlPath) -> bool {
    ControlPath::new(&listener.name)
        .is_some_and(|name| name == *path || name.without_temporary_suffix().as_ref() == Some(path))
}

/// Whether that holds for the last parts at least.
fn is_named(listener: &UnixListener, path: &ControlPath) -> bool {
    let last = listener.name.file_name();
    let name = last.and_then(|last| ControlPath::new(Path::new("/").join(last)));
    name.is_some_and(|name| {
        let stem = name.without_temporary_suffix();
        name.name() == path.name() || stem.is_some_and(|stem| stem.name() == path.name())
    })
}

/// `st_dev` as the kernel encodes a superblock's device; `None` where it does not fit.
fn kernel_device(device: u64) -> Option<u32> {
    let (major, minor) = (major(device), minor(device));
    let fits = major < 1 << 12 && minor < 1 << 20;
    fits.then(|| u32::try_from(major << 20 | minor).ok())?
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::model::socket::SocketId;

    fn listener(socket_inode: u32, vfs: Option<Vfs>, name: &str) -> UnixListener {
        UnixListener {
            socket_inode,
            cookie: vfs.map(|_| Cookie(u64::from(socket_inode))),
            name: name.into(),
            vfs,
            backlog: 0,
            sessions: 0,
            uid: None,
        }
    }

    fn accepted(socket_inode: u32, vfs: Option<Vfs>, name: &str) -> Row {
        Row::Accepted {
            socket_inode,
            vfs,
            name: name.into(),
        }
    }

    fn vfs(inode: u32, device: u32) -> Option<Vfs> {
        Some(Vfs { inode, device })
    }

    fn stat(inode: u64, device: u64) -> Stat {
        Stat {
            id: SocketId {
                device,
                inode,
                changed: (0, 0),
            },
            uid: UserId(0),
            mode: 0o600,
            modified: SystemTime::UNIX_EPOCH,
            accessed: SystemTime::UNIX_EPOCH,
        }
    }

    const SUFFIX: &str = ".yDXYs2d7ScOlhAEI";
    /// 254:0 in the kernel's encoding and in that of stat.
    const DISK: (u32, u64) = (254 << 20, 254 << 8);

    #[test]
    fn the_inode_decides_and_the_name_only_where_it_must() {
        let table = UnixTable::new(
            Table::SockDiag,
            [
                Row::Listener(listener(1, vfs(7, DISK.0), &format!("/h/.ssh/a{SUFFIX}"))),
                Row::Listener(listener(2, vfs(8, 39), &format!("/h/.ssh/b{SUFFIX}"))),
                Row::Listener(listener(3, vfs(9, DISK.0), "/h/.ssh/c")),
                Row::Listener(listener(4, vfs(9, 40), "/elsewhere/c")),
            ],
        );
        for (path, inode, device, found) in [
            ("/h/.ssh/a", 7, DISK.1, Some(1)),
            // A symlinked directory: the name differs, the inode does not.
            ("/home/u/.ssh/a", 7, DISK.1, Some(1)),
            ("/h/.ssh/a", 6, DISK.1, None),
            // The device differs on btrfs and overlayfs.
            ("/h/.ssh/b", 8, 41, Some(2)),
            (&format!("/h/.ssh/b{SUFFIX}"), 8, 41, Some(2)),
            ("/other/b", 8, 41, None),
            // Two filesystems with small inode numbers.
            ("/h/.ssh/c", 9, DISK.1, Some(3)),
            ("/elsewhere/c", 9, 40, Some(4)),
            ("/elsewhere/d", 9, 41, None),
            // 64-bit inode numbers.
            ("/home/u/.ssh/a", (5 << 32) + 7, DISK.1, Some(1)),
            ("/h/.ssh/z", (5 << 32) + 7, DISK.1, None),
        ] {
            let path = ControlPath::new(path).unwrap();
            let listener = table.listener_of(&path, &stat(inode, device));
            assert_eq!(
                listener.map(|listener| listener.socket_inode),
                found,
                "{path} {inode} {device}"
            );
        }
    }

    #[test]
    fn without_inodes_the_name_decides() {
        let name = format!("/h/.ssh/a{SUFFIX}");
        let table = UnixTable::new(
            Table::ProcNetUnix,
            [
                Row::Listener(listener(1, None, &name)),
                accepted(9, None, &name),
                Row::Listener(listener(2, None, "relative")),
            ],
        );
        let at = |path| table.listener_of(&ControlPath::new(path).unwrap(), &stat(7, 1));
        assert_eq!(at("/h/.ssh/a").map(|listener| listener.sessions), Some(1));
        assert_eq!(at("/relative"), None);
        assert_eq!(at("/h/.ssh/b"), None);
    }

    #[test]
    fn accepted_connections_are_counted_to_their_own_listener() {
        let orphan = format!("/s/a{SUFFIX}");
        let table = UnixTable::new(
            Table::SockDiag,
            [
                accepted(8, vfs(1, 1), &orphan),
                Row::Listener(listener(1, vfs(1, 1), &orphan)),
                Row::Listener(listener(2, vfs(2, 1), "/s/a.AAAAAAAAAAAAAAAA")),
                accepted(9, vfs(1, 1), &orphan),
                // Shown twice by a dump in several messages.
                accepted(9, vfs(1, 1), &orphan),
                Row::Listener(listener(1, vfs(1, 1), &orphan)),
            ],
        );
        let sessions: Vec<u32> = table
            .listeners()
            .map(|listener| listener.sessions)
            .collect();
        assert_eq!(sessions, [2, 0]);
        assert!(table.contains(&listener(2, vfs(2, 1), "")));
        assert!(!table.contains(&listener(3, vfs(2, 1), "")));
    }

    #[test]
    fn devices_beyond_the_kernels_encoding_match_nothing() {
        assert_eq!(kernel_device(DISK.1), Some(DISK.0));
        assert_eq!(kernel_device(39), Some(39));
        assert_eq!(kernel_device(0xfff << 32), None);
    }
}
