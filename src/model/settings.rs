//! The settings, one row each. The configuration file, `docs/configuration.md`, the man page and the settings menu come
//! from these rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tr::tr;

use super::command_words::CommandWords;
use super::control_path::HostAlias;
use super::finding::FindingId;
use super::text::{self, marked, translated};

/// When the icon is in the panel.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum IconShown {
    #[default]
    Always,
    Masters,
    Problems,
}

impl IconShown {
    pub const ALL: [Self; 3] = [Self::Always, Self::Masters, Self::Problems];

    /// The value in the configuration file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Masters => "masters",
            Self::Problems => "problems",
        }
    }

    pub fn label(self) -> String {
        match self {
            Self::Always => tr!("Icon: always"),
            Self::Masters => tr!("Icon: with masters or problems"),
            Self::Problems => tr!("Icon: only with problems"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub table: &'static str,
    pub values: Vec<(&'static str, String)>,
    /// The comment above the keys, in English.
    pub comment: &'static str,
    pub label: Option<&'static str>,
}

macro_rules! settings {
    ($($key:ident: $type:ty = $default:expr, $(switch $switch:ident $label:expr,)? $(choice $choices:literal,)? $comment:literal;)+) => {
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Settings {
            $(pub $key: $type,)+
            pub notifications: Notifications,
        }

        impl Default for Settings {
            fn default() -> Self {
                Self {
                    $($key: $default,)+
                    notifications: Notifications::default(),
                }
            }
        }

        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Setting {
            Notifications,
            Kind(FindingId),
            $($($switch,)?)+
        }

        impl Setting {
            pub const TOP: &[Self] = &[$($(Self::$switch,)?)+];

            pub const fn place(self) -> (Option<&'static str>, &'static str) {
                match self {
                    Self::Notifications => (Some(NOTIFICATIONS), "enabled"),
                    Self::Kind(id) => (Some(NOTIFICATIONS), id.as_str()),
                    $($(Self::$switch => (None, stringify!($key)),)?)+
                }
            }

            pub fn label(self) -> String {
                match self {
                    Self::Notifications => translated(ENABLED_LABEL),
                    Self::Kind(id) => kind_label(id),
                    $($(Self::$switch => translated($label),)?)+
                }
            }
        }

        impl Settings {
            /// Returns whether a setting is on. A kind can be on while [`Setting::Notifications`] is off.
            pub fn is_on(&self, setting: Setting) -> bool {
                match setting {
                    Setting::Notifications => self.notifications.enabled,
                    Setting::Kind(id) => {
                        let kind = self.notifications.kinds.get(id.as_str());
                        kind.copied().unwrap_or(true)
                    }
                    $($(Setting::$switch => self.$key,)?)+
                }
            }

            pub fn with(mut self, setting: Setting, on: bool) -> Self {
                match setting {
                    Setting::Notifications => self.notifications.enabled = on,
                    Setting::Kind(id) => {
                        self.notifications.kinds.insert(id.as_str().to_owned(), on);
                    }
                    $($(Setting::$switch => self.$key = on,)?)+
                }
                self
            }

            fn top_rows(&self) -> Vec<Row> {
                vec![$(Row {
                    table: "",
                    values: vec![(stringify!($key), toml(&self.$key))],
                    comment: $comment,
                    label: None$(.or(Some($label)))?$(.or(Some($choices)))?,
                },)+]
            }
        }
    };
}

settings! {
    interval_secs: u32 = 300,
        "Seconds after which the control sockets are scanned although no event was seen, 1 to 86400. Most changes cause \
        an event; for those that cause none, such as forwarded connections that close, muxtray scans at least every 30 seconds. A \
        scan reads the kernel's tables and connects to no master, so it keeps none alive.";
    clean_automatically: bool = false,
        switch CleanAutomatically marked!("Clean stale sockets automatically"),
        "Remove sockets that are proven stale without asking: refused on connect, your own, on a local filesystem.";
    exit_stranded: bool = false,
        switch ExitStranded marked!("End masters that lost their network"),
        "End masters that have lost their network without asking, and the sessions that hang in them. A master has lost \
        its network if its local address is on no interface any more, or if its data had no answer for 15 seconds \
        (ServerAliveInterval times ServerAliveCountMax if set), and that has lasted another 15 seconds. A notification \
        reports it.";
    reopen: Vec<HostAlias> = Vec::new(),
        "Hosts whose masters are replaced without asking when they have lost their network, such as `[\"web\"]`: the same \
        as Reconnect, 15 seconds later, one master at a time, and only while there is a route to the server or its jump \
        host. ssh asks nothing (BatchMode). After 8 attempts on one route, or if ssh would have to ask, a notification \
        reports it. A master that ends by itself, or that you end, is not opened again.";
    announce_end_with_forwardings: bool = true,
        switch EndWithForwardings marked!("Masters with forwardings that end soon"),
        "Notify five minutes before ControlPersist ends a master that forwards ports: its forwardings end with it.";
    announce_end: bool = false,
        switch EndOfOthers marked!("Other masters that end soon"),
        "Notify five minutes before ControlPersist ends any other master.";
    icon: IconShown = IconShown::Always,
        choice "Icon",
        "When the icon is in the panel: `\"always\"`, `\"masters\"` (while there are masters or problems) or `\"problems\"` (only \
        while there are problems). To show a hidden icon and the details, start muxtray once more from the launcher.";
    extra_paths: Vec<String> = Vec::new(),
        "Additional paths of control sockets, as globs, such as `~/.cache/tool/ssh-*.sock`. The ControlPaths of the ssh \
        configuration and all running masters are found without this.";
    ignored_paths: Vec<String> = Vec::new(),
        "Paths to ignore, as globs of whole paths, such as `/run/user/*/kssh-*`.";
    ssh_program: PathBuf = PathBuf::from("ssh"),
        "The ssh program: a name or a path.";
    terminal: CommandWords = CommandWords::default(),
        "The terminal of \"New session\": a program, such as `\"kitty\"`, or a program and the options before the command \
        that it runs, such as `[\"xterm\", \"-hold\", \"-e\"]`. If empty, muxtray uses xdg-terminal-exec(1), or the terminal \
        of the desktop, or that in `$TERMINAL`, or one that it knows.";
}

/// A change of the configuration file by a click.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    Switch(Setting, bool),
    /// Adds a host to `reopen`, or removes it.
    Reopen(HostAlias, bool),
    Icon(IconShown),
}

impl Change {
    /// Returns the table and key that it changes.
    pub const fn place(&self) -> (Option<&'static str>, &'static str) {
        match self {
            Self::Switch(setting, _) => setting.place(),
            Self::Reopen(..) => (None, REOPEN),
            Self::Icon(_) => (None, "icon"),
        }
    }
}

const REOPEN: &str = "reopen";
const NOTIFICATIONS: &str = "notifications";
const ENABLED_LABEL: &str = marked!("Notify of problems");
const ENABLED_COMMENT: &str =
    "`false`: no notifications; the icon and the menu still show problems.";
const KINDS_COMMENT: &str =
    "Findings that are notified of when they begin. Only warnings and errors are.";
const HEADER: &str = "The configuration of muxtray. Keys may be left out; the values here are then the defaults. A \
    running muxtray applies changes at once. `muxtray config check` checks the file.";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notifications {
    pub enabled: bool,
    /// Kinds of findings by id; those not in the file are on. Validated to be ids.
    #[serde(flatten)]
    pub kinds: BTreeMap<String, bool>,
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            enabled: true,
            kinds: BTreeMap::new(),
        }
    }
}

