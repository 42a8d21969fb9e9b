//! Start at login, by an XDG autostart file of the user or by systemd.
//!
//! The user's file overrides a system-wide file of the same name, and `Hidden=true` in it disables both (XDG Autostart
//! Specification). Keys are changed one by one, so other changes of the user stay; a file that is not a desktop entry is
//! not changed, and no file is removed.
//!
//! On desktops that use systemd-xdg-autostart-generator, systemd makes a unit of the file. The file has neither
//! X-systemd-skip nor X-GNOME-HiddenUnderSystemd, because those desktops would then not start muxtray. If
//! `muxtray.service` is enabled as well, the second process finds the first on the session bus and exits
//! ([`crate::desktop::instance`]).

pub mod entry;
mod environment;
mod unit;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tr::tr;

use crate::files::{self, Replacement};
use crate::model::interest::Interest;
use crate::model::text;
use entry::{Entry, FILE_NAME};

const MAX_BYTES: u64 = 1 << 20;

/// The key by which GNOME, MATE and Cinnamon disable a file.
const GNOME_ENABLED: &str = "X-GNOME-Autostart-enabled";

#[derive(Debug, Clone)]
pub struct Autostart {
    config_home: Option<PathBuf>,
    /// `$XDG_CONFIG_DIRS`, the most important first.
    config_dirs: Vec<PathBuf>,
    /// `$XDG_CURRENT_DESKTOP`; empty outside a session.
    desktops: Vec<String>,
    programs: Vec<PathBuf>,
    /// The unit directories of systemd's user manager, the most important first.
    units: Vec<PathBuf>,
    program: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inactive {
    pub why: String,
    /// The key and the value that it needs; no value without an installed program. `None` for the list of desktops, which
    /// is not changed.
    needs: Option<(&'static str, Option<String>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutostartFile {
    pub path: PathBuf,
    pub inactive: Option<Inactive>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub file: Option<AutostartFile>,
    /// The link by which systemd starts muxtray.
    pub unit: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enabled {
    Written(PathBuf),
    Unchanged(PathBuf),
    /// systemd starts muxtray by this link; nothing was written.
    BySystemd(PathBuf),
}

/// Files are unchanged after an error.
#[derive(Debug, Error)]
pub enum AutostartError {
    #[error("{}", tr!("no autostart file: neither XDG_CONFIG_HOME nor HOME is set"))]
    NoPlace,
    #[error("{}", tr!("the program muxtray was not found beside this one, or its path is not UTF-8"))]
    NoProgram,
    #[error("{}", tr!(
        "{path}: not a desktop entry: {why}; correct or remove the file",
        path = text::path(.path),
        why = .why
    ))]
    NotAnEntry { path: PathBuf, why: String },
    #[error("{}", tr!("{path}: cannot be read: {cause}", path = text::path(.path), cause = .cause))]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{}", tr!(
        "{path}: unchanged, because it cannot be written: {cause}",
        path = text::path(.path),
        cause = files::write_error(.cause)
    ))]
    Unwritable { path: PathBuf, cause: io::Error },
    /// The user restricted the file to other desktops.
    #[error("{}", tr!(
        "{path}: not for this desktop: {line}; change that line",
        path = text::path(.path),
        line = .line
    ))]
    OtherDesktop { path: PathBuf, line: String },
}

impl Status {
    pub fn is_enabled(&self) -> bool {
        self.unit.is_some() || self.has_active_file()
    }

    pub fn has_active_file(&self) -> bool {
        self.file
            .as_ref()
            .is_some_and(|file| file.inactive.is_none())
    }
}

impl Autostart {
    /// Returns the path of the user's autostart file, which need not exist.
    pub fn file(&self) -> Result<PathBuf, AutostartError> {
        let home = self.config_home.as_ref().ok_or(AutostartError::NoPlace)?;
        Ok(below(home))
    }

    /// Returns the user's autostart file as a file to watch, if its directory exists. Otherwise `~/.config` would have to
    /// be watched, where other programs write often.
    pub fn interest(&self) -> Option<Interest> {
        let path = self.file().ok()?;
        let has_directory = path.parent().is_some_and(Path::is_dir);
        has_directory.then_some(Interest::File {
            path,
            reading: false,
        })
    }

    pub fn status(&self) -> Result<Status, AutostartError> {
        let file = self.in_force()?.map(|(path, entry)| AutostartFile {
            path,
            inactive: self.inactive(&entry),
        });
        Ok(Status {
            file,
            unit: unit::enabled(&self.units),
        })
    }

