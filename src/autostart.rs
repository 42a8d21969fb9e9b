//! Start at login: the autostart file that desktops read, and whether systemd does it instead.
//!
//! After the XDG Autostart Specification: a file of the user's takes the place of a system-wide one of the same name,
//! and `Hidden=true` in it starts nothing. muxtray's own file is changed key by key, so what a person has changed in
//! it stays; one that is no desktop entry is left alone. Nothing is ever removed.
//!
//! systemd's own generator makes a unit of every autostart file, for the desktops that leave autostart to it. The file
//! has no X-systemd-skip and no X-GNOME-HiddenUnderSystemd: with either, those desktops would not start muxtray at
//! all. Should `muxtray.service` be enabled beside the file, the second of the two finds the first on the session bus
//! ([`crate::desktop::instance`]) and ends in order.

pub mod entry;
mod environment;
mod unit;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use thiserror::Error;

use tr::tr;

use crate::files::{self, Replacement};
use crate::model::interest::Interest;
use crate::model::text;
use entry::Entry;

/// The file's name.
const NAME: &str = "io.github.muxtray.Muxtray.desktop";

/// An autostart file beyond this size is none of ours.
const MAX_BYTES: u64 = 1 << 20;

/// GNOME's own switch, which MATE and Cinnamon know too.
const GNOME_SWITCH: &str = "X-GNOME-Autostart-enabled";

/// Where everything stands that decides what starts at login. A value, so that tests can make one.
#[derive(Debug, Clone)]
pub struct Autostart {
    /// `$XDG_CONFIG_HOME`; `None` where there is no such place.
    config_home: Option<PathBuf>,
    /// `$XDG_CONFIG_DIRS`, the most important first.
    config_dirs: Vec<PathBuf>,
    /// `$XDG_CURRENT_DESKTOP`; none where nobody has said it, as outside a session.
    desktops: Vec<String>,
    /// `$PATH`.
    programs: Vec<PathBuf>,
    /// Where systemd's user manager looks for units, the most important first.
    units: Vec<PathBuf>,
    /// The installed `muxtray`.
    program: Option<PathBuf>,
}

/// Why an autostart file starts nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// `Hidden=true`.
    Hidden,
    /// `X-GNOME-Autostart-enabled=false`.
    SwitchedOff,
    /// The program in TryExec is not there.
    NotInstalled(String),
    /// Exec is missing, or its program is not there.
    NothingToRun,
    /// It is for other desktops: the key and its value.
    OtherDesktop(String),
}

/// What is said at login of muxtray, and by which files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The autostart file that counts, and what holds it; none where there is no file.
    pub file: Option<(PathBuf, Option<Held>)>,
    /// The link by which systemd starts it.
    pub unit: Option<PathBuf>,
}

/// What came of enabling it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enabled {
    /// This file was written.
    Now(PathBuf),
    /// This file was in force.
    Already(PathBuf),
    /// systemd starts it, by this link; nothing was written.
    BySystemd(PathBuf),
}

/// What came of disabling it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disabled {
    /// This file was written.
    Now(PathBuf),
    /// No file starts it, and none did.
    Already,
}

/// Why it is not known or not changed. Files are as they were.
#[derive(Debug, Error)]
pub enum AutostartError {
    /// Neither `$XDG_CONFIG_HOME` nor a home directory says where the file is.
    #[error("{}", tr!("no place for an autostart file: neither XDG_CONFIG_HOME nor HOME is set"))]
    NoPlace,
    /// The installed program is not known, or its path cannot be written into the file.
    #[error("{}", tr!(
        "cannot tell what to start: there is no program muxtray beside this one, or its path is no UTF-8"
    ))]
    NoProgram,
    /// It is not what desktops read.
    #[error("{}", tr!(
        "{path} is no desktop entry, {why}; it was left as it is: mend or remove it",
        path = text::path(.path),
        why = .why
    ))]
    NotAnEntry {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It cannot be read.
    #[error("{}", tr!("{path} cannot be read: {cause}", path = text::path(.path), cause = .cause))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It cannot be written.
    #[error("{}", tr!(
        "{path} cannot be written: {cause}; it is as it was",
        path = text::path(.path),
        cause = files::write_error(.cause)
    ))]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The user has said on which desktops.
    #[error("{}", tr!(
        "{path} is not for this desktop: {said}; change that line",
        path = text::path(.path),
        said = .said
    ))]
    OtherDesktop {
        /// The file.
        path: PathBuf,
        /// The line.
        said: String,
    },
}

impl Status {
    /// Whether anything starts it.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.unit.is_some() || matches!(self.file, Some((_, None)))
    }
}

impl Autostart {
    /// The user's autostart file, whether or not it is there.
    ///
    /// # Errors
    /// [`AutostartError::NoPlace`].
    pub fn file(&self) -> Result<PathBuf, AutostartError> {
        let home = self.config_home.as_ref().ok_or(AutostartError::NoPlace)?;
        Ok(below(home))
    }

    /// The user's autostart file, once it has a directory. Before that, the directory of all configurations would
    /// have to be watched, where other programs write all day.
    #[must_use]
    pub fn interest(&self) -> Option<Interest> {
        let path = self.file().ok()?;
        let is_worth_it = path.parent().is_some_and(Path::is_dir);
        is_worth_it.then_some(Interest::File {
            path,
            reading: false,
        })
    }

