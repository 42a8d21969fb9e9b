//! Directories and files, by inotify(7).
//!
//! A watch is on an inode, an [`Interest`] on a path. So every directory and symbolic link on the way is watched for
//! becoming another, and where the way ends early, the last directory for the next name to come. [`Paths::follow`]
//! walks every way anew; an inode that is on none any more is let go.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::News;
use crate::model::interest::{Interest, Names};
use crate::observe::path_walk::{MAX_SYMLINKS, Stop, Way};

/// The inode itself goes away or gets another path.
const SELF: AddWatchFlags = AddWatchFlags::IN_DELETE_SELF.union(AddWatchFlags::IN_MOVE_SELF);

/// Names come, go, or change mode or owner, which the directory itself does too.
const CHILDREN: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVE)
    .union(AddWatchFlags::IN_ATTRIB);

/// A directory that is not there yet comes.
const ARRIVALS: AddWatchFlags = AddWatchFlags::IN_CREATE.union(AddWatchFlags::IN_MOVED_TO);

/// What is in a file is another.
const CONTENTS: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE.union(AddWatchFlags::IN_ATTRIB);

/// As many reads of 4 KiB at a time: whoever makes events faster than they are read shall not hold the loop.
const MAX_READS: usize = 256;

/// Device and inode.
type FileId = (u64, u64);

/// The inotify instance, and what is watched by it.
#[derive(Debug)]
pub(super) struct Paths {
    inotify: Rc<Inotify>,
    watched: HashMap<FileId, Watched>,
    files: HashMap<WatchDescriptor, FileId>,
    is_short: bool,
}

/// An inode that is worth a watch.
#[derive(Debug)]
struct Wanted {
    path: PathBuf,
    flags: AddWatchFlags,
    names: Names,
}

#[derive(Debug)]
struct Watched {
    /// `None` where the inode cannot be watched.
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
            is_short: false,
        })
    }

    /// Becomes readable when there is something to [`Self::read`].
    pub(super) fn events(&self) -> Rc<Inotify> {
        Rc::clone(&self.inotify)
    }

    /// Whether the kernel refused a watch because the user has too many.
    pub(super) fn is_short(&self) -> bool {
        self.is_short
    }

    /// Watches what these interests lead to now, and nothing else. Returns whether any of it was not watched before.
    pub(super) fn follow(&mut self, interests: &[Interest]) -> bool {
        let mut ways = Ways::default();
        for interest in interests {
            ways.follow(interest);
        }
        let wanted = ways.wanted;
        let gone: Vec<FileId> = self
            .watched
            .keys()
            .filter(|file| !wanted.contains_key(file))
            .copied()
            .collect();
        for file in gone {
            self.forget(file);
        }
        self.is_short = false;
        let mut is_new = false;
        for (file, wanted) in wanted {
            is_new |= self.want(file, wanted);
        }
        is_new
    }

    /// Returns whether the inode is watched for more than before.
    fn want(&mut self, file: FileId, wanted: Wanted) -> bool {
        let Wanted { path, flags, names } = wanted;
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
                // EACCES is for good: inotify asks for read permission. What vanished is found missing next time.
                self.is_short |= error == Errno::ENOSPC;
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

    fn forget(&mut self, file: FileId) {
        if let Some(Watched {
            descriptor: Some(descriptor),
            ..
        }) = self.watched.remove(&file)
        {
            self.files.remove(&descriptor);
            // It may be gone with its inode already.
            let _ = self.inotify.rm_watch(descriptor);
        }
    }

    /// What has happened, each kind of news once; more than [`MAX_READS`] takes in comes with the next call.
    pub(super) fn read(&mut self) -> Vec<News> {
        let mut heard = Vec::new();
        for _ in 0..MAX_READS {
            // EAGAIN: that was all. There is no other error on an open instance.
            let Ok(events) = self.inotify.read_events() else {
                break;
            };
            for event in events {
                if let Some(news) = self.news(&event)
                    && !heard.contains(&news)
                {
                    heard.push(news);
                }
            }
        }
        heard
    }

    fn news(&mut self, event: &InotifyEvent) -> Option<News> {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            // Among what is lost may be the end of watches; all are made anew.
            let all: Vec<FileId> = self.watched.keys().copied().collect();
            for file in all {
                self.forget(file);
            }
            return Some(News::Changed);
        }
        let file = *self.files.get(&event.wd)?;
        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
            // The inode is gone, or what it was mounted from. Its number may come again.
            self.files.remove(&event.wd);
            self.watched.remove(&file);
            return Some(News::Changed);
        }
        match &event.name {
            Some(name) => {
                let watched = self.watched.get(&file)?;
                watched.names.matches(name).then_some(News::Changed)
            }
            None if event.mask.contains(AddWatchFlags::IN_OPEN) => Some(News::Begun),
            None => Some(News::Changed),
        }
    }
}

