//! Watch: what wakes a loop that has looked, when looking again could show anything new.
//!
//! Five kinds of events, each a source of a calloop loop, none of which touches a master:
//!
//! - `paths` (inotify): a socket is linked, removed or changed; the ssh configuration or muxtray's own is written;
//!   a directory vanishes, comes back, or becomes another. And that the ssh configuration is opened: every ssh does
//!   that as it starts, so sessions that open, which nothing else tells of, are seen, and a master that hangs is
//!   looked at in the moment somebody waits for it.
//! - `deaths` (pidfd): a master's process ends, by `kill -9` too.
//! - /proc/self/mountinfo: something is mounted over a directory, or from under it.
//! - `clock` (timerfd): the machine has slept, or the clock was set.
//! - `network` (rtnetlink): an address, a link or a route comes, goes or becomes another.
//!
//! What is left to the caller's timer: sessions that close, a process that is stopped, changes that other machines
//! make on a network filesystem, and everything that the limits of the kernel leave unwatched ([`Shortage`]).
//! When to look after an event is [`Pace`]'s to say.

mod clock;
mod debounce;
mod network;
mod paths;
mod process_exits;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use calloop::generic::Generic;
use calloop::{Interest as Readiness, LoopHandle, Mode, PostAction};
use tr::tr;

use crate::model::finding::{Finding, FindingId};
use crate::model::interest::Interest;
use crate::model::socket::{MasterPid, Snapshot};
use clock::Clock;
pub use debounce::Pace;
use network::Network;
use paths::Paths;
use process_exits::Deaths;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Something that was looked at may be another by now.
    Changed,
    /// The machine's addresses, links or routes are others.
    Network,
    /// An ssh seems to start.
    Begun,
}

/// The owner of a [`Watch`]: the data of the loop that it is a part of.
pub trait Watcher: Sized + 'static {
    /// The watch.
    fn watch(&mut self) -> &mut Watch<Self>;

    /// Takes note of news; called for each.
    fn heard(&mut self, news: News);
}

/// Why not everything is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// The user has no inotify instance left (`fs.inotify.max_user_instances`).
    Instances,
    /// The user has no inotify watch left (`fs.inotify.max_user_watches`).
    Watches,
    /// The process has no file descriptor left.
    Descriptors,
}

impl Shortage {
    /// The same, as the report tells it; `secs` is how often the timer looks meanwhile.
    #[must_use]
    pub fn finding(self, secs: u64) -> Finding {
        let (subject, evidence, remedy) = match self {
            Self::Instances => (
                "inotify".to_owned(),
                tr!(
                    "the user has no inotify instance left: {limit} is reached",
                    limit = "fs.inotify.max_user_instances"
                ),
                "sudo sysctl fs.inotify.max_user_instances=1024".to_owned(),
            ),
            Self::Watches => (
                "inotify".to_owned(),
                tr!(
                    "the user has no inotify watch left: {limit} is reached",
                    limit = "fs.inotify.max_user_watches"
                ),
                "sudo sysctl fs.inotify.max_user_watches=524288".to_owned(),
            ),
            Self::Descriptors => (
                tr!("file descriptors"),
                tr!("muxtray has no file descriptor left for another master"),
                tr!("raise the limit of open files (ulimit -n) and start muxtray again"),
            ),
        };
        let remedy = tr!(
            "{remedy}; until then muxtray looks every {seconds} s",
            remedy,
            seconds = secs
        );
        Finding::new(FindingId::WatchLimit, subject, evidence, remedy)
    }
}

/// The sources of one loop.
#[derive(Debug)]
pub struct Watch<D> {
    handle: LoopHandle<'static, D>,
    paths: Option<Paths>,
    deaths: Deaths<D>,
    no_instances: bool,
}

