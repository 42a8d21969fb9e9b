//! muxtray's own configuration: settings with their defaults, and the file that documents them.
//!
//! The file is read with confy. A file that cannot be used is a finding, and never overwritten; who has settings
//! already keeps them. Writing happens only where no file is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::core::finding::{Finding, FindingId};
use crate::core::text;

/// Larger than any configuration a person writes; what is larger is not read.
const MAX_BYTES: u64 = 1 << 20;

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

/// Why a configuration file is not in force.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Neither `$XDG_CONFIG_HOME` nor a home directory says where it is.
    #[error(
        "no place for a configuration file: neither XDG_CONFIG_HOME nor HOME is set; give one with --config FILE"
    )]
    NoPlace,
    /// There is none.
    #[error("no configuration file at {}", text::path(.0))]
    Missing(PathBuf),
    /// It is not a regular file, or too large to be one of ours.
    #[error("configuration file {} is not a regular file of at most 1 MiB", text::path(.0))]
    NotAFile(PathBuf),
    /// It cannot be read.
    #[error("configuration file {} cannot be read: {cause}", text::path(.0), cause = .1)]
    Unreadable(PathBuf, String),
    /// It is not valid: where and why.
    #[error("configuration file {} is not valid: {cause}", text::path(.0), cause = .1)]
    Invalid(PathBuf, String),
    /// It cannot be written.
    #[error("configuration file {} cannot be written: {cause}", text::path(.0), cause = .1)]
    Unwritable(PathBuf, std::io::Error),
}

impl ConfigError {
    /// The same, as the report tells it.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let (subject, evidence) = match self {
            Self::NoPlace => ("configuration".to_owned(), self.to_string()),
            Self::Missing(path) => (text::path(path), "there is no such file".to_owned()),
            Self::NotAFile(path) => (
                text::path(path),
                "not a regular file of at most 1 MiB".to_owned(),
            ),
            Self::Unreadable(path, cause) | Self::Invalid(path, cause) => {
                (text::path(path), cause.clone())
            }
            Self::Unwritable(path, cause) => (text::path(path), cause.to_string()),
        };
        let remedy =
            "mend it: muxtray config edit; until then the last good settings stay in force";
        Finding::new(FindingId::ConfigInvalid, subject, evidence, remedy)
    }
}

/// `$XDG_CONFIG_HOME/muxtray/config.toml`.
///
/// # Errors
/// [`ConfigError::NoPlace`].
pub fn default_path() -> Result<PathBuf, ConfigError> {
    confy::get_configuration_file_path("muxtray", "config").map_err(|_| ConfigError::NoPlace)
}

/// Reads and validates the file.
///
/// # Errors
/// [`ConfigError::Missing`] where there is none, which is not wrong in itself; any other means it cannot be used.
pub fn load(path: &Path) -> Result<Settings, ConfigError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() || metadata.len() > MAX_BYTES => {
            return Err(ConfigError::NotAFile(path.to_owned()));
        }
        Ok(_) => {}
        // confy would write a file where none is, without our comments.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ConfigError::Missing(path.to_owned()));
        }
        Err(error) => return Err(ConfigError::Unreadable(path.to_owned(), error.to_string())),
    }
    let settings: Settings = confy::load_path(path).map_err(|error| match &error {
        confy::ConfyError::BadTomlData(cause) => {
            ConfigError::Invalid(path.to_owned(), one_line(&cause.to_string()))
        }
        _ => ConfigError::Unreadable(path.to_owned(), with_causes(&error)),
    })?;
    settings
        .validate()
        .map_err(|cause| ConfigError::Invalid(path.to_owned(), cause))?;
    Ok(settings)
}

/// Writes the documented defaults where no file is, and leaves any file that is there alone.
///
/// # Errors
/// [`ConfigError::Unwritable`].
pub fn write_first(path: &Path) -> Result<(), ConfigError> {
    let write = || -> std::io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)?;
        }
        match fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(mut file) => file.write_all(Settings::default().documented().as_bytes()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    };
    write().map_err(|error| ConfigError::Unwritable(path.to_owned(), error))
}

/// What tells one version of the file from the next, without reading it; `None` where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(Option<(u64, u64, u64, i64, i64)>);

