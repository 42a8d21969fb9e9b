//! One scan: candidates, observation, diagnosis. The command line scans once, the engine again and again.
//!
//! Every scan includes the directories of control sockets, which costs some system calls for each. Only `doctor` also
//! makes a socket in each of them ([`Scanner::scan_with_rehearsal`]), which finds quotas and unknown filesystems.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::unistd::{Uid, User};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Settings;
use crate::diagnose::{self, Context, History};
use crate::discover::{self, Environment, Request, Ssh};
use crate::files;
use crate::model::control_path::ControlPath;
use crate::model::directory::{Access, Directory, End, Part, Rehearsal};
use crate::model::ids::{Cookie, Target, UserId};
use crate::model::interest::Interest;
use crate::model::observation::{Facts, Holder, Listener, Stat};
use crate::model::places::{Candidate, Origin, Places};
use crate::model::recent::Recent;
use crate::model::remembered::{MAX_REMEMBERED_BYTES, RememberedForwards};
use crate::model::seen::SeenMasters;
use crate::model::socket::Snapshot;
use crate::model::text::Tilde;
use crate::model::zone::Zone;
use crate::observe::accounts::{Accounts, Me};
use crate::observe::network::NetworkObserver;
use crate::observe::{Observer, directories, time_zone};

/// A timer may expire a little early.
const AFTER_END: Duration = Duration::from_millis(100);

const BACKLOG_PAUSE: Duration = Duration::from_millis(100);

/// The request for `discover` under these settings; `ssh_config` is the argument of ssh's `-F`.
#[must_use]
pub fn request(
    settings: &Settings,
    ssh_config: Option<&Path>,
    environment: &Environment,
) -> Request {
    Request {
        ssh: Ssh {
            program: settings.ssh_program.clone(),
            config: ssh_config.map(Path::to_owned),
        },
        extra_paths: settings.extra_paths.clone(),
        ignored_paths: settings.ignored_paths.clone(),
        cache: environment
            .own_directory("XDG_CACHE_HOME", ".cache")
            .map(|directory| directory.join("hosts.json")),
    }
}

/// A larger file of state is not one of muxtray's.
const MAX_STATE_BYTES: u64 = MAX_REMEMBERED_BYTES;

const SEEN: &str = "seen-masters.json";
const RECENT: &str = "recent-hosts.json";
const FORWARDINGS: &str = "forwardings.json";

/// Reads a file of muxtray's state directory. Returns the default if it cannot be read.
fn state<T: Default + DeserializeOwned>(environment: &Environment, name: &str) -> T {
    let uid = environment.known.uid;
    state_file(environment, name)
        .and_then(|path| files::read_private_json(&path, uid, MAX_STATE_BYTES))
        .unwrap_or_default()
}

fn store_state(environment: &Environment, name: &str, content: &impl Serialize) {
    if let Some(path) = state_file(environment, name)
        && let Err(error) = files::write_private_json(&path, content)
    {
        tracing::debug!("{}: not stored: {error}", path.display());
    }
}

fn state_file(environment: &Environment, name: &str) -> Option<PathBuf> {
    let directory = environment.own_directory("XDG_STATE_HOME", ".local/state")?;
    Some(directory.join(name))
}

/// The hosts that had a master lately.
#[must_use]
pub fn recent(environment: &Environment) -> Recent {
    state(environment, RECENT)
}

pub fn store_recent(environment: &Environment, recent: &Recent) {
    store_state(environment, RECENT, recent);
}

/// The file of the forwardings that a person asked for.
#[must_use]
pub fn remembered_file(environment: &Environment) -> Option<PathBuf> {
    state_file(environment, FORWARDINGS)
}

/// `muxtray forward` changes this file. The answers of ssh that it keeps spare it from reading the ssh configuration, so
/// this is its only trace.
pub(crate) fn remembered_interest(environment: &Environment) -> Option<Interest> {
    let path = remembered_file(environment)?;
    let reading = false;
    Some(Interest::File { path, reading })
}

/// The forwardings that a person asked for; none if the file cannot be read.
#[must_use]
pub fn remembered(environment: &Environment) -> RememberedForwards {
    state(environment, FORWARDINGS)
}

/// Scans control sockets, and keeps the history that the diagnosis needs.
#[derive(Debug)]
pub struct Scanner {
    environment: Environment,
    uid: UserId,
    observer: Observer,
    networks: NetworkObserver,
    history: History,
    /// The content of the file of seen masters.
    stored: SeenMasters,
    /// The time at which the file of forwardings was written.
    remembered_at: Option<SystemTime>,
    next_network_check: Option<Instant>,
    /// When a master with a known end has ended, or the end was wrong.
    next_end: Option<Instant>,
    users: BTreeMap<UserId, String>,
    accounts: Accounts,
    shortens_home: bool,
}