impl<D: Watcher> Watch<D> {
    /// Watches nothing yet but mounts, the clock and the network. What is not to be had is left to the timer, and said in
    /// the log.
    #[must_use]
    pub fn new(handle: LoopHandle<'static, D>) -> Self {
        let mounts = File::open("/proc/self/mountinfo").and_then(|mounts| {
            // The table is always readable; that it changes is an edge.
            let source = Generic::new(mounts, Readiness::READ, Mode::Edge);
            insert(&handle, source, |_, data: &mut D| data.heard(News::Changed))
        });
        let clock = Clock::start().and_then(|clock| {
            let source = Generic::new(clock, Readiness::READ, Mode::Level);
            insert(&handle, source, |clock: &Clock, data: &mut D| {
                clock.rearm();
                data.heard(News::Changed);
            })
        });
        let network = Network::subscribe().and_then(|network| {
            let source = Generic::new(network, Readiness::READ, Mode::Level);
            insert(&handle, source, |network: &Network, data: &mut D| {
                if network.read() {
                    data.heard(News::Network);
                }
            })
        });
        let all = [("mounts", mounts), ("clock", clock), ("network", network)];
        for (what, watched) in all {
            if let Err(error) = watched {
                tracing::info!(what, "not watched: {error}");
            }
        }
        Self::of_what_is_followed(handle)
    }

    /// Watches nothing yet.
    fn of_what_is_followed(handle: LoopHandle<'static, D>) -> Self {
        Self {
            deaths: Deaths::new(handle.clone()),
            handle,
            paths: None,
            no_instances: false,
        }
    }

    /// From now on watches these, and nothing else. Returns whether any of them was not watched before: then it may
    /// have changed after it was last looked at.
    ///
    /// Some lstat calls for each directory; call it after every look, so that a directory that has become another is
    /// noticed.
    #[must_use]
    pub fn follow(&mut self, interests: &[Interest], masters: &BTreeSet<MasterPid>) -> bool {
        if self.paths.is_none() {
            self.open_paths();
        }
        let has_new_paths = self
            .paths
            .as_mut()
            .is_some_and(|paths| paths.follow(interests));
        let has_new_masters = self.deaths.follow(masters);
        has_new_paths || has_new_masters
    }

    /// Why not everything that was asked for is watched.
    #[must_use]
    pub fn shortage(&self) -> Option<Shortage> {
        if self.no_instances {
            Some(Shortage::Instances)
        } else if self.paths.as_ref().is_some_and(Paths::is_short) {
            Some(Shortage::Watches)
        } else if self.deaths.is_short() {
            Some(Shortage::Descriptors)
        } else {
            None
        }
    }

    /// What has happened to paths and was not heard yet; the loop would bring it a moment later.
    #[must_use]
    pub fn heard_of_paths(&mut self) -> Vec<News> {
        self.paths.as_mut().map(Paths::read).unwrap_or_default()
    }

    fn open_paths(&mut self) {
        let opened = Paths::open().and_then(|paths| {
            let source = Generic::new(paths.events(), Readiness::READ, Mode::Level);
            insert(&self.handle, source, |_, data: &mut D| {
                for news in data.watch().heard_of_paths() {
                    data.heard(news);
                }
            })?;
            Ok(paths)
        });
        self.no_instances = opened.is_err();
        match opened {
            Ok(paths) => self.paths = Some(paths),
            Err(error) => tracing::debug!("files are not watched: {error}"),
        }
    }
}

/// The masters of a snapshot, and of its sockets those that no directory of `interests` tells of, as they are.
#[must_use]
pub fn masters_and_strays(
    snapshot: &Snapshot,
    interests: &[Interest],
) -> (BTreeSet<MasterPid>, Vec<Interest>) {
    let is_told_of = |path: &Path| {
        interests.iter().any(|interest| match interest {
            Interest::Names {
                directory, names, ..
            } => {
                path.parent() == Some(directory)
                    && path.file_name().is_some_and(|name| names.matches(name))
            }
            Interest::File { .. } | Interest::Inode(_) => false,
        })
    };
    let masters = snapshot
        .sockets
        .iter()
        .filter_map(|socket| socket.pid)
        .collect();
    let strays = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.id.is_some() && !is_told_of(socket.path.as_path()))
        .map(|socket| Interest::Inode(socket.path.as_path().to_owned()))
        .collect();
    (masters, strays)
}

fn insert<D: 'static, F: AsFd + 'static>(
    handle: &LoopHandle<'static, D>,
    source: Generic<F>,
    heard: impl Fn(&F, &mut D) + 'static,
) -> io::Result<()> {
    handle
        .insert_source(source, move |_, file, data| {
            heard(file, data);
            Ok(PostAction::Continue)
        })
        .map(drop)
        .map_err(|error| io::Error::other(error.error))
}

#[cfg(test)]
mod tests;
