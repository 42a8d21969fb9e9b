//! The true state: the sockets with their states, the other problems, and the problems that have to be announced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::panel::Shown;
use crate::support::{GOOD, Lab, Network, SERVERS, User};

/// Control sockets in the directory that stays. With more than 128 masters the process status is read in turns, and a
/// stopped one reported later.
const NEAR: usize = 120;
/// Control sockets in the directory that comes and goes.
const FAR: usize = 4;
/// The number of configured hosts among those in the directory that stays.
const HOSTS: usize = 6;

/// A problem that is announced in this test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Stale,
    Unresponsive,
    DirectoryMissing,
    ConfigInvalid,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [
        Self::Stale,
        Self::Unresponsive,
        Self::DirectoryMissing,
        Self::ConfigInvalid,
    ];

    /// The title of its notification.
    pub(crate) const fn headline(self) -> &'static str {
        match self {
            Self::Stale => "stale control socket",
            Self::Unresponsive => "master does not answer",
            Self::DirectoryMissing => "control socket directory does not exist",
            Self::ConfigInvalid => "muxtray's configuration is not valid",
        }
    }

    /// Its key in the configuration, and its row in the menu.
    const fn switch(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Stale => Some(("stale", "Stale control socket")),
            Self::Unresponsive => Some(("unresponsive", "Master does not answer")),
            Self::DirectoryMissing | Self::ConfigInvalid => None,
        }
    }

    /// Its row in the menu, if this test switches it.
    pub(crate) fn row(self) -> Option<&'static str> {
        self.switch().map(|(_, row)| row)
    }
}

/// A problem that has to be announced, once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) subject: String,
    /// Distinguishes it from the next one of its kind at the same path.
    number: u64,
}

/// The socket at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Nothing,
    Running(i32),
    Hung(i32),
    Stale,
}

/// A path at which masters start and end.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) path: PathBuf,
    pub(crate) is_far: bool,
    pub(crate) standing: Standing,
    number: u64,
}

pub(crate) struct Truth<'a> {
    lab: &'a Lab,
    has_network: bool,
    pub(crate) slots: Vec<Slot>,
    pub(crate) is_far_missing: bool,
    pub(crate) is_config_broken: bool,
    pub(crate) silent: BTreeSet<Kind>,
    pub(crate) extra_hosts: BTreeSet<String>,
    numbers: u64,
    /// The number of masters that ended without removing their socket.
    pub(crate) killed: u64,
}

impl<'a> Truth<'a> {
    /// No masters yet.
    pub(crate) fn new(lab: &'a Lab, has_network: bool) -> Self {
        let slot = |path: String, is_far| Slot {
            path: lab.path(path),
            is_far,
            standing: Standing::Nothing,
            number: 0,
        };
        let near = (0..NEAR).map(|number| slot(format!("s/h{number}-{}", lab.port), false));
        let far = (0..FAR).map(|number| slot(format!("d/f{number}-{}", lab.port), true));
        let truth = Self {
            lab,
            has_network,
            slots: near.rev().chain(far).collect(),
            is_far_missing: false,
            is_config_broken: false,
            silent: BTreeSet::new(),
            extra_hosts: BTreeSet::new(),
            numbers: 0,
            killed: 0,
        };
        lab.make_directory("d");
        truth.write_ssh_config();
        truth.write_config();
        truth
    }

    /// Reads the file as every ssh does that opens a session.
    pub(crate) fn read_ssh_config(&self) {
        fs::read(self.lab.path("ssh_config")).unwrap();
    }

    /// The alias of the configured host with the path of this slot in the directory that stays.
    pub(crate) fn host_of(&self, slot: usize) -> Option<String> {
        let name = self.slots[slot].path.file_name()?.to_str()?;
        let (host, _) = name.split_once('-')?;
        let number: usize = host.strip_prefix('h')?.parse().ok()?;
        (number < HOSTS).then(|| host.to_owned())
    }

    pub(crate) fn far_directory(&self) -> PathBuf {
        self.lab.path("d")
    }

    fn config_file(&self) -> PathBuf {
        self.lab.path("config/muxtray/config.toml")
    }

    /// Writes the ssh configuration for the current state.
    pub(crate) fn write_ssh_config(&self) {
        let names = |letter: char, number: usize| {
            let names: Vec<String> = (0..number).map(|n| format!("{letter}{n}")).collect();
            names.join(" ")
        };
        let mut text = format!("Host {}\n{GOOD}", names('h', HOSTS));
        let far = self.far_directory();
        text += &format!(
            "Host {}\n    ControlPath {}/%n-%p\n{GOOD}",
            names('f', FAR),
            far.display()
        );
        for host in &self.extra_hosts {
            text += &format!("Host {host}\n{GOOD}");
        }
        if self.has_network {
            text += &format!("{}Host {}\n{GOOD}", Network::addresses(), SERVERS.join(" "));
        }
        text += &self.lab.standard_configuration();
        replace(&self.lab.path("ssh_config"), &text);
    }

