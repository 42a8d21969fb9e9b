//! Where control sockets can be: the value that `discover` makes and everything else reads.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tr::tr;

use super::control_path::{ControlPath, Destination, HostAlias, Pattern};
use super::directory::Wanted;
use super::finding::Finding;
pub use super::observation::Origin;

/// The name by which ssh is asked about a host that the configuration does not name. It belongs to nobody (RFC 6761).
pub const STAND_IN: &str = "host.invalid";

/// Everything that is known of where control sockets can be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Every concrete `Host` alias of the ssh configuration, as `ssh -G` expands it.
    pub hosts: Vec<Host>,
    /// What ssh makes of a host that no alias names (its own is [`STAND_IN`]), where the configuration has a
    /// ControlPath that no named host shows. It stands for no socket, only for settings and a directory.
    pub other: Option<Host>,
    /// Where else to look: one for each ControlPath template, extra path and known program.
    pub patterns: Vec<Place>,
    /// Globs of paths to leave alone altogether, from the configuration. Matched against the whole path.
    pub ignored: Vec<glob::Pattern>,
    /// What was wrong on the way.
    pub findings: Vec<Finding>,
    /// Whether the ssh configuration was named with `-F`. A command without `-F` does not know its hosts.
    pub has_other_config: bool,
}

/// A pattern of paths and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which paths.
    pub pattern: Pattern,
    /// The program that makes sockets there, where it is not the user's own configuration.
    pub managed_by: Option<Managed>,
    /// The author of the configuration that has it.
    pub written_by: WrittenBy,
}

/// The author of the part of the ssh configuration that a name or a ControlPath stands in first. It decides which findings
/// there are about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WrittenBy {
    /// The person: in `~/.ssh/config`, in a file given with `-F`, or on muxtray's command line.
    #[default]
    Person,
    /// The administrator: only in the system's configuration below `/etc/ssh`, which every account has.
    ///
    /// Such a host is one like any other, but the person may never use it. So a directory that only such hosts need may
    /// be missing or unusable, and others may have files at their paths, without a finding until the person uses one:
    /// - the person's socket or master is in that directory; or
    /// - the host had a master or was opened ([`super::recent::Recent::note_in`]), or is named on the command line.
    ///   From then on it counts as the person's.
    Administrator,
    /// The system, for its own machine and its containers: a name with the form of [`is_local_name`], or one that only
    /// systemd-ssh-proxy connects, in whichever file it is. Nobody has to set anything up for it, so it has no finding,
    /// is not offered and not counted. A master that a person starts there is shown under its name.
    System,
}

/// Whether a name has the form of those that systemd-ssh-proxy(1) connects: `.host`, `machine/web`, `vsock/3`,
/// `unix/run/x`. No host on a network has such a name.
#[must_use]
pub fn is_local_name(alias: &str) -> bool {
    alias.starts_with('.') || alias.contains('/')
}

/// A configured host, as `ssh -G` expands it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name in the configuration.
    pub alias: HostAlias,
    /// The file and line that names it, for evidence.
    pub source: Option<(PathBuf, usize)>,
    /// The author of that line.
    pub written_by: WrittenBy,
    /// Its expanded ControlPath; `None` for "none" or unset.
    pub control_path: Option<ControlPath>,
    /// user, host name and port.
    pub destination: Destination,
    /// Whether a plain `ssh alias` makes or uses a master (ControlMaster other than "no").
    pub multiplexes: bool,
    /// Whether its master asks a person before it lets a session in (ControlMaster ask and autoask).
    pub asks: bool,
    /// Whether the configuration says how long connecting may take (ConnectTimeout).
    pub has_connect_timeout: bool,
    /// ControlPersist.
    pub persist: Persist,
    /// ServerAliveInterval in seconds; 0 is off.
    pub server_alive_interval: u32,
    /// ServerAliveCountMax.
    pub server_alive_count_max: u32,
}

impl Host {
    /// For how long ssh bears a server that does not answer; `None` where it does not ask.
    #[must_use]
    pub fn unanswered_limit(&self) -> Option<Duration> {
        let seconds =
            u64::from(self.server_alive_interval) * u64::from(self.server_alive_count_max);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    /// What a person calls it.
    #[must_use]
    pub fn title(&self) -> String {
        if self.is_stand_in() {
            self.name()
        } else {
            tr!("host {name}", name = self.alias)
        }
    }

    /// The same among others: its name alone.
    #[must_use]
    pub fn name(&self) -> String {
        if self.is_stand_in() {
            tr!("any host not named")
        } else {
            self.alias.to_string()
        }
    }

    /// The line of the ssh configuration that a setting for it stands under.
    #[must_use]
    pub fn heading(&self) -> String {
        if self.is_stand_in() {
            "Host *".to_owned()
        } else {
            format!("Host {}", self.alias)
        }
    }

    fn is_stand_in(&self) -> bool {
        self.alias.0 == STAND_IN
    }
}

/// How long a master outlives its last session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Persist {
    /// Not at all (`no`, or not set).
    #[default]
    No,
    /// For ever (`yes`, `0`).
    Forever,
    /// So many seconds.
    Seconds(u32),
}

impl Persist {
    /// As `list --json` tells it: 0 is "for ever", `None` is "no".
    #[must_use]
    pub const fn as_secs(self) -> Option<u32> {
        match self {
            Self::No => None,
            Self::Forever => Some(0),
            Self::Seconds(seconds) => Some(seconds),
        }
    }
}

