//! Where control sockets can be: the value that `discover` makes.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tr::tr;

use super::control_path::{ConnectionTokens, ControlPath, Destination, HostAlias, Pattern};
use super::directory::NeededDirectory;
use super::finding::Finding;
use super::host_settings::HostSettings;
pub use super::observation::Origin;
pub use super::persist::Persist;

/// The host name for `ssh -G` that stands for any host without an alias. No host has it (RFC 6761).
pub const UNNAMED_HOST: &str = "host.invalid";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    pub hosts: Vec<Host>,
    /// The settings of a host without an alias ([`UNNAMED_HOST`]), if they have a ControlPath that no other host shows. Only its
    /// settings and directory count, not the socket.
    pub unnamed_host: Option<Host>,
    /// The ControlPaths of hosts without an alias, unless named hosts have masters and every template is complete.
    pub default_templates: Vec<DefaultTemplate>,
    /// The settings of a host of each wildcard that may have some of its own, with the wildcard as its alias.
    pub wildcard_hosts: Vec<Host>,
    pub earlier_hosts: Vec<EarlierHost>,
    pub patterns: Vec<Place>,
    /// Processes of other programs, by the beginning of their name.
    pub starters: &'static [(&'static str, Managed)],
    /// Globs of paths to ignore, from the configuration. They match whole paths.
    pub ignored: Vec<glob::Pattern>,
    pub findings: Vec<Finding>,
    pub switched_off: SwitchedOff,
    /// Whether the ssh configuration refuses hosts on purpose, so that their settings are not known.
    pub refuses_hosts: bool,
    /// Whether a master with ControlMaster ask or autoask can ask nobody: no ssh-askpass program, or no display.
    pub nobody_confirms: bool,
    /// Whether the user has no runtime directory, `/run/user/UID`.
    pub lacks_runtime_directory: bool,
    /// Whether the ssh configuration was named with `-F`. A command without `-F` does not know its hosts.
    pub has_other_config: bool,
    /// `-F FILE ` of that configuration for commands that name a host; empty without it.
    pub ssh_option: String,
}

/// The hosts for which the user's configuration has ControlMaster no or ControlPath none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SwitchedOff {
    #[default]
    No,
    /// As home-manager writes it by default, with a ControlPath.
    ForAll,
    /// Somebody who switches it off for some hosts knows the switch.
    ForSome,
}

/// The settings of a host before a change of the configuration, and the time in which they are known to have held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierHost {
    pub from: SystemTime,
    pub until: SystemTime,
    pub host: Host,
}

impl EarlierHost {
    pub fn held_at(&self, time: SystemTime) -> bool {
        self.from <= time && time < self.until
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultTemplate {
    /// As it is written.
    pub text: String,
    /// Its file and line.
    pub place: String,
    /// The wildcard of its hosts, if it is not that of [`UNNAMED_HOST`].
    pub wildcard: Option<String>,
    /// Whether each name can be another machine: the HostName contains it.
    pub is_per_host: bool,
    /// Whether only the name as it is typed distinguishes the hosts, and the template lacks it: the proxy or a key contains
    /// it, HostName does not.
    pub needs_name: bool,
    /// Of one of these hosts.
    pub path: ControlPath,
    /// Whether `ssh HOST` starts a master for such a host.
    pub multiplexes: bool,
}

impl DefaultTemplate {
    /// Whether all of its hosts have one path.
    pub fn is_shared(&self) -> bool {
        self.needs_name || (self.is_per_host && !ConnectionTokens::of(&self.text).host)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub pattern: Pattern,
    /// The program that creates sockets there, if the pattern is not from the user's configuration.
    pub managed_by: Option<Managed>,
    pub written_by: WrittenBy,
}

/// The author of the part of the ssh configuration in which a name or a ControlPath first appears. Decides which findings
/// are reported about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WrittenBy {
    /// The user: `~/.ssh/config`, a file given with `-F`, or muxtray's command line.
    #[default]
    Person,
    /// The administrator: only `/etc/ssh`, the same for every account.
    ///
    /// The user may never use such a host. There are no findings about a directory that only such hosts need, or about
    /// other users' files at their paths, unless the user uses one:
    /// - a socket or master of the user is in that directory; or
    /// - the host had a master or was opened ([`super::recent::Recent::note_in`]), or is named on the command line. From
    ///   then on it counts as the user's.
    Administrator,
    /// The system, for this machine and its containers: [`is_local_name`], or a name that only systemd-ssh-proxy connects,
    /// in any file. It is neither offered nor counted, and has no findings. A master that a user starts has its name.
    System,
}

/// Whether a name has the form of those that systemd-ssh-proxy(1) connects: `.host`, `machine/web`, `vsock/3`,
/// `unix/run/x`. No host on a network has such a name.
pub fn is_local_name(alias: &str) -> bool {
    alias.starts_with('.') || alias.contains('/')
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub alias: HostAlias,
    #[serde(skip)]
    pub source: Option<(PathBuf, usize)>,
    #[serde(skip)]
    pub written_by: WrittenBy,
    /// Expanded; `None` for "none" or unset.
    pub control_path: Option<ControlPath>,
    pub destination: Destination,
    pub control_master: ControlMaster,
    pub has_connect_timeout: bool,
    /// The options that make `ssh alias COMMAND` run the command all the same. Only those that the configuration needs,
    /// as older versions of ssh do not know them.
    pub command_options: Vec<String>,
    pub persist: Persist,
    pub server_alive_interval: u32,
    pub server_alive_count_max: u32,
    pub settings: HostSettings,
}

/// ControlMaster. If a master runs, `auto`, `autoask` and `no` use it; `yes` and `ask` never do (`muxclient()` in mux.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ControlMaster {
    #[default]
    No,
    Yes,
    Auto,
    Ask,
    AutoAsk,
}

impl ControlMaster {
    /// Parses a value as `ssh -G` prints it. An unknown one, of a newer ssh, counts as `auto`.
    pub fn parse(value: &str) -> Self {
        match value {
            "" | "no" | "false" => Self::No,
            "yes" | "true" => Self::Yes,
            "ask" => Self::Ask,
            "autoask" => Self::AutoAsk,
            _ => Self::Auto,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Auto => "auto",
            Self::Ask => "ask",
            Self::AutoAsk => "autoask",
        }
    }