    /// Writes muxtray's configuration for the current state.
    pub(crate) fn write_config(&self) {
        let mut lines = "interval_secs = 3600\n".to_owned();
        if self.has_network {
            lines += &format!("reopen = {SERVERS:?}\n");
        }
        lines += "[notifications]\n";
        for (key, _) in self.silent.iter().filter_map(|kind| kind.switch()) {
            lines += &format!("{key} = false\n");
        }
        if self.is_config_broken {
            lines += "stale = perhaps\n";
        }
        // Written to a temporary file first: a file read in the middle of a write would give other settings.
        let file = self.config_file();
        let text = fs::read_to_string(&file).unwrap();
        let ignored = text
            .lines()
            .find(|line| line.starts_with("ignored_paths = "))
            .unwrap();
        replace(&file, &format!("{ignored}\n{lines}"));
    }

    /// Changes the state of a slot; a problem there is a new one.
    pub(crate) fn set(&mut self, slot: usize, standing: Standing) {
        self.numbers += 1;
        self.killed += u64::from(standing == Standing::Stale);
        let slot = &mut self.slots[slot];
        slot.standing = standing;
        slot.number = self.numbers;
    }

    /// The problems to announce.
    pub(crate) fn problems(&self) -> BTreeSet<Problem> {
        let of_slots = self.slots.iter().filter_map(|slot| {
            let kind = match slot.standing {
                Standing::Nothing | Standing::Running(_) => return None,
                Standing::Hung(_) => Kind::Unresponsive,
                Standing::Stale => Kind::Stale,
            };
            Some(Problem {
                kind,
                subject: slot.path.display().to_string(),
                number: slot.number,
            })
        });
        let place = |is_so: bool, kind, path: PathBuf| {
            is_so.then(|| Problem {
                kind,
                subject: path.display().to_string(),
                number: 0,
            })
        };
        of_slots
            .chain(place(
                self.is_far_missing,
                Kind::DirectoryMissing,
                self.far_directory(),
            ))
            .chain(place(
                self.is_config_broken,
                Kind::ConfigInvalid,
                self.config_file(),
            ))
            .filter(|problem| !self.silent.contains(&problem.kind))
            .collect()
    }

    /// The number of slots in each state, by the state's name.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for slot in &self.slots {
            if let Some(name) = state(slot.standing) {
                *counts.entry(name.to_owned()).or_default() += 1;
            }
        }
        counts
    }

    fn summary(&self) -> String {
        let counts = self.counts();
        let count = |state: &str| counts.get(state).copied().unwrap_or(0);
        let problems = count("stale")
            + count("unresponsive")
            + usize::from(self.is_far_missing)
            + usize::from(self.is_config_broken);
        let masters = match count("running") {
            0 => "no masters".to_owned(),
            1 => "1 master".to_owned(),
            number => format!("{number} masters"),
        };
        match problems {
            0 => masters,
            1 => format!("{masters}, 1 problem"),
            number => format!("{masters}, {number} problems"),
        }
    }

    /// The first difference between the menu and the true state.
    pub(crate) fn differs_from(&self, shown: &Shown) -> Option<String> {
        if shown.summary != self.summary() {
            return Some(format!(
                "the menu shows {:?}, not {:?}",
                shown.summary,
                self.summary()
            ));
        }
        if shown.counts != self.counts() {
            return Some(format!(
                "the menu shows {:?}, not {:?}",
                shown.counts,
                self.counts()
            ));
        }
        let states: BTreeMap<String, &str> = self.states().collect();
        for (path, state) in &shown.states {
            if states.get(path) != Some(&state.as_str()) {
                return Some(format!(
                    "the menu shows {path} as {state}, not {:?}",
                    states.get(path)
                ));
            }
        }
        let extra = |host: &&String| host.starts_with("extra");
        if !shown.hosts.iter().filter(extra).eq(&self.extra_hosts) {
            return Some(format!(
                "the menu has the hosts {:?}, not {:?}",
                shown.hosts, self.extra_hosts
            ));
        }
        // Without a valid configuration there are no rows to switch.
        let silent = self.silent.iter().filter(|_| !self.is_config_broken);
        let silent: BTreeSet<&str> = silent.filter_map(|kind| kind.row()).collect();
        let rows = shown.silent.iter();
        let rows: BTreeSet<&str> = rows.filter_map(|row| row.split(':').next()).collect();
        (rows != silent).then(|| format!("the menu shows {rows:?} as silent, not {silent:?}"))
    }

    /// The state of each path with a socket.
    pub(crate) fn states(&self) -> impl Iterator<Item = (String, &'static str)> {
        self.slots.iter().filter_map(|slot| {
            let state = state(slot.standing)?;
            Some((slot.path.display().to_string(), state))
        })
    }
}

const fn state(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Nothing => None,
        Standing::Running(_) => Some("running"),
        Standing::Hung(_) => Some("unresponsive"),
        Standing::Stale => Some("stale"),
    }
}

/// Replaces a file of the user's as editors do.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    User::get().own(&new);
    fs::rename(new, path).unwrap();
}