/// A program that keeps masters of its own. They are shown labelled, and left out of "all" actions unless asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Managed {
    /// `~/.ansible/cp/<10 hex>`
    Ansible,
    /// `$XDG_RUNTIME_DIR/kssh-<pid>-…`
    Kitty,
    /// `~/.lima/NAME/ssh.sock`
    Lima,
    /// `~/.colima/_lima/NAME/ssh.sock`
    Colima,
    /// `~/.cache/datalad/sockets/…`
    Datalad,
    /// `REPOSITORY/.git/annex/ssh/…`
    GitAnnex,
    /// `$TMPDIR/nix-…/ssh.sock`
    Nix,
    /// `/tmp/syncoid-…`
    Syncoid,
}

impl fmt::Display for Managed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ansible => "ansible",
            Self::Kitty => "kitty",
            Self::Lima => "lima",
            Self::Colima => "colima",
            Self::Datalad => "datalad",
            Self::GitAnnex => "git-annex",
            Self::Nix => "nix",
            Self::Syncoid => "syncoid",
        })
    }
}

/// A path to look at, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Where.
    pub path: ControlPath,
    /// Why.
    pub origin: Origin,
}

impl Places {
    /// Whether the configuration tells us to leave this path alone.
    #[must_use]
    pub fn ignores(&self, path: &ControlPath) -> bool {
        self.ignored
            .iter()
            .any(|pattern| pattern.matches_path(path.as_path()))
    }

    /// The program whose socket this is by its path, where it is not the user's own configuration that puts it there.
    ///
    /// A host of the user's can have the path too (lima's own configuration, included); it is lima's master still.
    #[must_use]
    pub fn managed_by(&self, path: &ControlPath) -> Option<Managed> {
        let by_pattern = self
            .patterns
            .iter()
            .find(|place| place.managed_by.is_some() && place.pattern.matches(path));
        match by_pattern {
            Some(place) => place.managed_by,
            // Repositories are anywhere, so no pattern leads there; only the kernel shows these.
            None if path.directory().ends_with("annex/ssh") => Some(Managed::GitAnnex),
            None => None,
        }
    }

    /// Where the master at this path leads by the path alone: what the first of the user's patterns tells that matches
    /// it and tells anything.
    #[must_use]
    pub fn destination_of(&self, path: &ControlPath) -> Option<Destination> {
        self.patterns
            .iter()
            .find_map(|place| place.pattern.captures(path))
    }

    /// The user's own hosts that have a ControlPath, [`Places::other`] the last of them; not those of other programs
    /// and of ignored paths, nor the system's.
    pub fn own_hosts(&self) -> impl Iterator<Item = (&Host, &ControlPath)> {
        self.hosts
            .iter()
            .chain(&self.other)
            .filter(|host| host.written_by != WrittenBy::System)
            .filter_map(|host| Some((host, host.control_path.as_ref()?)))
            .filter(|(_, path)| self.managed_by(path).is_none() && !self.ignores(path))
    }

    /// Whether the path is another one on another machine; `None` where no template of the user's explains it.
    #[must_use]
    pub fn is_per_machine(&self, path: &ControlPath) -> Option<bool> {
        let mut templates = self
            .patterns
            .iter()
            .map(|place| &place.pattern)
            .filter(|pattern| !pattern.is_glob() && pattern.matches(path))
            .peekable();
        templates.peek()?;
        Some(templates.any(Pattern::is_per_machine))
    }

    /// Every directory that decides whether the user's masters work: those of [`Places::own_hosts`], of templates
    /// whose directory does not depend on the host, and of the paths that were named.
    #[must_use]
    pub fn directories(&self, named: &[ControlPath]) -> Vec<Wanted> {
        let is_persons = |written_by| written_by == WrittenBy::Person;
        let of_hosts = self.own_hosts().map(|(host, path)| {
            let is_persons = is_persons(host.written_by);
            (path.directory(), host.multiplexes, is_persons)
        });
        let of_templates = self
            .patterns
            .iter()
            .filter(|place| place.managed_by.is_none())
            .filter(|place| !place.pattern.is_glob() && place.pattern.components().len() == 1)
            .map(|place| (place.pattern.root(), false, is_persons(place.written_by)));
        let of_named = named.iter().map(|path| (path.directory(), true, true));
        let mut directories: BTreeMap<&Path, (bool, bool)> = BTreeMap::new();
        for (directory, makes_masters, is_persons) in of_hosts.chain(of_templates).chain(of_named) {
            let wanted = directories.entry(directory).or_default();
            wanted.0 |= makes_masters;
            wanted.1 |= is_persons;
        }
        directories
            .into_iter()
            .map(|(path, (makes_masters, is_persons))| Wanted {
                path: path.to_owned(),
                makes_masters,
                is_persons,
            })
            .collect()
    }

    /// The configured hosts whose ControlPath this is, in the order of the configuration; the system's only if there is
    /// no other.
    pub fn hosts_at<'a>(&'a self, path: &'a ControlPath) -> impl Iterator<Item = &'a Host> + 'a {
        let at_path = move |host: &&Host| host.control_path.as_ref() == Some(path);
        let is_systems = |host: &&Host| host.written_by == WrittenBy::System;
        let hosts = || self.hosts.iter().filter(at_path);
        let has_other = hosts().any(|host| !is_systems(&host));
        hosts().filter(move |host| !(has_other && is_systems(host)))
    }
}

#[cfg(test)]
mod tests;