    /// Whether ssh becomes a master if none runs.
    pub const fn starts_masters(self) -> bool {
        !matches!(self, Self::No)
    }

    /// Whether ssh uses a master that runs.
    pub const fn shares(self) -> bool {
        !matches!(self, Self::Yes | Self::Ask)
    }

    /// Whether the master asks a person before it accepts a session or an exit request.
    pub const fn asks(self) -> bool {
        matches!(self, Self::Ask | Self::AutoAsk)
    }
}

impl Host {
    /// Returns the time after which ssh ends a connection without an answer; `None` if it never does.
    pub fn unanswered_limit(&self) -> Option<Duration> {
        let seconds =
            u64::from(self.server_alive_interval) * u64::from(self.server_alive_count_max);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    /// Whether `ssh HOST` starts a master if none runs.
    pub const fn multiplexes(&self) -> bool {
        self.control_path.is_some() && self.control_master.starts_masters()
    }

    pub fn title(&self) -> String {
        if self.is_unnamed_host() {
            self.name()
        } else {
            tr!("host {name}", name = self.alias)
        }
    }

    pub fn name(&self) -> String {
        if self.is_unnamed_host() {
            tr!("any other host")
        } else {
            self.alias.to_string()
        }
    }

    pub fn heading(&self) -> String {
        if self.is_unnamed_host() {
            "Host *".to_owned()
        } else {
            format!("Host {}", self.alias)
        }
    }

    pub fn is_unnamed_host(&self) -> bool {
        self.alias.0 == UNNAMED_HOST
    }
}

/// Another program that has masters of its own, by its name. They are labelled with it, and excluded from actions on all
/// sockets. `discover::other_programs` has a row for each program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Managed(pub &'static str);

impl fmt::Display for Managed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    pub path: ControlPath,
    pub origin: Origin,
}

impl Places {
    /// Returns the template that gives this path to every host without a name.
    pub fn shared_template(&self, path: &ControlPath) -> Option<&DefaultTemplate> {
        let mut templates = self.default_templates.iter();
        templates.find(|template| template.path == *path && template.is_shared())
    }

    pub fn is_ignored(&self, path: &ControlPath) -> bool {
        self.ignored
            .iter()
            .any(|pattern| pattern.matches_path(path.as_path()))
    }

    /// Whether the path belongs to no other program, and is not ignored.
    pub fn is_own(&self, path: &ControlPath) -> bool {
        self.managed_by(path).is_none() && !self.is_ignored(path)
    }

