//! The listening unix sockets of this network namespace, as read by `sock_diag` or `proc_net_unix`, and the lookup of
//! the listener of a file.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use nix::sys::stat::{major, minor};

use crate::model::control_path::{ControlPath, stem_of_temporary};
use crate::model::ids::{Cookie, UserId};
use crate::model::observation::{Stat, Table};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixTable {
    source: Table,
    /// Sorted by `(vfs inode, socket_inode)`; those without a vfs inode first.
    listeners: Vec<UnixListener>,
    /// The listeners without a vfs inode, by bound name with and without the temporary suffix.
    by_name: HashMap<ControlPath, usize>,
    /// The inodes in sockfs of all listeners and accepted connections.
    inodes: HashSet<u32>,
}

/// Identifies a listener, as far as the table allows: its inode in sockfs, and its cookie.
pub(super) type ListenerKey = (u32, Option<Cookie>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnixListener {
    /// The inode in sockfs, the `N` of `/proc/PID/fd/… -> socket:[N]`. Reused after a while.
    pub socket_inode: u32,
    /// Unique within one boot; `None` from `/proc/net/unix`.
    pub cookie: Option<Cookie>,
    /// The path it was bound to, in the program's mount namespace, and possibly relative.
    pub name: PathBuf,
    /// The file it was bound to; `None` from `/proc/net/unix`.
    pub vfs: Option<Vfs>,
    /// Connections that wait to be accepted.
    pub backlog: u32,
    /// Accepted connections that are still open.
    pub sessions: u32,
    /// The inodes in sockfs of their clients' ends; empty from `/proc/net/unix`.
    pub peers: Vec<u32>,
    /// Its creator; `None` before Linux 5.3 and from `/proc/net/unix`.
    pub uid: Option<UserId>,
}

/// A file as in `UNIX_DIAG_VFS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vfs {
    /// The low 32 bits of the inode number.
    pub inode: u32,
    /// The superblock's device in the kernel's encoding, 12 bits of major and 20 of minor. It differs from `st_dev` on
    /// btrfs, where each subvolume has its own, and on overlayfs.
    pub device: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row<'a> {
    /// With `sessions` 0.
    Listener(UnixListener),
    /// An accepted connection, with the file and name of its listener.
    Accepted {
        socket_inode: u32,
        vfs: Option<Vfs>,
        name: &'a OsStr,
        peer: Option<u32>,
    },
}

/// The rows of a table, each socket once: a dump in several messages can hold it twice if others come and go meanwhile.
#[derive(Debug, Default)]
pub(super) struct Rows {
    listeners: Vec<UnixListener>,
    /// By name and file of the listener.
    accepted: HashMap<OsString, Vec<(Option<Vfs>, Connections)>>,
    inodes: HashSet<u32>,
}

impl Rows {
    fn add_connection(&mut self, vfs: Option<Vfs>, name: &OsStr, peer: Option<u32>) {
        let mut known = self.accepted.get_mut(name).into_iter().flatten();
        if let Some((_, connections)) = known.find(|(known, _)| *known == vfs) {
            connections.count += 1;
            connections.peers.extend(peer);
            return;
        }
        let peers = peer.into_iter().collect();
        let first = (vfs, Connections { count: 1, peers });
        match self.accepted.get_mut(name) {
            Some(others) => others.push(first),
            None => drop(self.accepted.insert(name.to_owned(), vec![first])),
        }
    }
}

#[derive(Debug, Default)]
struct Connections {
    count: u32,
    /// The inodes of their clients' ends, where they are known.
    peers: Vec<u32>,
}

impl<'a> Extend<Row<'a>> for Rows {
    fn extend<I: IntoIterator<Item = Row<'a>>>(&mut self, rows: I) {
        for row in rows {
            match row {
                Row::Listener(listener) if self.inodes.insert(listener.socket_inode) => {
                    self.listeners.push(listener);
                }
                Row::Accepted {
                    socket_inode,
                    vfs,
                    name,
                    peer,
                } if self.inodes.insert(socket_inode) => {
                    self.add_connection(vfs, name, peer);
                }
                Row::Listener(_) | Row::Accepted { .. } => {}
            }
        }
    }
}

impl UnixListener {
    pub(super) fn key(&self) -> ListenerKey {
        (self.socket_inode, self.cookie)
    }
}

impl UnixTable {
    /// For a system without a readable table.
    pub fn none() -> Self {
        Self::new(Table::None, [])
    }