impl Setting {
    /// Kinds of notifications that are no findings.
    pub const ENDS: &[Self] = &[Self::EndWithForwardings, Self::EndOfOthers];
}

fn kind_label(id: FindingId) -> String {
    let title = id.title();
    if title.starts_with("ssh ") || title.starts_with("muxtray") {
        title
    } else {
        text::sentence(&title)
    }
}

/// A JSON number, boolean, string or array of strings is a TOML one.
fn toml(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Settings {
    pub fn interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.interval_secs))
    }

    /// Whether the settings are as this change makes them.
    pub fn has(&self, change: &Change) -> bool {
        match change {
            Change::Switch(setting, on) => self.is_on(*setting) == *on,
            Change::Reopen(host, on) => self.reopen.contains(host) == *on,
            Change::Icon(shown) => self.icon == *shown,
        }
    }

    pub fn changed(mut self, change: &Change) -> Self {
        match change {
            Change::Switch(setting, on) => return self.with(*setting, *on),
            Change::Reopen(host, true) => self.reopen.push(host.clone()),
            Change::Reopen(host, false) => self.reopen.retain(|known| known != host),
            Change::Icon(shown) => self.icon = *shown,
        }
        self
    }

    /// Whether notifications as such and this kind are on.
    pub fn is_announced(&self, kind: Setting) -> bool {
        self.notifications.enabled && self.is_on(kind)
    }

    pub fn announced(&self) -> BTreeSet<FindingId> {
        let is_on = |id: &&FindingId| self.is_announced(Setting::Kind(**id));
        FindingId::ALL.iter().filter(is_on).copied().collect()
    }

    pub fn rows(&self) -> Vec<Row> {
        let mut rows = self.top_rows();
        rows.push(Row {
            table: NOTIFICATIONS,
            values: vec![("enabled", self.notifications.enabled.to_string())],
            comment: ENABLED_COMMENT,
            label: Some(ENABLED_LABEL),
        });
        let kind = |id: &FindingId| (id.as_str(), self.is_on(Setting::Kind(*id)).to_string());
        rows.push(Row {
            table: NOTIFICATIONS,
            values: FindingId::ALL.iter().map(kind).collect(),
            comment: KINDS_COMMENT,
            label: None,
        });
        rows
    }

    /// Returns the settings as a commented file: the file that muxtray writes the first time, and the output of
    /// `muxtray config show`.
    pub fn documented(&self) -> String {
        let mut file = comment(HEADER);
        let mut table = "";
        for row in self.rows() {
            file.push('\n');
            if row.table != table {
                table = row.table;
                file += &format!("[{table}]\n");
            }
            file += &comment(row.comment);
            for (key, value) in row.values {
                file += &format!("{key} = {value}\n");
            }
        }
        file
    }

    pub fn validate(&self) -> Result<(), String> {
        if !(1..=86_400).contains(&self.interval_secs) {
            return Err(tr!(
                "{key} is {value}, must be {least} to {most}",
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
                    "{key}: invalid glob `{pattern}`: {error}",
                    key = "ignored_paths",
                    pattern = text::line(pattern),
                    error
                )
            })?;
        }
        let is_unknown = |id: &&String| !FindingId::ALL.iter().any(|known| known.as_str() == *id);
        if let Some(unknown) = self.notifications.kinds.keys().find(is_unknown) {
            return Err(tr!(
                "{key}: unknown finding `{id}`",
                key = "[notifications]",
                id = text::line(unknown)
            ));
        }
        Ok(())
    }
}

