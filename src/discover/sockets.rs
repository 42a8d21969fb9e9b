//! Which paths to look at now: the names that directories show, judged by their form alone.
//!
//! Runs on every look, so it lists each directory once and does nothing else: no stat, no connect, no `ssh -G`.
//! Names count up to the bounds of [`super::list_directories`]; beyond those, and in directories that cannot be listed, the
//! exact paths of hosts are still looked at.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::dir::Type;

use crate::discover::list_directories::{self, Links, Listing};
use crate::model::control_path::{Component, ControlPath, stem_of_aside, stem_of_temporary};
use crate::model::places::{Candidate, Origin, Places, WrittenBy};

/// As many names of one directory that only a pattern leads to, and that are no sockets, are looked at: so many files
/// are kept where a pattern matches them, and a list of all would hide the rest.
const MAX_OTHERS: usize = 100;

/// Every path to look at now, sorted and each once, without those that the configuration says to leave alone.
///
/// A name can be read in several ways. A configured host's exact path is that, whatever else it looks like; then a
/// name that `clean` gave, then a temporary name of a path that a pattern or host has, then a pattern's. The exact path
/// of a host that the person may never use is one that a vague pattern matches.
/// What is no socket by the directory's own account is left out where that is nobody's problem: in vague places, in
/// those of other programs, in globs, and under temporary names; elsewhere, what is beyond `MAX_OTHERS`.
#[must_use]
pub fn candidates(places: &Places) -> Vec<Candidate> {
    let exact = exact_paths(places);
    let mut directories: BTreeMap<PathBuf, Expected<'_>> = BTreeMap::new();
    for (path, written_by) in &exact {
        let expected = match directories.get_mut(path.directory()) {
            Some(expected) => expected,
            None => directories
                .entry(path.directory().to_path_buf())
                .or_default(),
        };
        match written_by {
            WrittenBy::Person => expected.exact.insert(path.name()),
            WrittenBy::Administrator | WrittenBy::System => expected.vague.insert(path.name()),
        };
    }
    for place in &places.patterns {
        if place.pattern.as_literal().is_some() {
            continue;
        }
        let reading = Reading {
            origin: if place.pattern.is_vague() {
                Origin::VaguePattern
            } else {
                Origin::Pattern
            },
            sockets_only: place.pattern.is_vague()
                || place.pattern.is_glob()
                || place.managed_by.is_some(),
        };
        let (found, name) = list_directories::directories(&place.pattern, Links::Skip);
        for directory in found {
            let expected = directories.entry(directory).or_default();
            if !expected.patterns.contains(&(name, reading)) {
                expected.patterns.push((name, reading));
            }
        }
    }
    let mut candidates = Vec::new();
    for (directory, expected) in &directories {
        expected.collect(directory, &mut candidates);
    }
    if !places.ignored.is_empty() {
        candidates.retain(|candidate| !is_ignored(places, &candidate.path));
    }
    candidates.sort_unstable();
    candidates
}

/// The paths of hosts and of patterns without wildcards, each with who wrote it.
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

/// A path is left alone with the temporary and other names it can have.
fn is_ignored(places: &Places, path: &ControlPath) -> bool {
    let stem = path.without_aside_prefix();
    let stem = stem.as_ref().unwrap_or(path);
    places.ignores(path)
        || places.ignores(stem)
        || stem
            .without_temporary_suffix()
            .is_some_and(|stem| places.ignores(&stem))
}

/// What a name is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Reading {
    origin: Origin,
    /// Whether a file that is no socket is left out.
    sockets_only: bool,
}

/// What is looked for in one directory.
#[derive(Debug, Default)]
struct Expected<'a> {
    exact: HashSet<&'a [u8]>,
    /// Exact names of hosts that the person may never use.
    vague: HashSet<&'a [u8]>,
    patterns: Vec<(&'a Component, Reading)>,
}

impl Expected<'_> {
    fn collect(&self, directory: &Path, candidates: &mut Vec<Candidate>) {
        let mut seen = HashSet::new();
        let mut others = Vec::new();
        let listing = list_directories::list(directory, |name, kind| {
            let Some(reading) = self.read(name) else {
                return;
            };
            let is_other = !matches!(kind, Some(Type::Socket) | None);
            if reading.sockets_only && is_other {
                return;
            }
            if reading.origin == Origin::Exact {
                seen.extend(self.exact.get(name));
            }
            let found = if is_other && reading.origin == Origin::Pattern {
                &mut others
            } else {
                &mut *candidates
            };
            found.push(Candidate {
                path: ControlPath::in_directory(directory, OsStr::from_bytes(name)),
                origin: reading.origin,
            });
        });
        if others.len() > MAX_OTHERS {
            // Always the same ones, whatever the order of the listing.
            others.sort_unstable();
            others.truncate(MAX_OTHERS);
        }
        candidates.append(&mut others);
        match listing {
            Listing::Complete | Listing::Missing => {}
            Listing::Unknown => {
                candidates.extend(self.exact.difference(&seen).map(|name| Candidate {
                    path: ControlPath::in_directory(directory, OsStr::from_bytes(name)),
                    origin: Origin::Exact,
                }));
            }
        }
    }

    fn read(&self, name: &[u8]) -> Option<Reading> {
        const TEMPORARY: Reading = Reading {
            origin: Origin::Temporary,
            sockets_only: true,
        };
        const ASIDE: Reading = Reading {
            origin: Origin::Aside,
            sockets_only: false,
        };
        let is_named = |name: &[u8]| self.exact.contains(name) || self.by_others(name).is_some();
        let is_temporary = |name: &[u8]| stem_of_temporary(name).is_some_and(is_named);
        if self.exact.contains(name) {
            return Some(Reading {
                origin: Origin::Exact,
                sockets_only: false,
            });
        }
        if stem_of_aside(name).is_some_and(|stem| is_named(stem) || is_temporary(stem)) {
            return Some(ASIDE);
        }
        if is_temporary(name) {
            return Some(TEMPORARY);
        }
        self.by_others(name)
    }

    /// The best reading that a pattern, or a host that the person may never use, has for a name: sorted by origin, then
    /// the one that shows more.
    fn by_others(&self, name: &[u8]) -> Option<Reading> {
        const VAGUE: Reading = Reading {
            origin: Origin::VaguePattern,
            sockets_only: true,
        };
        self.patterns
            .iter()
            .filter(|(component, _)| component.matches(name))
            .map(|(_, reading)| *reading)
            .chain(self.vague.contains(name).then_some(VAGUE))
            .min()
    }
}

#[cfg(test)]
mod tests;