/// The version that is there now.
#[must_use]
pub fn version(path: &Path) -> Version {
    Version(fs::metadata(path).ok().map(|metadata| {
        (
            metadata.dev(),
            metadata.ino(),
            metadata.size(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        )
    }))
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
        let Notifications { enabled, kinds } = &self.notifications;
        let is_on = |id: &&FindingId| *enabled && kinds.get(id.as_str()).copied().unwrap_or(true);
        FindingId::ALL.iter().filter(is_on).copied().collect()
    }

    fn validate(&self) -> Result<(), String> {
        if !(1..=86_400).contains(&self.interval_secs) {
            return Err(format!(
                "interval_secs is {}, but has to be from 1 to 86400",
                self.interval_secs
            ));
        }
        if self.ssh_program.as_os_str().is_empty() {
            return Err("ssh_program is empty".to_owned());
        }
        for pattern in &self.ignored_paths {
            glob::Pattern::new(pattern).map_err(|error| {
                format!(
                    "ignored_paths: `{}` is not a glob: {} at character {}",
                    text::line(pattern),
                    error.msg,
                    error.pos + 1
                )
            })?;
        }
        let known = |id: &&String| {
            !FindingId::ALL
                .iter()
                .any(|known| known.as_str() == id.as_str())
        };
        if let Some(unknown) = self.notifications.kinds.keys().find(known) {
            return Err(format!(
                "[notifications]: there is no kind of finding `{}`",
                text::line(unknown)
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
            let on = self
                .notifications
                .kinds
                .get(id.as_str())
                .copied()
                .unwrap_or(true);
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

/// "TOML parse error at line 3, column 12 … invalid type …": the first line says where, the last ones why.
fn one_line(error: &str) -> String {
    let place = error
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("TOML parse error at ")
        .trim();
    let why: Vec<&str> = error
        .lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains('|'))
        .collect();
    if why.is_empty() {
        text::line(place)
    } else {
        text::line(&format!("{place}: {}", why.join("; ")))
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(told, ": {inner}");
        cause = inner.source();
    }
    text::line(&told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, content).unwrap();
        (directory, path)
    }

    #[test]
    fn the_documented_file_holds_the_defaults() {
        let (_directory, path) = written(&Settings::default().documented());
        let mut settings = load(&path).unwrap();
        assert_eq!(settings.announced(), Settings::default().announced());
        settings.notifications.kinds.clear();
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn what_show_prints_reads_back_as_it_was() {
        let settings = Settings {
            interval_secs: 5,
            extra_paths: vec!["/run/\"quoted\" \\ back*".to_owned()],
            ignored_paths: vec!["/tmp/[ab]*".to_owned()],
            ssh_program: PathBuf::from("/opt/my ssh/bin/ssh"),
            ..Settings::default()
        };
        let (_directory, path) = written(&settings.documented());
        let mut read = load(&path).unwrap();
        read.notifications.kinds.clear();
        assert_eq!(read, settings);
    }

    #[test]
    fn a_bad_file_says_where_and_why() {
        for (content, said) in [
            (
                "interval_secs = \"soon\"",
                "line 1, column 17: invalid type: string \"soon\"",
            ),
            (
                "interval_secs = 0",
                "interval_secs is 0, but has to be from 1 to 86400",
            ),
            ("never = true", "line 1, column 1: unknown field `never`"),
            (
                "[notifications]\nnever = true",
                "there is no kind of finding `never`",
            ),
            ("[notifications]\nstale = 1", "invalid type: integer `1`"),
            (
                "ignored_paths = [\"/a/***\"]",
                "ignored_paths: `/a/***` is not a glob",
            ),
            ("interval_secs = ", "line 1"),
        ] {
            let (_directory, path) = written(content);
            let error = load(&path).unwrap_err();
            assert!(
                matches!(error, ConfigError::Invalid(..)),
                "{content}: {error:?}"
            );
            assert!(error.to_string().contains(said), "{content}: {error}");
            assert!(error.finding().evidence.contains(said));
        }
    }

    #[test]
    fn an_odd_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(
            load(&directory.path().join("none")),
            Err(ConfigError::Missing(_))
        ));
        assert!(matches!(
            load(directory.path()),
            Err(ConfigError::NotAFile(_))
        ));
    }

    #[test]
    fn the_first_file_is_written_once_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("muxtray/config.toml");
        write_first(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::write(&path, "interval_secs = 7 # mine").unwrap();
        write_first(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "interval_secs = 7 # mine"
        );
    }

    #[test]
    fn a_kind_can_be_switched_off() {
        let (_directory, path) = written("[notifications]\nstale = false");
        let announced = load(&path).unwrap().announced();
        assert!(!announced.contains(&FindingId::Stale) && announced.contains(&FindingId::Misowned));
        let (_directory, path) = written("[notifications]\nenabled = false");
        assert!(load(&path).unwrap().announced().is_empty());
    }
}
