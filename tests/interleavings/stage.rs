//! One directory on a real filesystem, and the truth about it: which file stands under which name, who made it, who
//! listens, and who took a name away.
//!
//! The truth is read from the directory after every single system call, so it is known whose call changed what.
//! Whatever breaks a promise fails at once, with everything that happened so far.

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
pub(crate) const HOME: &str = "u@h-22";
/// The name that a clean gives what it takes from there.
pub(crate) const ASIDE: &str = ".muxtray-aside.u@h-22";

/// Who makes a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
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
    /// Whose socket.
    pub(crate) of: usize,
    /// Who unlinked it.
    pub(crate) by: usize,
}

/// A socket file, whatever its names are.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Which ssh bound it; `None`: it was there before all of them, and nobody has listened since.
    pub(crate) owner: Option<usize>,
    /// Whether somebody listens, or has bound it and is about to.
    pub(crate) live: bool,
    /// Keeps the inode from being given out again: what a number means shall not depend on the filesystem's taste.
    held: fs::File,
    inode: u64,
    changed: (i64, i64),
}

/// The directory.
#[derive(Debug)]
pub(crate) struct Stage {
    directory: PathBuf,
    sockets: Vec<Socket>,
    /// Which socket stands under which name.
    names: BTreeMap<String, usize>,
    /// Every name of a live master that another ssh took.
    pub(crate) losses: Vec<Loss>,
    log: Vec<String>,
}

impl Stage {
    /// An empty directory: whatever was in it is removed.
    pub(crate) fn new(directory: &Path) -> Self {
        for entry in fs::read_dir(directory).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        Self {
            directory: directory.to_owned(),
            sockets: Vec::new(),
            names: BTreeMap::new(),
            losses: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Puts a socket there that nobody listens on.
    pub(crate) fn put_stale(&mut self, name: &str) {
        drop(UnixListener::bind(self.at(name)).unwrap());
        self.born(name, None);
        self.sockets.last_mut().unwrap().live = false;
        self.look(Who::Test, "a stale socket");
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The socket that stands under this name.
    pub(crate) fn socket(&self, name: &str) -> Option<&Socket> {
        Some(&self.sockets[*self.names.get(name)?])
    }

    /// Where this ssh's socket stands: its names.
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

    /// Notes that this ssh has just bound a socket.
    pub(crate) fn born(&mut self, name: &str, owner: Option<usize>) {
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

    /// Notes that the socket of this ssh listens no more.
    pub(crate) fn died(&mut self, owner: usize) {
        for socket in &mut self.sockets {
            socket.live &= socket.owner != Some(owner);
        }
    }

    /// Reads what is there after one system call, and judges what it has changed.
    pub(crate) fn look(&mut self, who: Who, what: &str) {
        let mut names = BTreeMap::new();
        for entry in fs::read_dir(&self.directory).unwrap() {
            let entry = entry.unwrap();
            let inode = fs::symlink_metadata(entry.path()).unwrap().ino();
            let known = self.sockets.iter().position(|known| known.inode == inode);
            let name = entry.file_name().into_string().unwrap();
            match known {
                Some(socket) => drop(names.insert(name, socket)),
                None => self.fail(&format!("{who:?} made {name} out of nothing")),
            }
        }
        let before = std::mem::replace(&mut self.names, names);
        let mut line = format!("{who:?}: {what}:");
        for (name, socket) in &self.names {
            let Socket { owner, live, .. } = self.sockets[*socket];
            let life = if live { "live" } else { "dead" };
            let owner = owner.map_or("nobody".to_owned(), |owner| format!("ssh {owner}"));
            let _ = write!(line, " {name} = {owner}'s, {life};");
        }
        self.log.push(line);
        for (name, socket) in &before {
            if self.names.get(name) != Some(socket) {
                self.judge_loss(who, name, *socket);
            }
        }
        for (name, socket) in &self.names {
            let is_new = before.get(name) != Some(socket);
            let was_there = before.values().any(|before| before == socket);
            if is_new && matches!(who, Who::Cleaner(_)) && !was_there {
                self.fail("a clean brought back what was gone");
            }
        }
        for socket in 0..self.sockets.len() {
            if names_of(&before, socket) != names_of(&self.names, socket) {
                self.let_change_time_move(socket);
            }
        }
    }

    /// This name is no longer that socket's: may it be?
    fn judge_loss(&mut self, who: Who, name: &str, socket: usize) {
        let Socket { owner, live, .. } = self.sockets[socket];
        let now = self.names.iter().find(|(_, now)| **now == socket);
        match (who, now) {
            // Renamed.
            (Who::Cleaner(_), Some((now, _))) => {
                let may = [(HOME, ASIDE), (ASIDE, HOME)].contains(&(name, now.as_str()));
                if !may {
                    self.fail(&format!("a clean renamed {name} to {now}"));
                }
            }
            (Who::Cleaner(_), None) if live => self.fail("a clean removed a live socket"),
            (Who::Cleaner(_), None) if name == HOME => {
                self.fail("a clean unlinked without having taken aside");
            }
            // Its temporary name may be there still, but only for a moment.
            (Who::Ssh(by), _) if name == HOME => {
                if let Some(of) = owner.filter(|of| live && *of != by) {
                    self.losses.push(Loss { of, by });
                }
            }
            (Who::Cleaner(_), None) | (Who::Ssh(_) | Who::Test, _) => {}
        }
    }

    /// On some kernels a change time has a grain of milliseconds. Whether a clean sees that a name has changed shall
    /// not depend on that, or the same order would not always be the same run.
    fn let_change_time_move(&mut self, socket: usize) {
        let socket = &mut self.sockets[socket];
        let link = format!("/proc/self/fd/{}", socket.held.as_raw_fd());
        let deadline = Instant::now() + Duration::from_secs(10);
        while change_time(&socket.held) == socket.changed {
            assert!(Instant::now() < deadline, "the change time stands still");
            fs::set_permissions(&link, fs::Permissions::from_mode(0o600)).unwrap();
        }
        socket.changed = change_time(&socket.held);
    }

    /// Ends the test with everything that has happened.
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
