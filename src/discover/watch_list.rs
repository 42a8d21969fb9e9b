//! What discovery would want to hear of: the directories that control sockets come to, and the files that say which
//! those are.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::list_directories::{self, Links};
use crate::model::control_path::{Component, Pattern};
use crate::model::interest::{Interest, Names};
use crate::model::places::Places;

/// Where sockets come to and leave, with every directory that a wildcard could yet lead through.
///
/// Left out are places of other programs that are not there yet, and those in directories that everybody uses: /tmp
/// is never still, and a master there begins like any other by an ssh that reads its configuration.
#[must_use]
pub fn interests(places: &Places) -> Vec<Interest> {
    let mut wanted = Wanted::default();
    for host in &places.hosts {
        if let Some(path) = &host.control_path {
            let name = OsStr::from_bytes(path.name());
            wanted.names(path.directory(), true).add(name);
        }
    }
    for place in &places.patterns {
        let is_own = place.managed_by.is_none();
        if is_own || !place.pattern.is_vague() {
            wanted.sockets(&place.pattern, is_own);
        }
    }
    wanted.into_interests()
}

/// What the files of an Include with wildcards depend on.
pub(super) fn of_include(pattern: &Pattern) -> Vec<Interest> {
    let mut wanted = Wanted::default();
    let (directories, name) = wanted.directories(pattern, Links::Follow, true);
    for directory in directories {
        wanted.names(&directory, true).add_like(name);
    }
    wanted.into_interests()
}

/// Names by directory, and whether the directory is awaited.
#[derive(Default)]
struct Wanted(BTreeMap<PathBuf, (Names, bool)>);

impl Wanted {
    fn sockets(&mut self, pattern: &Pattern, awaited: bool) {
        let (directories, name) = self.directories(pattern, Links::Skip, awaited);
        for directory in directories {
            let names = self.names(&directory, awaited);
            match name.as_literal() {
                Some(literal) => names.add(literal),
                None => names.add_sockets(name),
            }
        }
    }

    /// The directories of the pattern's last component; those that wildcards before it are looked for in are wanted.
    fn directories<'a>(
        &mut self,
        pattern: &'a Pattern,
        links: Links,
        awaited: bool,
    ) -> (Vec<PathBuf>, &'a Component) {
        list_directories::directories_by(pattern, links, |parent, wildcard| {
            self.names(parent, awaited).add_like(wildcard);
        })
    }

    fn names(&mut self, directory: &Path, awaits: bool) -> &mut Names {
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
    use std::ffi::OsString;

    use super::*;
    use crate::discover::test_home::Scratch;
    use crate::model::places::{Place, WrittenBy};

    fn template(scratch: &Scratch, text: &str) -> Place {
        let known = &scratch.surroundings.known;
        Place {
            pattern: Pattern::from_template(OsStr::new(text), known)
                .unwrap()
                .unwrap(),
            managed_by: None,
            written_by: WrittenBy::Person,
        }
    }

    /// The directories below the scratch directory, and whether this name is news in each.
    fn news(scratch: &Scratch, places: &Places, name: &str) -> Vec<(String, bool)> {
        let root = scratch.path("");
        interests(places)
            .into_iter()
            .map(|interest| match interest {
                Interest::Names {
                    directory, names, ..
                } => {
                    let below = directory.strip_prefix(&root).unwrap();
                    (
                        below.to_str().unwrap().to_owned(),
                        names.matches(OsStr::new(name)),
                    )
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn every_directory_on_a_wild_way_is_wanted() {
        let scratch = Scratch::new();
        std::fs::create_dir_all(scratch.path("s/web")).unwrap();
        let text = format!("{}/%h/%r-%p", scratch.path("s").display());
        let places = Places {
            patterns: vec![template(&scratch, &text)],
            ..Places::default()
        };
        let news_in = |name: &str, in_parent: bool, in_socket_directory: bool| {
            let expected = [
                ("s".to_owned(), in_parent),
                ("s/web".to_owned(), in_socket_directory),
            ];
            assert_eq!(news(&scratch, &places, name), expected, "{name}");
        };
        news_in("u-22", true, true);
        news_in("db", true, false);
        news_in("", false, false);
    }

    #[test]
    fn places_share_a_directory() {
        let scratch = Scratch::new();
        let text = |name: &str| format!("{}/{name}", scratch.path("s").display());
        let places = Places {
            patterns: vec![
                template(&scratch, &text("a-%p")),
                template(&scratch, &text("b-%p")),
            ],
            ..Places::default()
        };
        assert_eq!(news(&scratch, &places, "a-22"), [("s".to_owned(), true)]);
        assert_eq!(news(&scratch, &places, "b-22"), [("s".to_owned(), true)]);
        assert_eq!(news(&scratch, &places, "c-22"), [("s".to_owned(), false)]);
    }

    #[test]
    fn an_include_with_wildcards_wants_its_directory() {
        let scratch = Scratch::new();
        let argument = OsString::from(format!("{}/conf.d/*.conf", scratch.path("").display()));
        let pattern = Pattern::from_include(&argument, &scratch.surroundings.known).unwrap();
        let [Interest::Names { names, awaited, .. }] = &of_include(&pattern)[..] else {
            panic!("one directory");
        };
        assert!(*awaited && names.matches(OsStr::new("x.conf")));
        assert!(!names.matches(OsStr::new("x.bak")));
    }
}