impl Scanner {
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        let uid = UserId(environment.known.uid);
        let mut history = History::default();
        history.seen = state(&environment, SEEN);
        let cache = environment.own_directory("XDG_CACHE_HOME", ".cache");
        let cached = |name| Some(cache.as_ref()?.join(name));
        let runtime = &environment.known.runtime_dir;
        let lasting = runtime.is_dir().then(|| runtime.clone());
        let lasting = lasting.unwrap_or_else(std::env::temp_dir);
        let spare = lasting.join(format!("muxtray-{}", uid.0));
        Self {
            stored: history.seen.clone(),
            remembered_at: None,
            environment,
            uid,
            observer: Observer::new(uid, cached("connects.json"), Some(&spare)),
            networks: NetworkObserver::new(uid),
            history,
            next_network_check: None,
            next_end: None,
            users: BTreeMap::new(),
            accounts: Accounts::new(cached("groups.json")),
            shortens_home: true,
        }
    }

    /// From now on texts have no `~`, because programs do not expand it.
    pub fn keep_paths_absolute(&mut self) {
        self.shortens_home = false;
    }

    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Scans the candidates of `places` and the paths `named` by the user. Gives the ControlPaths one name for each directory.
    ///
    /// Does not connect to a socket that has a listener in the kernel's table. Waits at most 0.2 s, for masters that seem
    /// to be exiting.
    pub fn scan(&mut self, places: &mut Places, named: &[ControlPath]) -> Snapshot {
        let candidates = self.candidates(places, named);
        let directories = directories::look(places.directories(named));
        self.scan_sockets(places, &candidates, &directories)
    }

    fn candidates(&self, places: &mut Places, named: &[ControlPath]) -> Vec<Candidate> {
        let mut candidates = discover::candidates(places);
        // A path that the user names counts as exact, whatever pattern it matches; but a temporary name stays one.
        for path in named {
            let mut all = candidates.iter_mut();
            match all.find(|candidate| candidate.path == *path) {
                Some(known) if matches!(known.origin, Origin::Temporary | Origin::Aside) => {}
                Some(known) => known.origin = Origin::Exact,
                None => candidates.push(Candidate {
                    path: path.clone(),
                    origin: Origin::Exact,
                }),
            }
        }
        for path in self.history.seen.paths() {
            if !candidates.iter().any(|candidate| candidate.path == path) {
                candidates.push(Candidate {
                    path,
                    origin: Origin::Kernel,
                });
            }
        }
        candidates
    }

    fn scan_sockets(
        &mut self,
        places: &Places,
        candidates: &[Candidate],
        directories: &[Directory],
    ) -> Snapshot {
        self.read_remembered();
        let facts = self.observer.observe(candidates);
        let network = self.networks.observe(&facts, &self.observer);
        let now = Instant::now();
        self.history = std::mem::take(&mut self.history)
            .after(&facts, now)
            .after_network(network, now);
        self.learn_names(&facts, directories);
        let permissions = stats(&facts)
            .map(|stat| &stat.permissions)
            .chain(parts(directories).map(|part| &part.permissions));
        let me = Me {
            id: self.uid,
            name: self.environment.known.user.to_string_lossy().into_owned(),
        };
        let databases = &self.environment.databases;
        let groups = self.accounts.groups(databases, permissions, &me);
        let known = &self.environment.known;
        let home = known.home.as_path();
        // The shell expands ~ by $HOME, ssh by the password file.
        let shortens_home = self.shortens_home && known.variable("HOME") == Some(home.as_os_str());
        let context = Context {
            uid: self.uid,
            users: &self.users,
            groups: &groups,
            home,
            tilde: Tilde {
                home: shortens_home.then_some(home),
            },
            places,
            directories,
            history: &self.history,
        };
        let mut snapshot = diagnose::snapshot(&facts, context);
        let ends = snapshot.sockets.iter().filter_map(|it| it.ends_at).min();
        self.next_end = ends.map(|end| {
            let left = end.duration_since(snapshot.at).unwrap_or_default();
            now + left + diagnose::ENDS_WITHIN + AFTER_END
        });
        if ends.is_some() {
            snapshot.zone = self.zone();
        }
        let seen = std::mem::take(&mut self.history.seen);
        self.history.seen = seen.after(&facts, &snapshot.sockets);
        let verdicts = snapshot
            .sockets
            .iter()
            .filter_map(|socket| socket.network.as_ref());
        self.next_network_check = verdicts
            .filter_map(|verdict| verdict.look_again)
            .min()
            .map(|pause| now + pause);
        snapshot
    }

    /// Like [`Self::scan`], for places whose hosts are not all known yet. Without them, findings would be wrong.
    pub fn preview(&mut self, places: &mut Places) -> Snapshot {
        let mut snapshot = self.scan(places, &[]);
        snapshot.findings.clear();
        for socket in &mut snapshot.sockets {
            socket.findings.clear();
        }
        snapshot
    }

    /// Like [`Self::scan`], but if connections wait to be accepted, scans again until they are accepted or the master
    /// counts as stuck, after [`diagnose::STUCK_AFTER`].
    pub fn scan_until_settled(&mut self, places: &mut Places, named: &[ControlPath]) -> Snapshot {
        self.scan_with_rehearsal(places, named, |_| None)
    }

    /// Like [`Self::scan_until_settled`]; also calls `rehearsal` for every directory in which the user can create files,
    /// with its path without symlinks. It makes a socket and a hard link there.
    pub fn scan_with_rehearsal(
        &mut self,
        places: &mut Places,
        named: &[ControlPath],
        rehearsal: impl Fn(&Path) -> Option<Rehearsal>,
    ) -> Snapshot {
        let mut candidates = self.candidates(places, named);
        let mut directories = directories::look(places.directories(named));
        for directory in &mut directories {
            let path = directory.own().map(|(own, _)| own.path.clone());
            if let (Some(path), End::Exists(there)) = (path, &mut directory.end)
                && there.access == Access::Full
            {
                there.rehearsal = rehearsal(&path);
            }
        }
        let mut snapshot = self.scan_sockets(places, &candidates, &directories);
        while let Some(due) = self.history.look_again_at() {
            thread::sleep(BACKLOG_PAUSE.min(due.saturating_duration_since(Instant::now())));
            candidates = self.candidates(places, named);
            snapshot = self.scan_sockets(places, &candidates, &directories);
        }
        snapshot
    }

    /// Reads the forwardings that a person asked for, if another process has written them.
    fn read_remembered(&mut self) {
        let written = remembered_file(&self.environment)
            .and_then(|path| path.metadata().ok()?.modified().ok());
        if written != self.remembered_at {
            self.remembered_at = written;
            self.history.remembered = remembered(&self.environment);
        }
    }

    /// Stores the masters that the ssh configuration does not explain, for the next run.
    pub fn store_seen(&mut self) {
        if self.stored == self.history.seen {
            return;
        }
        self.stored = self.history.seen.clone();
        store_state(&self.environment, SEEN, &self.stored);
    }

    /// The user's time zone now.
    #[must_use]
    pub fn zone(&self) -> Zone {
        time_zone::read(self.environment.known.variable("TZ"))
    }

    /// The latest time of the next scan, if a backlog may be stuck, a connection waits for an answer, or ControlPersist ends
    /// a master.
    #[must_use]
    pub fn next_scan_due(&self) -> Option<Instant> {
        let all = [
            self.history.look_again_at(),
            self.next_network_check,
            self.next_end,
        ];
        all.into_iter().flatten().min()
    }

    /// Remembers that the socket of a request refused the connect.
    pub fn note_refusal(&mut self, target: &Target) {
        self.observer.note_refusal(target);
    }

    /// Records whether a listener answered an alive check in time.
    pub fn note_check(&mut self, cookie: Cookie, answered: bool) {
        self.history = std::mem::take(&mut self.history).after_check(cookie, answered);
    }

    /// Records the end of a request to a master, which closed its connection now if it is `done`.
    pub fn note_request(&mut self, cookie: Cookie, done: bool) {
        let history = std::mem::take(&mut self.history);
        self.history = match done {
            true => history.after_connection(cookie, SystemTime::now()),
            false => history.after_failed_request(cookie),
        };
    }

    /// Looks up the names of all user ids, each once.
    fn learn_names(&mut self, facts: &Facts, directories: &[Directory]) {
        let of_file = stats(facts).map(|stat| stat.uid);
        let user_without_process = |listener: &Listener| match listener.holder {
            Holder::Unknown => listener.uid,
            Holder::Ssh(_) | Holder::Other(_) => None,
        };
        let of_listener = facts
            .observations
            .iter()
            .filter_map(|seen| seen.listener.as_ref().and_then(user_without_process));
        let of_directory = parts(directories).map(|part| part.uid);
        let all = of_file.chain(of_listener).chain(of_directory);
        for uid in all.chain([self.uid]) {
            if !self.users.contains_key(&uid)
                && let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid.0))
            {
                self.users.insert(uid, user.name);
            }
        }
    }
}

/// The facts of the files that exist.
fn stats(facts: &Facts) -> impl Iterator<Item = &Stat> {
    let observations = facts.observations.iter();
    observations.filter_map(|observation| observation.file.stat())
}

fn parts(directories: &[Directory]) -> impl Iterator<Item = &Part> {
    directories.iter().flat_map(|directory| &directory.parts)
}
