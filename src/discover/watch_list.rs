//! The directories to watch for control sockets and for files of the ssh configuration.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::list_directories::{Links, Subdirectories};
use crate::model::control_path::{Component, Pattern};
use crate::model::interest::{Interest, Names};
use crate::model::places::Places;

/// Returns the directories of sockets, and every directory in which a wildcard may match another directory later.
///
/// Omits the places of other programs that do not exist yet, and those in shared directories: /tmp changes all the time,
/// and the start of a master there shows when its ssh reads the configuration.
pub fn interests(places: &Places) -> Vec<Interest> {
    let mut names = NamesByDirectory::default();
    for host in &places.hosts {
        if let Some(path) = &host.control_path {
            let name = OsStr::from_bytes(path.name());
            names.in_directory(path.directory(), true).add(name);
        }
    }
    for place in &places.patterns {
        let is_own = place.managed_by.is_none();
        if is_own || !place.pattern.is_vague() {
            names.add_sockets_of(&place.pattern, is_own);
        }
    }
    names.into_interests()
}

/// Returns the directories to watch for files that an Include with wildcards matches.
pub(super) fn include_interests(pattern: &Pattern) -> Vec<Interest> {
    let mut names = NamesByDirectory::default();
    let (directories, name) = names.directories(pattern, Links::Follow, true);
    for directory in directories {
        names.in_directory(&directory, true).add_like(name);
    }
    names.into_interests()
}

/// With each directory, whether to watch for its creation if it does not exist.
#[derive(Default)]
struct NamesByDirectory(BTreeMap<PathBuf, (Names, bool)>);

impl NamesByDirectory {
    fn add_sockets_of(&mut self, pattern: &Pattern, awaited: bool) {
        let (directories, name) = self.directories(pattern, Links::Skip, awaited);
        for directory in directories {
            let names = self.in_directory(&directory, awaited);
            match name.as_literal() {
                Some(literal) => names.add(literal),
                None => names.add_sockets(name),
            }
        }
    }

    /// Returns the directories of the pattern's last component, and adds those in which the wildcards before it match.
    fn directories<'a>(
        &mut self,
        pattern: &'a Pattern,
        links: Links,
        awaited: bool,
    ) -> (Vec<PathBuf>, &'a Component) {
        Subdirectories::new(links).directories(pattern, |parent, wildcard| {
            self.in_directory(parent, awaited).add_like(wildcard);
        })
    }

    fn in_directory(&mut self, directory: &Path, awaits: bool) -> &mut Names {
        let (names, awaited) = self.0.entry(directory.to_path_buf()).or_default();
        *awaited |= awaits;
        names
    }

    fn into_interests(self) -> Vec<Interest> {
        let interest = |(directory, (names, awaited))| Interest::Names {
            directory,
            names,
            awaited,
        };
        self.0.into_iter().map(interest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::test_home::Scratch;
    use crate::model::places::{Place, WrittenBy};

    /// Returns whether a new file of this name in each watched directory is an event.
    fn events(scratch: &Scratch, templates: &[&str], name: &str) -> Vec<(String, bool)> {
        let root = scratch.path("");
        let place = |template: &&str| {
            let template = format!("{}/{template}", root.display());
            let known = &scratch.environment.known;
            let pattern = Pattern::from_template(OsStr::new(&template), known);
            Place {
                pattern: pattern.unwrap().unwrap(),
                managed_by: None,
                written_by: WrittenBy::Person,
            }
        };
        let places = Places {
            patterns: templates.iter().map(place).collect(),
            ..Places::default()
        };
        let event = |interest| match interest {
            Interest::Names {
                directory, names, ..
            } => {
                let below = directory.strip_prefix(&root).unwrap();
                let is_event = names.matches(OsStr::new(name));
                (below.to_str().unwrap().to_owned(), is_event)
            }
            other => panic!("{other:?}"),
        };
        interests(&places).into_iter().map(event).collect()
    }

    #[test]
    fn watches_every_directory_with_wildcards() {
        let scratch = Scratch::new();
        std::fs::create_dir_all(scratch.path("s/web")).unwrap();
        for (name, in_parent, in_socket_directory) in [
            ("u-22", true, true),
            ("db", true, false),
            ("", false, false),
        ] {
            let expected = [
                ("s".to_owned(), in_parent),
                ("s/web".to_owned(), in_socket_directory),
            ];
            assert_eq!(events(&scratch, &["s/%h/%r-%p"], name), expected, "{name}");
        }
        for (name, is_event) in [("a-22", true), ("b-22", true), ("c-22", false)] {
            let expected = [("s".to_owned(), is_event)];
            assert_eq!(events(&scratch, &["s/a-%p", "s/b-%p"], name), expected);
        }
    }

    #[test]
    fn watches_the_directory_of_an_include_with_wildcards() {
        let scratch = Scratch::new();
        let argument = scratch.path("conf.d/*.conf").into_os_string();
        let pattern = Pattern::from_include(&argument, &scratch.environment.known).unwrap();
        let [Interest::Names { names, awaited, .. }] = &include_interests(&pattern)[..] else {
            panic!("one directory");
        };
        assert!(*awaited && names.matches(OsStr::new("x.conf")));
        assert!(!names.matches(OsStr::new("x.bak")));
    }
}
