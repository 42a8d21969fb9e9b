//! Directories and files, by inotify(7).
//!
//! inotify watches an inode, an [`Interest`] names a path. So every directory and symlink of the path is watched too; if
//! one is missing, the directory above it is watched for its name. [`Paths::follow`] resolves every path again, and
//! removes the watches that none needs any more.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::event::Event;
use crate::model::interest::{Interest, Names};
use crate::observe::path_walk::{MAX_SYMLINKS, Stop, Way};

/// The inode is removed or renamed.
const SELF: AddWatchFlags = AddWatchFlags::IN_DELETE_SELF.union(AddWatchFlags::IN_MOVE_SELF);

/// Names appear, disappear, or change mode or owner; the directory's own mode and owner too.
const CHILDREN: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVE)
    .union(AddWatchFlags::IN_ATTRIB);

/// A missing directory appears.
const ARRIVALS: AddWatchFlags = AddWatchFlags::IN_CREATE.union(AddWatchFlags::IN_MOVED_TO);

/// A file is written.
const CONTENTS: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE.union(AddWatchFlags::IN_ATTRIB);

/// Reads of 4 KiB in one call, so that a flood of events cannot block the loop.
const MAX_READS: usize = 256;

/// Device and inode.
type FileId = (u64, u64);

/// The inotify instance and its watches.
#[derive(Debug)]
pub(super) struct Paths {
    inotify: Rc<Inotify>,
    watched: HashMap<FileId, Watched>,
    files: HashMap<WatchDescriptor, FileId>,
    is_out_of_watches: bool,
}

/// An inode to watch.
#[derive(Debug)]
struct Target {
    path: PathBuf,
    flags: AddWatchFlags,
    names: Names,
}

#[derive(Debug)]
struct Watched {
    /// `None` if the inode cannot be watched.
    descriptor: Option<WatchDescriptor>,
    flags: AddWatchFlags,
    names: Names,
}

impl Paths {
    pub(super) fn open() -> io::Result<Self> {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        Ok(Self {
            inotify: Rc::new(Inotify::init(flags)?),
            watched: HashMap::new(),
            files: HashMap::new(),
            is_out_of_watches: false,
        })
    }

    /// Readable when there is something to [`Self::read`].
    pub(super) fn inotify(&self) -> Rc<Inotify> {
        Rc::clone(&self.inotify)
    }

    /// Whether the kernel refused a watch because the user has too many.
    pub(super) fn is_out_of_watches(&self) -> bool {
        self.is_out_of_watches
    }

    /// Watches the inodes that these interests need now, and no others. Returns whether these are others than before.
    pub(super) fn follow(&mut self, interests: &[Interest]) -> bool {
        let mut targets = Targets::default();
        for interest in interests {
            targets.add_interest(interest);
        }
        let Targets(targets) = targets;
        let files = self.watched.keys().copied();
        let dropped: Vec<FileId> = files.filter(|file| !targets.contains_key(file)).collect();
        for file in &dropped {
            self.remove(*file);
        }
        self.is_out_of_watches = false;
        let mut is_new = false;
        for (file, target) in targets {
            is_new |= self.watch(file, target);
        }
        is_new || !dropped.is_empty()
    }

    /// Returns whether the inode is watched for more than before.
    fn watch(&mut self, file: FileId, target: Target) -> bool {
        let Target { path, flags, names } = target;
        if let Some(watched) = self.watched.get_mut(&file)
            && watched.flags == flags
            && watched.descriptor.is_some()
        {
            let is_new = watched.names != names;
            watched.names = names;
            return is_new;
        }
        let was_watched = self.watched.contains_key(&file);
        let descriptor = match self
            .inotify
            .add_watch(&path, flags | AddWatchFlags::IN_DONT_FOLLOW)
        {
            Ok(descriptor) => {
                self.files.insert(descriptor, file);
                Some(descriptor)
            }
            Err(error) => {
                // EACCES is permanent: inotify needs read permission. After ENOENT the next call finds it missing.
                self.is_out_of_watches |= error == Errno::ENOSPC;
                tracing::debug!("{}: not watched: {error}", path.display());
                None
            }
        };
        let watched = Watched {
            descriptor,
            flags,
            names,
        };
        self.watched.insert(file, watched);
        descriptor.is_some() || !was_watched
    }

