//! One walk down the road: candidates, a look, the judgement. The command line walks it once, the engine again and
//! again; both get the same snapshot from the same facts.
//!
//! Every look also stats the directories of control sockets, some system calls for each, so that `list` and the tray say
//! what is wrong with them. What only making a socket there can tell (a quota, a filesystem of a kind that nobody
//! knows) is left to [`Survey::examined`], which `doctor` asks for and nothing else does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{Uid, User};

use crate::config::Settings;
use crate::diagnose::{self, Context, History};
use crate::discover::{self, Request, Ssh, Surroundings};
use crate::files;
use crate::model::control_path::ControlPath;
use crate::model::directory::{Access, Directory, End, Rehearsal};
use crate::model::places::{Candidate, Origin, Places};
use crate::model::recent::Recent;
use crate::model::socket::{Cookie, File, Holder, Listener, Look, Snapshot, UserId};
use crate::observe::network::Networks;
use crate::observe::{Observer, directories};

/// How often a waiting backlog is looked at again while [`Survey::settled`] waits for it.
const BACKLOG_PAUSE: Duration = Duration::from_millis(100);

/// What to discover under these settings; `ssh_config` is ssh's own `-F`.
#[must_use]
pub fn request(
    settings: &Settings,
    ssh_config: Option<&Path>,
    surroundings: &Surroundings,
) -> Request {
    Request {
        ssh: Ssh {
            program: settings.ssh_program.clone(),
            config: ssh_config.map(Path::to_owned),
        },
        extra_paths: settings.extra_paths.clone(),
        ignored_paths: settings.ignored_paths.clone(),
        cache: surroundings
            .own_directory("XDG_CACHE_HOME", ".cache")
            .map(|directory| directory.join("hosts.json")),
    }
}

/// A file of recent hosts beyond this size is not ours.
const MAX_RECENT_BYTES: u64 = 1 << 16;

/// Where the hosts are kept that had a master lately; `None` where there is no home.
#[must_use]
pub fn recent_file(surroundings: &Surroundings) -> Option<PathBuf> {
    let directory = surroundings.own_directory("XDG_STATE_HOME", ".local/state")?;
    Some(directory.join("recent-hosts.json"))
}

