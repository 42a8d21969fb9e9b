//! The paths to observe, chosen by the names in directories alone.
//!
//! Runs on every scan, so it only lists each directory once: no stat, no connect, no `ssh -G`. In directories that cannot
//! be listed or are larger than the limit of [`super::list_directories`], the exact paths of hosts are candidates anyway.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::dir::Type;

use crate::discover::directory_names::{self, DirectoryNames};
use crate::discover::list_directories::{self, Links, Subdirectories};
use crate::model::agent_socket::is_agent_name;
use crate::model::control_path::{Component, ControlPath, stem_of_aside, stem_of_temporary};
use crate::model::places::{Candidate, Origin, Places, WrittenBy};

/// The limit of candidates in one directory that match only a pattern and are not sockets. Some users keep very many files
/// where a pattern matches.
const MAX_OTHERS: usize = 100;

/// Returns the paths to observe, sorted and each once, without ignored ones. Gives the ControlPaths of the hosts one name
/// for each directory.
///
/// If a name has several possible origins, the first of these applies: the exact path of a host of the user's; a name that
/// `clean` gives; the temporary name of a path of a host or pattern; a pattern. The exact path of a host that the user may
/// never use counts as one that a vague pattern matches.
///
/// Files that are not sockets by their directory entry are omitted where they are no problem: in vague places, places of
/// other programs and globs, and with temporary names. Elsewhere, those beyond `MAX_OTHERS` are omitted.
pub fn candidates(places: &mut Places) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let (directories, names) = directories(places);
    for (directory, expected) in &directories {
        expected.collect(directory, &mut candidates);
    }
    names.rename(places);
    if !places.ignored.is_empty() {
        candidates.retain(|candidate| !is_ignored(places, &candidate.path));
    }
    candidates.sort_unstable();
    candidates
}

/// The directories with the names to look for, each directory by one of its names.
fn directories(places: &Places) -> (BTreeMap<PathBuf, Expectations<'_>>, DirectoryNames) {
    let mut directories: BTreeMap<PathBuf, Expectations<'_>> = BTreeMap::new();
    for (path, written_by) in exact_paths(places) {
        let expected = directories.entry(path.directory().to_owned()).or_default();
        match written_by {
            WrittenBy::Person => expected.exact.insert(path.name().to_owned()),
            WrittenBy::Administrator | WrittenBy::System => {
                expected.vague.insert(path.name().to_owned())
            }
        };
    }
    let mut subdirectories = Subdirectories::new(Links::Skip);
    for place in &places.patterns {
        if place.pattern.as_literal().is_some() {
            continue;
        }
        let pattern = &place.pattern;
        let (origin, sockets_only) = if pattern.is_vague() {
            (Origin::VaguePattern, true)
        } else {
            let is_mere = pattern.is_glob() || !pattern.is_distinct();
            let sockets_only = is_mere || place.managed_by.is_some();
            (Origin::Pattern, sockets_only)
        };
        let matched = Match {
            origin,
            sockets_only,
        };
        let (found, name) = subdirectories.directories(pattern, |_, _| {});
        for directory in found {
            let expected = directories.entry(directory).or_default();
            if !expected.patterns.contains(&(name, matched)) {
                expected.patterns.push((name, matched));
            }
        }
    }
    let names = use_one_name(&mut directories);
    (directories, names)
}

/// Moves the expectations of a directory with several names to the one that is used.
fn use_one_name(directories: &mut BTreeMap<PathBuf, Expectations<'_>>) -> DirectoryNames {
    // The hosts of a directory have the same name for it.
    let is_of_host = |directory: &Path| {
        let expected = directories.get(directory);
        expected.is_some_and(|it| !it.exact.is_empty() || !it.vague.is_empty())
    };
    let names = DirectoryNames::of(directories.keys().map(PathBuf::as_path), is_of_host);
    let others: Vec<PathBuf> = directories
        .keys()
        .filter(|directory| names.used(directory).is_some())
        .cloned()
        .collect();
    for other in others {
        if let (Some(expected), Some(used)) = (directories.remove(&other), names.used(&other)) {
            directories
                .entry(used.to_owned())
                .or_default()
                .extend(expected);
        }
    }
    names
}