    fn remove(&mut self, file: FileId) {
        if let Some(Watched {
            descriptor: Some(descriptor),
            ..
        }) = self.watched.remove(&file)
        {
            self.files.remove(&descriptor);
            // The kernel may have removed it with the inode.
            let _ = self.inotify.rm_watch(descriptor);
        }
    }

    /// The events since the last call, each kind once. The next call reads what [`MAX_READS`] left.
    pub(super) fn read(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..MAX_READS {
            // The only error of an open instance is EAGAIN: everything is read.
            let Ok(inotify_events) = self.inotify.read_events() else {
                break;
            };
            for inotify_event in inotify_events {
                if let Some(event) = self.event(&inotify_event)
                    && !events.contains(&event)
                {
                    events.push(event);
                }
            }
        }
        events
    }

    fn event(&mut self, event: &InotifyEvent) -> Option<Event> {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            // Events that say which watches ended may be lost, so all are made again.
            let files: Vec<FileId> = self.watched.keys().copied().collect();
            for file in files {
                self.remove(file);
            }
            return Some(Event::Changed);
        }
        let file = *self.files.get(&event.wd)?;
        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
            // The inode is removed or unmounted; its number may be used again.
            self.files.remove(&event.wd);
            self.watched.remove(&file);
            return Some(Event::Changed);
        }
        match &event.name {
            Some(name) => {
                let watched = self.watched.get(&file)?;
                watched.names.matches(name).then_some(Event::Changed)
            }
            None if event.mask.contains(AddWatchFlags::IN_OPEN) => Some(Event::SshStarting),
            None => Some(Event::Changed),
        }
    }
}

/// The inodes to watch for the paths of all interests.
#[derive(Default)]
struct Targets(BTreeMap<FileId, Target>);

impl Targets {
    fn add_interest(&mut self, interest: &Interest) {
        match interest {
            Interest::Names {
                directory,
                names,
                awaited,
            } => {
                if let Some(directory) = self.resolve(directory, *awaited) {
                    self.add(&directory, CHILDREN, names);
                }
            }
            Interest::File { path, reading } => self.add_file(path, *reading),
            Interest::Inode(path) => {
                self.add(path, SELF | AddWatchFlags::IN_ATTRIB, &Names::default());
            }
        }
    }

    fn add_file(&mut self, path: &Path, reading: bool) {
        let mut path = path.to_owned();
        for _ in 0..=MAX_SYMLINKS {
            let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
                return;
            };
            let Some(directory) = self.resolve(directory, true) else {
                return;
            };
            self.add(&directory, CHILDREN, &Names::exactly(name));
            let file = directory.join(name);
            let Ok(target) = fs::read_link(&file) else {
                let opening = if reading {
                    AddWatchFlags::IN_OPEN
                } else {
                    AddWatchFlags::empty()
                };
                return self.add(&file, CONTENTS | opening, &Names::default());
            };
            path = directory.join(target);
        }
    }

    /// Returns the path of a directory without symlinks, and adds every directory and symlink of it. If one is missing,
    /// its name is added if it is `awaited`.
    fn resolve(&mut self, directory: &Path, awaited: bool) -> Option<PathBuf> {
        let way = Way::to(directory);
        for part in &way.parts {
            let file = (part.id.device, part.id.inode);
            self.add_inode(file, &part.path, SELF, &Names::default());
        }
        let missing = match &way.stop {
            Stop::There { .. } => return Some(way.at),
            Stop::Missing { rest } => rest.iter().next(),
            Stop::Other { path, .. } => path.file_name(),
            Stop::Denied | Stop::Failed(_) => None,
        };
        if let Some(name) = missing.filter(|_| awaited) {
            self.add(&way.at, ARRIVALS | SELF, &Names::exactly(name));
        }
        None
    }

    fn add(&mut self, path: &Path, flags: AddWatchFlags, names: &Names) {
        if let Ok(stat) = fs::symlink_metadata(path) {
            self.add_inode((stat.dev(), stat.ino()), path, flags, names);
        }
    }

    fn add_inode(&mut self, file: FileId, path: &Path, flags: AddWatchFlags, names: &Names) {
        let target = self.0.entry(file).or_insert_with(|| Target {
            path: path.to_owned(),
            flags: AddWatchFlags::empty(),
            names: Names::default(),
        });
        target.flags |= flags;
        target.names.extend(names);
    }
}
