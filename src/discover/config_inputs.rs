//! [`Trail`]: everything of the ssh configuration that a reading depended on, so that a few stats and listings can
//! tell whether another reading would say the same.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::environment::Surroundings;
use super::file_stamp::Stamp;
use super::{list_directories, watch_list};
use crate::model::control_path::{self, Pattern, TemplateError};
use crate::model::interest::Interest;

/// The files that were read or missing, what the Includes meant, and the environment variables that were named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trail {
    files: BTreeMap<PathBuf, Stamp>,
    /// Not the directories' stamps: a directory that also holds sockets changes all the time.
    includes: Vec<(Include, Vec<PathBuf>)>,
    /// Names and values. Kept as pairs, because JSON has no keys but text.
    #[serde(serialize_with = "as_pairs", deserialize_with = "of_pairs")]
    variables: BTreeMap<OsString, Option<OsString>>,
}

/// One argument of an Include.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Include {
    /// As ssh completes it: absolute, or beginning with `~`.
    argument: OsString,
}

impl Include {
    /// The argument; a relative one starts from `~/.ssh`, or from the directory of the system's configuration.
    pub(super) fn new(argument: &OsStr, system_dir: Option<&Path>) -> Self {
        let is_complete = matches!(argument.as_bytes().first(), Some(b'/' | b'~'));
        let mut complete = OsString::new();
        if !is_complete {
            complete.push(system_dir.map_or(OsStr::new("~/.ssh"), Path::as_os_str));
            complete.push("/");
        }
        complete.push(argument);
        Self { argument: complete }
    }

    fn pattern(&self, surroundings: &Surroundings) -> Result<Pattern, TemplateError> {
        Pattern::from_include(&self.argument, &surroundings.known_to_includes())
    }

    /// The files it means now.
    fn paths(&self, surroundings: &Surroundings) -> Result<Vec<PathBuf>, TemplateError> {
        let pattern = self.pattern(surroundings)?;
        Ok(list_directories::paths(&pattern))
    }
}

impl Trail {
    pub(super) fn note_file(&mut self, path: &Path, stamp: Stamp) {
        self.files.entry(path.to_path_buf()).or_insert(stamp);
    }

    /// Notes every `${NAME}` of a line, whatever the line is about: the answers of ssh may depend on it.
    pub(super) fn note_variables(&mut self, line: &[u8], surroundings: &Surroundings) {
        for name in control_path::variables(line) {
            self.note_variable(name, surroundings);
        }
    }

    fn note_variable(&mut self, name: &OsStr, surroundings: &Surroundings) {
        if !self.variables.contains_key(name) {
            let value = surroundings.known.variable(name).map(OsStr::to_os_string);
            self.variables.insert(name.to_os_string(), value);
        }
    }

    /// Notes an Include, and returns the files it means.
    pub(super) fn note_include(
        &mut self,
        include: Include,
        surroundings: &Surroundings,
    ) -> Result<Vec<PathBuf>, TemplateError> {
        self.note_variable(OsStr::new("HOME"), surroundings);
        let paths = include.paths(surroundings)?;
        self.includes.push((include, paths.clone()));
        Ok(paths)
    }

    /// What would change it. Of these files the first that is there is read by every ssh that starts: that, too, is
    /// to be heard of.
    pub(super) fn interests(
        &self,
        read_by_every_ssh: &[&Path],
        surroundings: &Surroundings,
    ) -> Vec<Interest> {
        let is_there = |path: &&&Path| matches!(self.files.get(**path), Some(Stamp::File { .. }));
        let read = read_by_every_ssh.iter().find(is_there).copied();
        let files = self.files.keys().map(|path| Interest::File {
            path: path.clone(),
            reading: read == Some(path),
        });
        let includes = self.includes.iter().filter_map(|(include, _)| {
            let pattern = include.pattern(surroundings).ok()?;
            pattern.as_literal().is_none().then_some(pattern)
        });
        let includes = includes.flat_map(|pattern| watch_list::of_include(&pattern));
        files.chain(includes).collect()
    }

    /// Whether everything is as it was. Lists the directories of Includes with wildcards and stats the files;
    /// opens none.
    pub(super) fn still_holds(&self, surroundings: &Surroundings) -> bool {
        let same_variable = |(name, value): (&OsString, &Option<OsString>)| {
            surroundings.known.variable(name) == value.as_deref()
        };
        self.variables.iter().all(same_variable)
            && self
                .files
                .iter()
                .all(|(path, stamp)| Stamp::of(path) == *stamp)
            && self.includes.iter().all(|(include, paths)| {
                include
                    .paths(surroundings)
                    .is_ok_and(|paths_now| paths_now == *paths)
            })
    }
}

fn as_pairs<S: Serializer>(
    variables: &BTreeMap<OsString, Option<OsString>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(variables)
}

fn of_pairs<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<OsString, Option<OsString>>, D::Error> {
    let pairs: Vec<(OsString, Option<OsString>)> = Vec::deserialize(deserializer)?;
    Ok(pairs.into_iter().collect())
}