/// The inodes that the ways to what is of interest lead over.
#[derive(Default)]
struct Ways {
    wanted: BTreeMap<FileId, Wanted>,
}

/// Where the way to a directory ends.
enum End {
    /// There, by this path without links.
    At(PathBuf),
    /// This directory has no directory of that name.
    Missing(PathBuf, OsString),
    /// Nobody knows.
    Lost,
}

impl Ways {
    fn follow(&mut self, interest: &Interest) {
        match interest {
            Interest::Names {
                directory,
                names,
                awaited,
            } => match self.walk(directory) {
                End::At(directory) => self.want(&directory, CHILDREN, names),
                End::Missing(parent, name) if *awaited => self.want_arrival(&parent, name),
                End::Missing(..) | End::Lost => {}
            },
            Interest::File { path, reading } => self.follow_file(path, *reading),
            Interest::Inode(path) => {
                self.want(path, SELF | AddWatchFlags::IN_ATTRIB, &Names::default());
            }
        }
    }

    fn follow_file(&mut self, path: &Path, reading: bool) {
        let mut path = path.to_owned();
        for _ in 0..=MAX_SYMLINKS {
            let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
                return;
            };
            let directory = match self.walk(directory) {
                End::At(directory) => directory,
                End::Missing(parent, name) => return self.want_arrival(&parent, name),
                End::Lost => return,
            };
            self.want(&directory, CHILDREN, &Names::exactly(name));
            let file = directory.join(name);
            let Ok(target) = fs::read_link(&file) else {
                let opening = if reading {
                    AddWatchFlags::IN_OPEN
                } else {
                    AddWatchFlags::empty()
                };
                return self.want(&file, CONTENTS | opening, &Names::default());
            };
            path = directory.join(target);
        }
    }

    /// Walks to a directory, and wants every inode on the way.
    fn walk(&mut self, directory: &Path) -> End {
        let way = Way::to(directory);
        for part in &way.parts {
            let file = (part.id.device, part.id.inode);
            self.want_file(file, &part.path, SELF, &Names::default());
        }
        match way.stop {
            Stop::There { .. } => End::At(way.at),
            Stop::Missing { rest } => match rest.iter().next() {
                Some(name) => End::Missing(way.at, name.to_owned()),
                None => End::Lost,
            },
            Stop::Other { path, .. } => match path.file_name() {
                Some(name) => End::Missing(way.at, name.to_owned()),
                None => End::Lost,
            },
            Stop::Denied | Stop::Failed(_) => End::Lost,
        }
    }

    fn want_arrival(&mut self, parent: &Path, name: OsString) {
        self.want(parent, ARRIVALS | SELF, &Names::exactly(name));
    }

    fn want(&mut self, path: &Path, flags: AddWatchFlags, names: &Names) {
        if let Ok(stat) = fs::symlink_metadata(path) {
            self.want_file((stat.dev(), stat.ino()), path, flags, names);
        }
    }

    fn want_file(&mut self, file: FileId, path: &Path, flags: AddWatchFlags, names: &Names) {
        let wanted = self.wanted.entry(file).or_insert_with(|| Wanted {
            path: path.to_owned(),
            flags: AddWatchFlags::empty(),
            names: Names::default(),
        });
        wanted.flags |= flags;
        wanted.names.extend(names);
    }
}
