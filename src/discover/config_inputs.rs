use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::{list_directories, watch_list};
use crate::model::control_path::{Pattern, TemplateError};
use crate::model::interest::Interest;
use crate::observe::file_stamp::{self, FileStamp, Nanoseconds};

/// The longest chain of links that is followed.
const MAX_LINKS: usize = 8;

/// Everything that reading the ssh configuration depended on: files, also missing ones, the files that Includes matched,
/// and environment variables. A few stats and listings show whether another reading would have the same result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ConfigInputs {
    files: BTreeMap<PathBuf, FileStamp>,
    /// Not the stamps of the directories: one that also holds sockets changes all the time.
    includes: Vec<(Include, Vec<PathBuf>)>,
    /// Each once. Not a map, because JSON keys are text.
    variables: Vec<(OsString, Option<OsString>)>,
}

/// An argument of an Include, absolute or beginning with `~`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Include(OsString);

impl Include {
    /// Completes a relative argument with `~/.ssh`, or with the directory of the system's configuration.
    pub(super) fn new(argument: &OsStr, system_dir: Option<&Path>) -> Self {
        let is_complete = matches!(argument.as_bytes().first(), Some(b'/' | b'~'));
        let mut complete = OsString::new();
        if !is_complete {
            complete.push(system_dir.map_or(OsStr::new("~/.ssh"), Path::as_os_str));
            complete.push("/");
        }
        complete.push(argument);
        Self(complete)
    }

    fn pattern(&self, environment: &Environment) -> Result<Pattern, TemplateError> {
        Pattern::from_include(&self.0, &environment.known_for_includes())
    }

    fn paths(&self, environment: &Environment) -> Result<Vec<PathBuf>, TemplateError> {
        let pattern = self.pattern(environment)?;
        Ok(list_directories::paths(&pattern))
    }
}

impl ConfigInputs {
    pub(super) fn add_file(&mut self, path: &Path, stamp: FileStamp) {
        self.files.entry(path.to_path_buf()).or_insert(stamp);
    }

    pub(super) fn add_variable(&mut self, name: &OsStr, environment: &Environment) {
        let value = environment.known.variable(name).map(OsStr::to_os_string);
        self.variables.push((name.to_os_string(), value));
    }

    pub(super) fn add_include(
        &mut self,
        include: Include,
        environment: &Environment,
    ) -> Result<Vec<PathBuf>, TemplateError> {
        let paths = include.paths(environment)?;
        self.includes.push((include, paths.clone()));
        Ok(paths)
    }

    /// Returns the files and directories to watch. If one of these files, the first that exists, is read, an ssh starts;
    /// that is an event too.
    pub(super) fn interests(
        &self,
        read_by_every_ssh: &[&Path],
        environment: &Environment,
    ) -> Vec<Interest> {
        let exists = |path: &&&Path| matches!(self.files.get(**path), Some(FileStamp::File { .. }));
        let read = read_by_every_ssh.iter().find(exists).copied();
        let files = self.files.keys().map(|path| Interest::File {
            path: path.clone(),
            reading: read == Some(path),
        });
        let includes = self.includes.iter().filter_map(|(include, _)| {
            let pattern = include.pattern(environment).ok()?;
            pattern.as_literal().is_none().then_some(pattern)
        });
        let includes = includes.flat_map(|pattern| watch_list::include_interests(&pattern));
        files.chain(includes).collect()
    }

    /// Returns the time of the last change of each file, or of a link in its path: profile switchers, Nix and stow let a
    /// link lead to another file, which may be old.
    pub(super) fn changes(&self) -> impl Iterator<Item = Nanoseconds> {
        self.files.iter().filter_map(|(path, stamp)| {
            let of_file = stamp.last_change()?;
            Some(of_file.max(file_stamp::links_changed(path, MAX_LINKS)))
        })
    }

    pub(super) fn has_files(&self) -> bool {
        let mut stamps = self.files.values();
        stamps.any(|stamp| !matches!(stamp, FileStamp::Missing))
    }

    /// Lists the directories of Includes with wildcards and stats the files; opens none.
    pub(super) fn are_unchanged(&self, environment: &Environment) -> bool {
        let mut variables = self.variables.iter();
        variables.all(|(name, value)| environment.known.variable(name) == value.as_deref())
            && self
                .files
                .iter()
                .all(|(path, stamp)| FileStamp::read(path) == *stamp)
            && self.includes.iter().all(|(include, paths)| {
                include
                    .paths(environment)
                    .is_ok_and(|paths_now| paths_now == *paths)
            })
    }
}
