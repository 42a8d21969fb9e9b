//! What a person can set, with defaults, validation, and the file that documents it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use tr::tr;

use crate::model::finding::FindingId;
use crate::model::setting::{Setting, Switches};
use crate::model::text;

/// What a person can set. Every key has a default that suits most people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Seconds after which to look without an event, 1 to 86,400.
    pub interval_secs: u32,
    /// Remove what is proven stale without asking.
    pub clean_automatically: bool,
    /// End masters that have lost their network without asking.
    pub exit_stranded: bool,
    /// Globs of further paths that can be control sockets.
    pub extra_paths: Vec<String>,
    /// Globs of paths to leave alone altogether.
    pub ignored_paths: Vec<String>,
    /// The ssh program, by name or by path.
    pub ssh_program: PathBuf,
    /// Which kinds of findings are announced.
    pub notifications: Notifications,
}

/// Desktop notifications, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notifications {
    /// The switch for all of them.
    pub enabled: bool,
    /// Kinds that are switched off or on by their id; what is not named is on. Validated to be ids.
    #[serde(flatten)]
    pub kinds: BTreeMap<String, bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval_secs: 300,
            clean_automatically: false,
            exit_stranded: false,
            extra_paths: Vec::new(),
            ignored_paths: Vec::new(),
            ssh_program: PathBuf::from("ssh"),
            notifications: Notifications::default(),
        }
    }
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            enabled: true,
            kinds: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// The longest time between two looks.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.interval_secs))
    }

    /// The kinds of findings that are announced.
    #[must_use]
    pub fn announced(&self) -> BTreeSet<FindingId> {
        let is_on = |id: &&FindingId| self.notifications.enabled && self.is_on(Setting::Kind(**id));
        FindingId::ALL.iter().filter(is_on).copied().collect()
    }

    /// How everything stands that can be switched in the menu.
    #[must_use]
    pub fn switches(&self) -> Switches {
        let is_silent = |id: &&FindingId| !self.is_on(Setting::Kind(**id));
        Switches {
            notifications: self.is_on(Setting::Notifications),
            silent: FindingId::ALL.iter().filter(is_silent).copied().collect(),
            clean_automatically: self.is_on(Setting::CleanAutomatically),
            exit_stranded: self.is_on(Setting::ExitStranded),
        }
    }

    /// Whether this setting is on; what is not named in the file has its default.
    #[must_use]
    pub fn is_on(&self, setting: Setting) -> bool {
        match setting {
            Setting::Notifications => self.notifications.enabled,
            Setting::Kind(id) => {
                let kind = self.notifications.kinds.get(id.as_str());
                kind.copied().unwrap_or(true)
            }
            Setting::CleanAutomatically => self.clean_automatically,
            Setting::ExitStranded => self.exit_stranded,
        }
    }

    /// The same settings with this one on or off.
    #[must_use]
    pub fn with(mut self, setting: Setting, on: bool) -> Self {
        match setting {
            Setting::Notifications => self.notifications.enabled = on,
            Setting::Kind(id) => {
                self.notifications.kinds.insert(id.as_str().to_owned(), on);
            }
            Setting::CleanAutomatically => self.clean_automatically = on,
            Setting::ExitStranded => self.exit_stranded = on,
        }
        self
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        if !(1..=86_400).contains(&self.interval_secs) {
            return Err(tr!(
                "{key} is {value}, but has to be from {least} to {most}",
                key = "interval_secs",
                value = self.interval_secs,
                least = 1,
                most = 86_400
            ));
        }
        if self.ssh_program.as_os_str().is_empty() {
            return Err(tr!("{key} is empty", key = "ssh_program"));
        }
        for pattern in &self.ignored_paths {
            glob::Pattern::new(pattern).map_err(|error| {
                tr!(
                    "{key}: `{pattern}` is not a glob: {error} at character {place}",
                    key = "ignored_paths",
                    pattern = text::line(pattern),
                    error = error.msg,
                    place = error.pos + 1
                )
            })?;
        }
        let known = |id: &&String| {
            !FindingId::ALL
                .iter()
                .any(|known| known.as_str() == id.as_str())
        };
        if let Some(unknown) = self.notifications.kinds.keys().find(known) {
            return Err(tr!(
                "{key}: there is no kind of finding `{id}`",
                key = "[notifications]",
                id = text::line(unknown)
            ));
        }
        Ok(())
    }

    /// These settings as the file that documents them: what is written the first time, and what
    /// `muxtray config show` prints.
    #[must_use]
    pub fn documented(&self) -> String {
        // A JSON string or array of strings is a TOML one.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let list = |texts: &[String]| serde_json::Value::from(texts).to_string();
        let mut kinds = String::new();
        for id in FindingId::ALL {
            let on = self.is_on(Setting::Kind(*id));
            let _ = writeln!(kinds, "{} = {on}", id.as_str());
        }
        format!(
            r#"# The configuration of muxtray. Every key may be left out; it then has the value given here.
# A running muxtray takes changes over by itself. `muxtray config check` tells whether the file is valid.

# Seconds after which the control sockets are looked at even if nothing seems to have happened, 1 to 86400. Nearly
# everything is noticed at once without this; where something is not, such as sessions that close, muxtray looks every
# 30 seconds, or as often as said here. A look reads the kernel's tables and touches no master: it keeps none alive.
interval_secs = {interval}

# Remove sockets that are proven stale without asking: refused on connect, your own, on a local filesystem.
clean_automatically = {clean}

# End masters that have lost their network without asking, and the sessions that hang in them: those whose local address
# is on no interface any more, or whose data has met no answer for 15 seconds (ServerAliveInterval times
# ServerAliveCountMax where that is set), once that has lasted another 15 seconds. It is announced.
exit_stranded = {exit_stranded}

# Further paths that can be control sockets, as globs: "~/.cache/tool/ssh-*.sock". The ControlPaths of the ssh
# configuration and every master that runs are known without this.
extra_paths = {extra}

# Paths to leave alone altogether, as globs of whole paths: "/run/user/*/kssh-*".
ignored_paths = {ignored}

# The ssh program, by name or by path.
ssh_program = {ssh}

[notifications]
# false: nothing is announced; the icon and the menu still show it.
enabled = {enabled}

# Which kinds of findings are announced when they begin. Only warnings and errors ever are.
{kinds}"#,
            interval = self.interval_secs,
            clean = self.clean_automatically,
            exit_stranded = self.exit_stranded,
            extra = list(&self.extra_paths),
            ignored = list(&self.ignored_paths),
            ssh = quoted(&self.ssh_program.to_string_lossy()),
            enabled = self.notifications.enabled,
        )
    }
}