    /// Makes muxtray start at login. In the user's file, changes every key that prevents it, except the list of desktops.
    pub fn enable(&self) -> Result<Enabled, AutostartError> {
        if let Some(unit) = unit::enabled(&self.units) {
            return Ok(Enabled::BySystemd(unit));
        }
        let path = self.file()?;
        let (mut entry, is_new) = match self.in_force()? {
            Some((from, entry)) if self.inactive(&entry).is_none() => {
                return Ok(Enabled::Unchanged(from));
            }
            Some((from, entry)) if from == path => (entry, false),
            Some(_) | None => (Entry::new(self.program()?), true),
        };
        // Each turn removes one reason for good.
        while let Some(Inactive { why, needs }) = self.inactive(&entry) {
            let Some((key, value)) = needs else {
                return Err(AutostartError::OtherDesktop { path, line: why });
            };
            // In a new entry: the installed program has been removed.
            let value = value.filter(|_| !is_new);
            entry.set(key, &value.ok_or(AutostartError::NoProgram)?);
        }
        write(&path, &entry)?;
        Ok(Enabled::Written(path))
    }

    /// Prevents a start by any autostart file, with `Hidden=true` in the user's. Returns that file if it was changed.
    pub fn disable(&self) -> Result<Option<PathBuf>, AutostartError> {
        let path = self.file()?;
        let mut entry = match self.in_force()? {
            None => return Ok(None),
            Some((_, entry)) if entry.is("Hidden", true) => return Ok(None),
            Some((from, entry)) if from == path => entry,
            Some(_) => Entry::new(self.program()?),
        };
        entry.set("Hidden", "true");
        write(&path, &entry)?;
        Ok(Some(path))
    }

    fn in_force(&self) -> Result<Option<(PathBuf, Entry)>, AutostartError> {
        let places = self.config_home.iter().chain(&self.config_dirs);
        for path in places.map(|place| below(place)) {
            if let Some(entry) = read(&path)? {
                return Ok(Some((path, entry)));
            }
        }
        Ok(None)
    }

    fn inactive(&self, entry: &Entry) -> Option<Inactive> {
        let is_missing = |program: &String| !self.is_program(program);
        let program = |shown: fn(&str) -> String| self.program().ok().map(shown);
        let (why, key, value) = if entry.is("Hidden", true) {
            let value = Some("false".to_owned());
            ("Hidden=true".to_owned(), "Hidden", value)
        } else if entry.is(GNOME_ENABLED, false) {
            let value = Some("true".to_owned());
            (format!("{GNOME_ENABLED}=false"), GNOME_ENABLED, value)
        } else if let Some(missing) = entry.try_exec().filter(is_missing) {
            let line = format_args!("TryExec={}", text::line(&missing));
            let why = tr!("{line}: no such program", line);
            (why, "TryExec", program(entry::escaped))
        } else if entry.program().is_none_or(|program| is_missing(&program)) {
            let why = tr!("Exec names no program that exists");
            (why, "Exec", program(entry::command))
        } else {
            let line = self.other_desktop(entry)?;
            let why = text::line(&line);
            return Some(Inactive { why, needs: None });
        };
        let needs = Some((key, value));
        Some(Inactive { why, needs })
    }

    /// Returns the line that restricts the file to other desktops. Outside a session the desktop is unknown.
    fn other_desktop(&self, entry: &Entry) -> Option<String> {
        let line = |(key, is_start): (&str, bool)| {
            let value = entry.get(key)?;
            let is_current = |name| self.desktops.iter().any(|desktop| desktop == name);
            let has_current = value.split(';').any(is_current);
            (has_current != is_start).then(|| format!("{key}={value}"))
        };
        let restrictions = [("OnlyShowIn", true), ("NotShowIn", false)];
        let is_known = !self.desktops.is_empty();
        is_known.then(|| restrictions.into_iter().find_map(line))?
    }

    fn is_program(&self, program: &str) -> bool {
        let program = Path::new(program);
        if program.is_absolute() {
            return files::is_program(program);
        }
        let is_in = |directory: &PathBuf| files::is_program(&directory.join(program));
        self.programs.iter().any(is_in)
    }

    fn program(&self) -> Result<&str, AutostartError> {
        let program = self.program.as_deref().and_then(Path::to_str);
        program.ok_or(AutostartError::NoProgram)
    }
}

fn below(config: &Path) -> PathBuf {
    config.join("autostart").join(FILE_NAME)
}

fn read(path: &Path) -> Result<Option<Entry>, AutostartError> {
    let unreadable = |cause| AutostartError::Unreadable {
        path: path.to_owned(),
        cause,
    };
    let not_an_entry = |why: String| AutostartError::NotAnEntry {
        path: path.to_owned(),
        why,
    };
    match fs::metadata(path) {
        Ok(file) if !file.is_file() || file.len() > MAX_BYTES => {
            return Err(not_an_entry(tr!("not a regular file of at most 1 MiB")));
        }
        Ok(_) => {}
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error)),
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| not_an_entry(tr!("not UTF-8")))?;
    Entry::parse(&text).map(Some).map_err(not_an_entry)
}

fn write(path: &Path, entry: &Entry) -> Result<(), AutostartError> {
    Replacement::write(path, entry.text().as_bytes())
        .and_then(Replacement::commit)
        .map_err(|cause| AutostartError::Unwritable {
            path: path.to_owned(),
            cause,
        })
}

#[cfg(test)]
mod tests;