/// The hosts that had a master lately; none if the file cannot be read.
#[must_use]
pub fn recent(surroundings: &Surroundings) -> Recent {
    recent_file(surroundings)
        .and_then(|path| files::read_private(&path, surroundings.known.uid, MAX_RECENT_BYTES))
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

/// Looks at control sockets and remembers what one look alone cannot tell.
#[derive(Debug)]
pub struct Survey {
    surroundings: Surroundings,
    uid: UserId,
    observer: Observer,
    networks: Networks,
    history: History,
    look_again_at: Option<Instant>,
    users: BTreeMap<UserId, String>,
}

impl Survey {
    /// For the sockets of the user of `surroundings`.
    #[must_use]
    pub fn new(surroundings: Surroundings) -> Self {
        let uid = UserId(surroundings.known.uid);
        Self {
            surroundings,
            uid,
            observer: Observer::new(uid),
            networks: Networks::new(uid),
            history: History::default(),
            look_again_at: None,
            users: BTreeMap::new(),
        }
    }

    /// The machine and user it looks at.
    #[must_use]
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// One look, with some stats of every directory that decides whether masters work. `named` are paths to look at
    /// beside those that `places` tells of.
    ///
    /// Connects to no master that the kernel shows, and waits for nothing but a master that may just be ending: an
    /// orphan is only told after a fifth of a second.
    pub fn look(&mut self, places: &Places, named: &[ControlPath]) -> Snapshot {
        let directories = directories::look(places.directories(named));
        self.look_beside(places, named, &directories)
    }

    /// A look at the sockets, judged with what was seen of the directories.
    fn look_beside(
        &mut self,
        places: &Places,
        named: &[ControlPath],
        directories: &[Directory],
    ) -> Snapshot {
        let mut candidates = discover::candidates(places);
        // Who names a path means it, whatever pattern it matches; but a temporary name stays one.
        for path in named {
            let known = candidates
                .iter_mut()
                .find(|candidate| candidate.path == *path);
            match known {
                Some(Candidate {
                    origin: Origin::Temporary | Origin::Aside,
                    ..
                }) => {}
                Some(candidate) => candidate.origin = Origin::Exact,
                None => candidates.push(Candidate {
                    path: path.clone(),
                    origin: Origin::Exact,
                }),
            }
        }
        let look = self.observer.look(&candidates);
        let facts = self.networks.look(&look);
        let now = Instant::now();
        self.history = std::mem::take(&mut self.history)
            .after(&look, now)
            .after_network(facts, now);
        self.learn_names(&look, directories);
        let context = Context {
            uid: self.uid,
            users: &self.users,
            home: &self.surroundings.known.home,
            places,
            directories,
            history: &self.history,
        };
        let snapshot = diagnose::snapshot(&look, context);
        let verdicts = snapshot
            .sockets
            .iter()
            .filter_map(|socket| socket.network.as_ref());
        self.look_again_at = verdicts
            .filter_map(|verdict| verdict.look_again)
            .min()
            .map(|pause| now + pause);
        snapshot
    }

    /// Like [`Self::look`], but where connections wait to be accepted it looks on until they were or until that
    /// proves the master stuck: [`diagnose::STUCK_AFTER`] at the longest.
    pub fn settled(&mut self, places: &Places, named: &[ControlPath]) -> Snapshot {
        let directories = directories::look(places.directories(named));
        self.settle(places, named, &directories)
    }

    /// Like [`Self::settled`], with a rehearsal of every directory that the user may make files in: what only making a
    /// socket and a hard link there can tell. `rehearsal` makes it, by the directory's path without symlinks.
    pub fn examined(
        &mut self,
        places: &Places,
        named: &[ControlPath],
        rehearsal: impl Fn(&Path) -> Option<Rehearsal>,
    ) -> Snapshot {
        let mut directories = directories::look(places.directories(named));
        for directory in &mut directories {
            let path = directory.own().map(|(own, _)| own.path.clone());
            if let (Some(path), End::There(there)) = (path, &mut directory.end)
                && there.access == Access::Full
            {
                there.rehearsal = rehearsal(&path);
            }
        }
        self.settle(places, named, &directories)
    }

    fn settle(
        &mut self,
        places: &Places,
        named: &[ControlPath],
        directories: &[Directory],
    ) -> Snapshot {
        let mut snapshot = self.look_beside(places, named, directories);
        while let Some(due) = self.history.look_again_at() {
            thread::sleep(BACKLOG_PAUSE.min(due.saturating_duration_since(Instant::now())));
            snapshot = self.look_beside(places, named, directories);
        }
        snapshot
    }

    /// When the next look has to be taken at the latest to tell whether a backlog is stuck, or what has become of a
    /// connection that waits for an answer.
    #[must_use]
    pub fn look_again_at(&self) -> Option<Instant> {
        let all = [self.history.look_again_at(), self.look_again_at];
        all.into_iter().flatten().min()
    }

    /// Takes note of whether a listener answered an alive check in time.
    pub fn note_check(&mut self, cookie: Cookie, answered: bool) {
        self.history = std::mem::take(&mut self.history).after_check(cookie, answered);
    }

    /// The password file is asked once for each user id that is met.
    fn learn_names(&mut self, look: &Look, directories: &[Directory]) {
        let of_file = look
            .observations
            .iter()
            .filter_map(|observation| match &observation.file {
                File::Socket(stat) | File::Other(_, stat) => Some(stat.uid),
                File::Missing | File::Denied | File::Failed(_) => None,
            });
        let stranger = |listener: &Listener| match listener.holder {
            Holder::Unknown => listener.uid,
            Holder::Ssh(_) | Holder::Other(_) => None,
        };
        let of_listener = look
            .observations
            .iter()
            .filter_map(|seen| seen.listener.as_ref().and_then(stranger));
        let of_directory = directories
            .iter()
            .flat_map(|directory| directory.parts.iter().map(|part| part.uid));
        let own = std::iter::once(self.uid);
        for uid in of_file.chain(of_listener).chain(of_directory).chain(own) {
            if !self.users.contains_key(&uid)
                && let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid.0))
            {
                self.users.insert(uid, user.name);
            }
        }
    }
}