/// The path by the name that a scan of these places uses for its directory.
pub fn known_path(places: &Places, path: ControlPath) -> ControlPath {
    let own = path.directory();
    let (known, _) = directories(places);
    if known.contains_key(own) {
        return path;
    }
    let Some(wanted) = directory_names::id(own) else {
        return path;
    };
    let mut known = known.into_keys();
    match known.find(|directory| directory_names::id(directory) == Some(wanted)) {
        Some(directory) => directory_names::in_directory(&directory, &path),
        None => path,
    }
}

fn exact_paths(places: &Places) -> HashSet<(ControlPath, WrittenBy)> {
    let hosts = places
        .hosts
        .iter()
        .filter_map(|host| Some((host.control_path.clone()?, host.written_by)));
    let patterns = places
        .patterns
        .iter()
        .filter_map(|place| Some((place.pattern.as_literal()?, place.written_by)));
    hosts.chain(patterns).collect()
}

/// Ignoring a path also ignores its temporary name and the name that `clean` gives.
fn is_ignored(places: &Places, path: &ControlPath) -> bool {
    let stem = path.without_aside_prefix();
    let stem = stem.as_ref().unwrap_or(path);
    places.is_ignored(path)
        || places.is_ignored(stem)
        || stem
            .without_temporary_suffix()
            .is_some_and(|stem| places.is_ignored(&stem))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Match {
    origin: Origin,
    sockets_only: bool,
}

#[derive(Debug, Default)]
struct Expectations<'a> {
    exact: HashSet<Vec<u8>>,
    /// Exact names of hosts that the user may never use.
    vague: HashSet<Vec<u8>>,
    patterns: Vec<(&'a Component, Match)>,
}

impl<'a> Expectations<'a> {
    fn extend(&mut self, other: Expectations<'a>) {
        self.exact.extend(other.exact);
        self.vague.extend(other.vague);
        self.patterns.extend(other.patterns);
    }

    fn collect(&self, directory: &Path, candidates: &mut Vec<Candidate>) {
        let mut seen = HashSet::new();
        let mut others = Vec::new();
        let is_complete = list_directories::list(directory, |name, kind| {
            let Some(matched) = self.match_name(name) else {
                return;
            };
            let is_other = !matches!(kind, Some(Type::Socket) | None);
            if matched.sockets_only && is_other {
                return;
            }
            if matched.origin == Origin::Exact {
                seen.extend(self.exact.get(name));
            }
            let found = if is_other && matched.origin == Origin::Pattern {
                &mut others
            } else {
                &mut *candidates
            };
            found.push(Candidate {
                path: ControlPath::in_directory(directory, OsStr::from_bytes(name)),
                origin: matched.origin,
            });
        });
        if others.len() > MAX_OTHERS {
            // The order of the listing may differ each time.
            others.sort_unstable();
            others.truncate(MAX_OTHERS);
        }
        candidates.append(&mut others);
        if !is_complete {
            let unseen = self.exact.iter().filter(|name| !seen.contains(name));
            candidates.extend(unseen.map(|name| Candidate {
                path: ControlPath::in_directory(directory, OsStr::from_bytes(name)),
                origin: Origin::Exact,
            }));
        }
    }

    fn match_name(&self, name: &[u8]) -> Option<Match> {
        let matched = |origin, sockets_only| Match {
            origin,
            sockets_only,
        };
        let is_named =
            |name: &[u8]| self.exact.contains(name) || self.match_pattern(name).is_some();
        let is_temporary = |name: &[u8]| stem_of_temporary(name).is_some_and(is_named);
        if self.exact.contains(name) {
            return Some(matched(Origin::Exact, false));
        }
        if stem_of_aside(name).is_some_and(|stem| is_named(stem) || is_temporary(stem)) {
            return Some(matched(Origin::Aside, false));
        }
        if is_temporary(name) {
            return Some(matched(Origin::Temporary, true));
        }
        self.match_pattern(name)
    }

    /// Returns the first match by origin, and then one that is not limited to sockets. Sockets of agents match only the
    /// exact path of a host: a stale one cannot be told from a master's, and is not muxtray's to remove.
    fn match_pattern(&self, name: &[u8]) -> Option<Match> {
        const VAGUE: Match = Match {
            origin: Origin::VaguePattern,
            sockets_only: true,
        };
        if is_agent_name(name) {
            return None;
        }
        self.patterns
            .iter()
            .filter(|(component, _)| component.matches(name))
            .map(|(_, matched)| *matched)
            .chain(self.vague.contains(name).then_some(VAGUE))
            .min()
    }
}

#[cfg(test)]
mod tests;
