//! Event sources of a calloop loop, none of which touches a master:
//!
//! - `paths` (inotify): sockets, directories, the ssh configuration and muxtray's own.
//! - `process_exits` (pidfd): the end of a master's process, also by `kill -9`.
//! - /proc/self/mountinfo: mounts and unmounts.
//! - `clock` (timerfd): resume from sleep, and a clock that was set.
//! - `network` (rtnetlink): addresses, links and routes.
//!
//! The caller's timer has to find the rest: sessions that close, stopped processes, changes that other machines make on
//! a network filesystem, and everything beyond a limit of the kernel ([`WatchLimit`]). [`Debounce`] turns events into
//! scans.

mod clock;
mod debounce;
mod event;
mod network;
mod paths;
mod process_exits;

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use calloop::generic::Generic;
use calloop::{Interest as Readiness, LoopHandle, Mode, PostAction};
use nix::sys::timerfd::TimerFd;
use tr::tr;

use crate::model::control_path::ControlPath;
use crate::model::finding::{Finding, FindingId};
use crate::model::ids::MasterPid;
use crate::model::interest::{Interest, Names};
use crate::model::socket::{Snapshot, Socket};
pub use debounce::Debounce;
pub use event::Event;
use paths::Paths;
use process_exits::ProcessExits;

/// The processes of sessions that are watched beside the masters. The end of another is noticed by a later scan.
const MAX_CLIENTS: usize = 256;

/// The longest time between two scans while something can change without an event: a connection through a forwarding, or a
/// file that is not watched because of the kernel's limits.
pub const INTERVAL_WITHOUT_EVENTS: Duration = Duration::from_secs(30);

/// The data of the loop that a [`Watch`] is part of.
pub trait Watcher: Sized + 'static {
    fn watch(&mut self) -> &mut Watch<Self>;

    /// Called for each event.
    fn on_event(&mut self, event: Event);
}

/// The limit of the kernel because of which something is not watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchLimit {
    InotifyInstances,
    InotifyWatches,
    FileDescriptors,
}

impl WatchLimit {
    /// The finding of the report; `interval_secs` is that of the timer meanwhile.
    #[must_use]
    pub fn finding(self, interval_secs: u64) -> Finding {
        let (subject, evidence, remedy) = match self {
            Self::InotifyInstances => (
                "inotify".to_owned(),
                tr!(
                    "no inotify instance left: {limit} is reached",
                    limit = "fs.inotify.max_user_instances"
                ),
                raised("fs.inotify.max_user_instances=1024"),
            ),
            Self::InotifyWatches => (
                "inotify".to_owned(),
                tr!(
                    "no inotify watch left: {limit} is reached",
                    limit = "fs.inotify.max_user_watches"
                ),
                raised("fs.inotify.max_user_watches=524288"),
            ),
            Self::FileDescriptors => (
                tr!("file descriptors"),
                tr!("no file descriptor left to watch another master"),
                tr!("raise the limit of open files (ulimit -n) and restart muxtray"),
            ),
        };
        let remedy = tr!(
            "{remedy}; until then muxtray scans every {seconds} s",
            remedy,
            seconds = interval_secs
        );
        Finding::new(FindingId::WatchLimit, subject, evidence, remedy)
    }
}

/// Returns the command that sets a value of the kernel now and after each restart.
fn raised(setting: &str) -> String {
    format!("echo {setting} | sudo tee -a /etc/sysctl.d/60-muxtray.conf && sudo sysctl --system")
}

/// The event sources of one loop.
#[derive(Debug)]
pub struct Watch<D> {
    handle: LoopHandle<'static, D>,
    paths: Option<Paths>,
    process_exits: ProcessExits<D>,
    is_out_of_instances: bool,
    has_unwatched_clients: bool,
}

impl<D: Watcher> Watch<D> {
    /// Watches mounts, the clock and the network. A source that fails is logged, and left to the caller's timer.
    #[must_use]
    pub fn new(handle: LoopHandle<'static, D>) -> Self {
        let mounts = File::open("/proc/self/mountinfo").and_then(|mounts| {
            // The file is always readable; a change of the table is an edge.
            let source = Generic::new(mounts, Readiness::READ, Mode::Edge);
            insert(&handle, source, |_, data: &mut D| {
                data.on_event(Event::Changed);
            })
        });
        let clock = clock::start().and_then(|timer| {
            let source = Generic::new(timer, Readiness::READ, Mode::Level);
            insert(&handle, source, |timer: &TimerFd, data: &mut D| {
                clock::rearm(timer);
                data.on_event(Event::Changed);
            })
        });
        let network = network::subscribe().and_then(|socket| {
            let source = Generic::new(socket, Readiness::READ, Mode::Level);
            let mut states = network::States::default();
            insert(&handle, source, move |socket: &OwnedFd, data: &mut D| {
                if states.read(socket) {
                    data.on_event(Event::Network);
                }
            })
        });
        for (source, inserted) in [("mounts", mounts), ("clock", clock), ("network", network)] {
            if let Err(error) = inserted {
                tracing::info!("{source}: not watched: {error}");
            }
        }
        Self::without_sources(handle)
    }

