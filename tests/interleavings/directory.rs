//! A directory on a real filesystem, with a record of its sockets: the names of each, its maker, whether it has a
//! listener, and the process that removed a name.
//!
//! The directory is read after every single system call, so every change has a known cause. A broken promise fails at
//! once, with the log of all calls so far.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc::{O_NOFOLLOW, O_PATH};

/// The name that masters take.
pub(crate) const CONTROL_NAME: &str = "u@h-22";
/// The name that a clean gives a file taken from there.
pub(crate) const ASIDE: &str = ".muxtray-aside.u@h-22";

/// The process that makes a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Caller {
    /// An ssh, by its number.
    Ssh(usize),
    /// A clean, by its number.
    Cleaner(usize),
    /// The test itself.
    Test,
}

/// A live master's name that another ssh unlinked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Loss {
    /// The owner of the socket.
    pub(crate) of: usize,
    /// The ssh that unlinked it.
    pub(crate) by: usize,
}

/// A socket file, independent of its names.
#[derive(Debug)]
pub(crate) struct Socket {
    /// The ssh that bound it; `None` if it was there before all of them, and has no listener.
    pub(crate) owner: Option<usize>,
    /// Whether it has a listener, or was bound by a process about to listen.
    pub(crate) live: bool,
    /// Keeps the inode from being reused, so that an inode number always means the same file.
    held: fs::File,
    inode: u64,
    changed: (i64, i64),
}

#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    sockets: Vec<Socket>,
    /// The socket of each name.
    names: BTreeMap<String, usize>,
    /// Every name of a live master that another ssh took.
    pub(crate) losses: Vec<Loss>,
    log: Vec<String>,
}

impl Directory {
    /// An empty directory; old contents are removed.
    pub(crate) fn new(path: &Path) -> Self {
        for entry in fs::read_dir(path).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        Self {
            path: path.to_owned(),
            sockets: Vec::new(),
            names: BTreeMap::new(),
            losses: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Makes a stale socket.
    pub(crate) fn put_stale(&mut self, name: &str) {
        drop(UnixListener::bind(self.at(name)).unwrap());
        self.add_bound(name, None);
        self.sockets.last_mut().unwrap().live = false;
        self.look(Caller::Test, "a stale socket");
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The socket with this name.
    pub(crate) fn socket(&self, name: &str) -> Option<&Socket> {
        Some(&self.sockets[*self.names.get(name)?])
    }

    /// The names of this ssh's socket.
    pub(crate) fn names_of(&self, owner: usize) -> Vec<&str> {
        let names = self.names.iter();
        names
            .filter(|(_, socket)| self.sockets[**socket].owner == Some(owner))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Records that this ssh has just bound a socket.
    pub(crate) fn add_bound(&mut self, name: &str, owner: Option<usize>) {
        let mut options = fs::File::options();
        let held = options
            .read(true)
            .custom_flags(O_PATH | O_NOFOLLOW)
            .open(self.at(name))
            .unwrap();
        self.sockets.push(Socket {
            owner,
            live: true,
            inode: held.metadata().unwrap().ino(),
            changed: change_time(&held),
            held,
        });
    }

    /// Records that this ssh's socket has no listener any more.
    pub(crate) fn mark_closed(&mut self, owner: usize) {
        for socket in &mut self.sockets {
            socket.live &= socket.owner != Some(owner);
        }
    }

    /// Reads the directory after one system call, and checks every change.
    pub(crate) fn look(&mut self, caller: Caller, action: &str) {
        let mut names = BTreeMap::new();
        for entry in fs::read_dir(&self.path).unwrap() {
            let entry = entry.unwrap();
            let inode = fs::symlink_metadata(entry.path()).unwrap().ino();
            let known = self.sockets.iter().position(|known| known.inode == inode);
            let name = entry.file_name().into_string().unwrap();
            match known {
                Some(socket) => drop(names.insert(name, socket)),
                None => self.fail(&format!("{caller:?} made an unknown file {name}")),
            }
        }
        let before = std::mem::replace(&mut self.names, names);
        let mut line = format!("{caller:?}: {action}:");
        for (name, socket) in &self.names {
            let Socket { owner, live, .. } = self.sockets[*socket];
            let life = if live { "live" } else { "dead" };
            let owner = owner.map_or("nobody".to_owned(), |owner| format!("ssh {owner}"));
            let _ = write!(line, " {name} = {owner}'s, {life};");
        }
        self.log.push(line);
        for (name, socket) in &before {
            if self.names.get(name) != Some(socket) {
                self.check_loss(caller, name, *socket);
            }
        }
        for (name, socket) in &self.names {
            let is_new = before.get(name) != Some(socket);
            let was_there = before.values().any(|before| before == socket);
            if is_new && matches!(caller, Caller::Cleaner(_)) && !was_there {
                self.fail("a clean made a removed file again");
            }
        }
        for socket in 0..self.sockets.len() {
            if names_of(&before, socket) != names_of(&self.names, socket) {
                self.wait_for_change_time(socket);
            }
        }
    }

    /// Checks whether this name may have been taken from that socket.
    fn check_loss(&mut self, caller: Caller, name: &str, socket: usize) {
        let Socket { owner, live, .. } = self.sockets[socket];
        let now = self.names.iter().find(|(_, now)| **now == socket);
        match (caller, now) {
            // Renamed.
            (Caller::Cleaner(_), Some((now, _))) => {
                let may =
                    [(CONTROL_NAME, ASIDE), (ASIDE, CONTROL_NAME)].contains(&(name, now.as_str()));
                if !may {
                    self.fail(&format!("a clean renamed {name} to {now}"));
                }
            }
            (Caller::Cleaner(_), None) if live => self.fail("a clean removed a live socket"),
            (Caller::Cleaner(_), None) if name == CONTROL_NAME => {
                self.fail("a clean unlinked without having taken aside");
            }
            // Its temporary name may remain, but only for a moment.
            (Caller::Ssh(by), _) if name == CONTROL_NAME => {
                if let Some(of) = owner.filter(|of| live && *of != by) {
                    self.losses.push(Loss { of, by });
                }
            }
            (Caller::Cleaner(_), None) | (Caller::Ssh(_) | Caller::Test, _) => {}
        }
    }

    /// Waits until the change time differs: some kernels keep it in milliseconds. If a clean could miss a change
    /// because of that, the same order would not always be the same run.
    fn wait_for_change_time(&mut self, socket: usize) {
        let socket = &mut self.sockets[socket];
        let link = format!("/proc/self/fd/{}", socket.held.as_raw_fd());
        let deadline = Instant::now() + Duration::from_secs(10);
        while change_time(&socket.held) == socket.changed {
            assert!(Instant::now() < deadline, "the change time stays the same");
            fs::set_permissions(&link, fs::Permissions::from_mode(0o600)).unwrap();
        }
        socket.changed = change_time(&socket.held);
    }

    /// Ends the test with the log of all calls.
    #[track_caller]
    pub(crate) fn fail(&self, why: &str) -> ! {
        panic!("{why}\n  {}", self.log.join("\n  "));
    }
}

fn names_of(names: &BTreeMap<String, usize>, socket: usize) -> Vec<&String> {
    let all = names.iter().filter(|(_, other)| **other == socket);
    all.map(|(name, _)| name).collect()
}

fn change_time(held: &fs::File) -> (i64, i64) {
    let metadata = held.metadata().unwrap();
    (metadata.ctime(), metadata.ctime_nsec())
}