    /// Returns the other program that the path belongs to.
    ///
    /// In a directory of the program even if a host has the path too: users include the configuration of lima, and its
    /// masters still belong to lima. Elsewhere only if no host or template of the ssh configuration has it. There the
    /// names decide in any directory, since a program's `$TMPDIR` is not known, and repositories of git-annex can be
    /// anywhere; only the kernel shows these.
    pub fn managed_by(&self, path: &ControlPath) -> Option<Managed> {
        let programs = || self.patterns.iter().filter(|it| it.managed_by.is_some());
        let is_own = |place: &&Place| !place.pattern.is_vague() && place.pattern.matches(path);
        if let Some(place) = programs().find(is_own) {
            return place.managed_by;
        }
        let by_names = programs()
            .find(|place| place.pattern.is_vague() && place.pattern.matches_end(path))
            .and_then(|place| place.managed_by);
        let directory = path.directory().as_os_str().as_bytes();
        let git_annex = || directory.ends_with(b"/annex/ssh");
        by_names
            .or_else(|| git_annex().then_some(Managed("git-annex")))
            .filter(|_| !self.is_configured(path))
    }

    /// Returns the other program whose process of this name started the master at the path.
    pub fn started_by(&self, path: &ControlPath, process: &str) -> Option<Managed> {
        let is_its = |(name, _): &&(&str, Managed)| {
            let rest = process.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let (_, program) = self.starters.iter().find(is_its)?;
        (!self.is_configured(path)).then_some(*program)
    }

    pub fn program(&self, name: &str) -> Option<Managed> {
        let places = self.patterns.iter().filter_map(|place| place.managed_by);
        let mut all = places.chain(self.starters.iter().map(|(_, program)| *program));
        all.find(|program| program.0 == name)
    }

    /// Whether a host or template of the ssh configuration has this path.
    fn is_configured(&self, path: &ControlPath) -> bool {
        let mut templates = self
            .patterns
            .iter()
            .filter(|place| place.managed_by.is_none() && !place.pattern.is_glob());
        templates.any(|place| place.pattern.matches(path)) || self.hosts_at(path).next().is_some()
    }

    /// A pattern with `%C` or `%p` counts before one such as `%n`, which matches nearly every name.
    pub fn destination_of(&self, path: &ControlPath) -> Option<Destination> {
        let patterns = || self.patterns.iter().map(|place| &place.pattern);
        let has_distinct = patterns().any(|it| it.is_distinct() && it.matches(path));
        patterns()
            .filter(|it| it.is_distinct() || !has_distinct)
            .find_map(|it| it.captures(path))
    }

    /// Returns the hosts with a ControlPath, [`Places::unnamed_host`] last. Hosts of other programs, of ignored paths and of the
    /// system are excluded.
    pub fn own_hosts(&self) -> impl Iterator<Item = (&Host, &ControlPath)> {
        self.hosts
            .iter()
            .chain(&self.unnamed_host)
            .filter(|host| host.written_by != WrittenBy::System)
            .filter_map(|host| Some((host, host.control_path.as_ref()?)))
            .filter(|(_, path)| self.is_own(path))
    }

    /// Whether the path differs between machines; `None` if no template matches it.
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

    /// Returns the directories that masters need: those of [`Places::own_hosts`], of templates with a fixed directory, and of
    /// the `named` paths.
    pub fn directories(&self, named: &[ControlPath]) -> Vec<NeededDirectory> {
        let is_persons = |written_by| written_by == WrittenBy::Person;
        let of_hosts = self.own_hosts().map(|(host, path)| {
            let is_persons = is_persons(host.written_by);
            (
                path.directory(),
                host.control_master.starts_masters(),
                is_persons,
            )
        });
        let of_templates = self
            .patterns
            .iter()
            .filter(|place| place.managed_by.is_none())
            .filter(|place| !place.pattern.is_glob() && place.pattern.components().len() == 1)
            .map(|place| (place.pattern.root(), false, is_persons(place.written_by)));
        let of_named = named.iter().map(|path| (path.directory(), true, true));
        let mut directories: BTreeMap<&Path, NeededDirectory> = BTreeMap::new();
        for (directory, makes_masters, is_persons) in of_hosts.chain(of_templates).chain(of_named) {
            let needed = directories
                .entry(directory)
                .or_insert_with(|| NeededDirectory {
                    path: directory.to_owned(),
                    makes_masters: false,
                    is_persons: false,
                });
            needed.makes_masters |= makes_masters;
            needed.is_persons |= is_persons;
        }
        directories.into_values().collect()
    }

    /// Returns the hosts with this ControlPath in the order of the configuration; those of the system only if there is no
    /// other.
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