/// Returns the text as lines of at most 100 characters that begin with `# `.
fn comment(text: &str) -> String {
    let mut comment = String::from("#");
    let mut width = 1;
    for word in text.split(' ') {
        if width + 1 + word.len() > 100 {
            comment.push_str("\n#");
            width = 1;
        }
        comment.push(' ');
        comment.push_str(word);
        width += 1 + word.len();
    }
    comment.push('\n');
    comment
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    Writable,
    Invalid,
    Nowhere,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtLogin {
    Yes,
    No,
    BySystemd,
    Unknown(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    pub settings: Settings,
    pub store: Store,
    pub at_login: AtLogin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_changes_only_itself() {
        let kinds = FindingId::ALL.iter().map(|id| Setting::Kind(*id));
        let all: Vec<Setting> = kinds
            .chain([Setting::Notifications])
            .chain(Setting::TOP.iter().copied())
            .collect();
        let before = Settings::default();
        for switched in &all {
            let after = before.clone().with(*switched, !before.is_on(*switched));
            for setting in &all {
                let changed = before.is_on(*setting) != after.is_on(*setting);
                assert_eq!(changed, setting == switched, "{setting:?}");
            }
        }
    }

    #[test]
    fn announced_kinds_are_those_that_are_on_while_notifications_are() {
        let settings = Settings::default().with(Setting::Kind(FindingId::Stale), false);
        assert!(!settings.announced().contains(&FindingId::Stale));
        assert!(settings.announced().contains(&FindingId::Misowned));
        let off = settings.with(Setting::Notifications, false);
        assert_eq!(off.announced(), BTreeSet::new());
    }
}