    fn without_sources(handle: LoopHandle<'static, D>) -> Self {
        let on_exit = |data: &mut D, pid| {
            data.watch().process_exits.note_exit(pid);
            data.on_event(Event::Changed);
        };
        Self {
            process_exits: ProcessExits::new(handle.clone(), on_exit),
            handle,
            paths: None,
            is_out_of_instances: false,
            has_unwatched_clients: false,
        }
    }

    /// Watches these interests, the masters, clients and sockets of the snapshot, and nothing else of files and processes.
    /// Returns whether it watches more or less than before: something new may have changed since the scan, and an event of
    /// something dropped may not have been read yet.
    ///
    /// Call it after every scan, so that a directory that was replaced is watched again. Costs some lstat calls for each
    /// directory.
    #[must_use]
    pub fn follow(&mut self, snapshot: &Snapshot, mut interests: Vec<Interest>) -> bool {
        interests.extend(not_covered(snapshot, &interests));
        let sockets = snapshot.sockets.iter();
        let mut processes: BTreeSet<MasterPid> =
            sockets.clone().filter_map(|socket| socket.pid).collect();
        let clients = sockets.filter_map(|socket| socket.clients.as_ref());
        let mut clients = clients.flat_map(|clients| clients.0.iter().flatten());
        processes.extend(clients.by_ref().take(MAX_CLIENTS).map(|client| client.pid));
        self.has_unwatched_clients = clients.next().is_some();
        self.follow_all(&interests, &processes)
    }

    fn follow_all(&mut self, interests: &[Interest], masters: &BTreeSet<MasterPid>) -> bool {
        if self.paths.is_none() {
            self.open_paths();
        }
        let paths = self.paths.as_mut();
        let has_new_paths = paths.is_some_and(|paths| paths.follow(interests));
        self.process_exits.follow(masters) || has_new_paths
    }

    /// Whether sessions or forwarded connections of the snapshot that was followed last can end without an event.
    #[must_use]
    pub fn misses_ends(&self, snapshot: &Snapshot) -> bool {
        let mut sockets = snapshot.sockets.iter();
        self.has_unwatched_clients || sockets.any(Socket::changes_without_event)
    }

    #[must_use]
    pub fn limit(&self) -> Option<WatchLimit> {
        if self.is_out_of_instances {
            Some(WatchLimit::InotifyInstances)
        } else if self.paths.as_ref().is_some_and(Paths::is_out_of_watches) {
            Some(WatchLimit::InotifyWatches)
        } else if self.process_exits.is_incomplete() {
            Some(WatchLimit::FileDescriptors)
        } else {
            None
        }
    }

    /// Takes the events of paths that the loop has not dispatched yet.
    #[must_use]
    pub fn take_path_events(&mut self) -> Vec<Event> {
        self.paths.as_mut().map(Paths::read).unwrap_or_default()
    }

    fn open_paths(&mut self) {
        let opened = Paths::open().and_then(|paths| {
            let source = Generic::new(paths.inotify(), Readiness::READ, Mode::Level);
            insert(&self.handle, source, |_, data: &mut D| {
                for event in data.watch().take_path_events() {
                    data.on_event(event);
                }
            })?;
            Ok(paths)
        });
        self.is_out_of_instances = opened.is_err();
        match opened {
            Ok(paths) => self.paths = Some(paths),
            Err(error) => tracing::debug!("files are not watched: {error}"),
        }
    }
}

/// Returns the sockets whose changes are not among the events of the interests.
fn not_covered(snapshot: &Snapshot, interests: &[Interest]) -> Vec<Interest> {
    let mut watched: HashMap<&OsStr, Vec<&Names>> = HashMap::new();
    for interest in interests {
        if let Interest::Names {
            directory, names, ..
        } = interest
        {
            watched.entry(directory.as_ref()).or_default().push(names);
        }
    }
    let is_covered = |path: &ControlPath| {
        let watched = watched.get(path.directory().as_os_str());
        let name = OsStr::from_bytes(path.name());
        watched
            .into_iter()
            .flatten()
            .any(|names| names.matches(name))
    };
    let sockets = snapshot.sockets.iter();
    let with_file = sockets.filter(|socket| socket.id.is_some());
    with_file
        .filter(|socket| !is_covered(&socket.path))
        .map(|socket| Interest::Inode(socket.path.as_path().to_owned()))
        .collect()
}

fn insert<D: 'static, F: AsFd + 'static>(
    handle: &LoopHandle<'static, D>,
    source: Generic<F>,
    mut on_ready: impl FnMut(&F, &mut D) + 'static,
) -> io::Result<()> {
    handle
        .insert_source(source, move |_, file, data| {
            on_ready(file, data);
            Ok(PostAction::Continue)
        })
        .map(drop)
        .map_err(|error| io::Error::other(error.error))
}

#[cfg(test)]
mod tests;