    /// What starts muxtray at login.
    ///
    /// # Errors
    /// A file that cannot be read, or that is no desktop entry.
    pub fn status(&self) -> Result<Status, AutostartError> {
        let file = self.in_force()?.map(|(path, entry)| {
            let held = self.held(&entry);
            (path, held)
        });
        Ok(Status {
            file,
            unit: unit::enabled(&self.units),
        })
    }

    /// Has muxtray started at login. What keeps the user's file from it is mended there; which desktops it is for is
    /// the user's to say.
    ///
    /// # Errors
    /// See [`AutostartError`].
    pub fn enable(&self) -> Result<Enabled, AutostartError> {
        if let Some(unit) = unit::enabled(&self.units) {
            return Ok(Enabled::BySystemd(unit));
        }
        let path = self.file()?;
        let (mut entry, is_new) = match self.in_force()? {
            Some((from, entry)) if self.held(&entry).is_none() => {
                return Ok(Enabled::Already(from));
            }
            Some((from, entry)) if from == path => (entry, false),
            Some(_) | None => (Entry::new(self.program()?), true),
        };
        // Each turn takes one hindrance away for good.
        while let Some(held) = self.held(&entry) {
            match held {
                Held::Hidden => entry.set("Hidden", "false"),
                Held::SwitchedOff => entry.set(GNOME_SWITCH, "true"),
                Held::NotInstalled(_) => entry.depend_on(self.program()?),
                Held::NothingToRun => entry.start(self.program()?),
                Held::OtherDesktop(said) => {
                    return Err(AutostartError::OtherDesktop { path, said });
                }
            }
            if is_new {
                // The installed program itself is not there any more.
                return Err(AutostartError::NoProgram);
            }
        }
        write(&path, &entry)?;
        Ok(Enabled::Now(path))
    }

    /// Has no autostart file start muxtray, by `Hidden=true` in the user's own.
    ///
    /// # Errors
    /// See [`AutostartError`].
    pub fn disable(&self) -> Result<Disabled, AutostartError> {
        let path = self.file()?;
        let mut entry = match self.in_force()? {
            None => return Ok(Disabled::Already),
            Some((_, entry)) if entry.is("Hidden", true) => return Ok(Disabled::Already),
            Some((from, entry)) if from == path => entry,
            Some(_) => Entry::new(self.program()?),
        };
        entry.set("Hidden", "true");
        write(&path, &entry)?;
        Ok(Disabled::Now(path))
    }

    /// The autostart file that counts: the user's, or the first of the system's.
    fn in_force(&self) -> Result<Option<(PathBuf, Entry)>, AutostartError> {
        let places = self.config_home.iter().chain(&self.config_dirs);
        for path in places.map(|place| below(place)) {
            if let Some(entry) = read(&path)? {
                return Ok(Some((path, entry)));
            }
        }
        Ok(None)
    }

    fn held(&self, entry: &Entry) -> Option<Held> {
        if entry.is("Hidden", true) {
            return Some(Held::Hidden);
        }
        if entry.is(GNOME_SWITCH, false) {
            return Some(Held::SwitchedOff);
        }
        if let Some(tried) = entry.tried()
            && !self.is_there(&tried)
        {
            return Some(Held::NotInstalled(tried));
        }
        if !entry
            .started()
            .is_some_and(|program| self.is_there(&program))
        {
            return Some(Held::NothingToRun);
        }
        // Outside a session nobody knows which desktop there will be.
        if self.desktops.is_empty() {
            return None;
        }
        let names = |key| entry.list(key);
        let has_ours = |list: &Vec<&str>| {
            self.desktops
                .iter()
                .any(|ours| list.contains(&ours.as_str()))
        };
        let line =
            |key| Held::OtherDesktop(format!("{key}={}", entry.get(key).unwrap_or_default()));
        if names("OnlyShowIn").is_some_and(|list| !has_ours(&list)) {
            return Some(line("OnlyShowIn"));
        }
        if names("NotShowIn").is_some_and(|list| has_ours(&list)) {
            return Some(line("NotShowIn"));
        }
        None
    }

    /// Whether a program can be run: by its path, or by its name where programs are looked for.
    fn is_there(&self, program: &str) -> bool {
        let program = Path::new(program);
        let is_program = |path: &Path| path.is_file() && access(path, AccessFlags::X_OK).is_ok();
        if program.is_absolute() {
            return is_program(program);
        }
        let in_places = |place: &PathBuf| is_program(&place.join(program));
        self.programs.iter().any(in_places)
    }

    fn program(&self) -> Result<&str, AutostartError> {
        let program = self.program.as_deref().and_then(Path::to_str);
        program.ok_or(AutostartError::NoProgram)
    }
}

fn below(config: &Path) -> PathBuf {
    config.join("autostart").join(NAME)
}

/// The file, where there is one.
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
        Err(error) if is_nothing(&error) => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| not_an_entry(tr!("it is no UTF-8")))?;
    Entry::parse(&text).map(Some).map_err(not_an_entry)
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
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