    pub(super) fn new<'a>(source: Table, rows: impl IntoIterator<Item = Row<'a>>) -> Self {
        let mut all = Rows::default();
        all.extend(rows);
        Self::of(source, all)
    }

    pub(super) fn of(source: Table, rows: Rows) -> Self {
        let Rows {
            mut listeners,
            mut accepted,
            inodes,
        } = rows;
        listeners.sort_unstable_by_key(|listener| (inode(listener), listener.socket_inode));
        let mut by_name = HashMap::new();
        for (index, listener) in listeners.iter_mut().enumerate() {
            let of_name = accepted.get_mut(listener.name.as_os_str());
            let mut of_name = of_name.into_iter().flatten();
            let its = of_name.find(|(vfs, _)| *vfs == listener.vfs);
            let its = its.map(|(_, its)| std::mem::take(its)).unwrap_or_default();
            (listener.sessions, listener.peers) = (its.count, its.peers);
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
            inodes,
        }
    }

    pub fn source(&self) -> Table {
        self.source
    }

    pub fn listeners(&self) -> impl Iterator<Item = &UnixListener> {
        self.listeners.iter()
    }

    /// The listener of the file at `path`.
    ///
    /// The inode decides, since a listener keeps its inode from being reused. If the kernel's device differs from
    /// `st_dev` (btrfs, overlayfs), the name has to match too; if the inode number exceeds 32 bits, the file name. In a
    /// table without inodes the name decides alone.
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

    /// Whether this is a listener or an accepted connection with a path.
    pub(super) fn has_inode(&self, socket_inode: u32) -> bool {
        self.inodes.contains(&socket_inode)
    }

    pub fn contains(&self, listener: &UnixListener) -> bool {
        let mut all = self.listeners.iter();
        all.any(|other| other.key() == listener.key())
    }
}

fn inode(listener: &UnixListener) -> Option<u32> {
    listener.vfs.map(|vfs| vfs.inode)
}

/// Whether the listener was bound to this path or its temporary name.
fn is_bound_to(listener: &UnixListener, path: &ControlPath) -> bool {
    ControlPath::new(&listener.name)
        .is_some_and(|name| name == *path || name.without_temporary_suffix().as_ref() == Some(path))
}

/// The same for the file names alone.
fn is_named(listener: &UnixListener, path: &ControlPath) -> bool {
    listener.name.file_name().is_some_and(|name| {
        let name = name.as_bytes();
        name == path.name() || stem_of_temporary(name) == Some(path.name())
    })
}

/// `st_dev` in the encoding of [`Vfs::device`]; `None` if it does not fit.
fn kernel_device(device: u64) -> Option<u32> {
    let (major, minor) = (major(device), minor(device));
    let fits = major < 1 << 12 && minor < 1 << 20;
    fits.then(|| u32::try_from(major << 20 | minor).ok())?
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::model::group::{GroupId, Permissions};
    use crate::model::ids::SocketId;

    fn listener(socket_inode: u32, vfs: Option<Vfs>, name: &str) -> UnixListener {
        UnixListener {
            socket_inode,
            cookie: vfs.map(|_| Cookie(u64::from(socket_inode))),
            name: name.into(),
            vfs,
            ..UnixListener::default()
        }
    }

    fn accepted(socket_inode: u32, vfs: Option<Vfs>, name: &str) -> Row<'_> {
        Row::Accepted {
            socket_inode,
            vfs,
            name: name.as_ref(),
            peer: None,
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
            permissions: Permissions {
                mode: 0o600,
                group: GroupId(0),
                acl: None,
            },
            modified: SystemTime::UNIX_EPOCH,
            accessed: SystemTime::UNIX_EPOCH,
        }
    }

    const SUFFIX: &str = ".yDXYs2d7ScOlhAEI";
    /// 254:0 in the kernel's encoding and in that of stat.
    const DISK: (u32, u64) = (254 << 20, 254 << 8);

    #[test]
    fn inode_decides_and_name_only_if_needed() {
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
            // A symlinked directory: another name, the same inode.
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
    fn name_decides_in_a_table_without_inodes() {
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
    fn sessions_are_counted_for_their_listener() {
        let orphan = format!("/s/a{SUFFIX}");
        let table = UnixTable::new(
            Table::SockDiag,
            [
                accepted(8, vfs(1, 1), &orphan),
                Row::Listener(listener(1, vfs(1, 1), &orphan)),
                Row::Listener(listener(2, vfs(2, 1), "/s/a.AAAAAAAAAAAAAAAA")),
                accepted(9, vfs(1, 1), &orphan),
                // Twice, as in a dump in several messages.
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
    fn device_beyond_the_kernels_encoding_has_none() {
        assert_eq!(kernel_device(DISK.1), Some(DISK.0));
        assert_eq!(kernel_device(39), Some(39));
        assert_eq!(kernel_device(0xfff << 32), None);
    }
}
