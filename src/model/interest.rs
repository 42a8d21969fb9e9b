//! Files and names to watch for changes. `discover` makes these values, `watch` uses them. In a directory only the name
//! decides, so no file is opened for it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::control_path::{Component, stem_of_temporary};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    /// Files of a directory that appear, disappear, or change their mode or owner.
    Names {
        directory: PathBuf,
        names: Names,
        /// Whether to wait for the directory if it does not exist.
        awaited: bool,
    },
    File {
        path: PathBuf,
        reading: bool,
    },
    /// The inode at this path, not a later one; symlinks are not followed.
    Inode(PathBuf),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    exact: BTreeSet<OsString>,
    like: Vec<Like>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Like {
    component: Component,
    /// A starting master counts once its socket has its final name (`muxserver_listen()` in mux.c).
    except_temporary: bool,
}

impl Names {
    pub fn exactly(name: impl Into<OsString>) -> Self {
        let mut names = Self::default();
        names.add(name);
        names
    }

    pub fn add(&mut self, name: impl Into<OsString>) {
        self.exact.insert(name.into());
    }

    pub fn add_like(&mut self, component: &Component) {
        self.add_once(component, false);
    }

    pub fn add_sockets(&mut self, component: &Component) {
        self.add_once(component, true);
    }

    fn add_once(&mut self, component: &Component, except_temporary: bool) {
        let like = Like {
            component: component.clone(),
            except_temporary,
        };
        if !self.like.contains(&like) {
            self.like.push(like);
        }
    }

    pub fn extend(&mut self, other: &Self) {
        self.exact.extend(other.exact.iter().cloned());
        for like in &other.like {
            self.add_once(&like.component, like.except_temporary);
        }
    }

    pub fn matches(&self, name: &OsStr) -> bool {
        let bytes = name.as_bytes();
        let is_like = |like: &Like| {
            let is_temporary = |stem| like.component.matches(stem);
            like.component.matches(bytes)
                && !(like.except_temporary && stem_of_temporary(bytes).is_some_and(is_temporary))
        };
        self.exact.contains(name) || self.like.iter().any(is_like)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::control_path::{Pattern, known_for_tests};

    fn component(glob: &str) -> Component {
        let path = OsString::from(format!("/d/{glob}"));
        let pattern = Pattern::from_glob(&path, &known_for_tests()).unwrap();
        pattern.components().last().unwrap().clone()
    }

    #[test]
    fn names_match_exactly_or_by_a_component() {
        let mut names = Names::exactly("config");
        names.add_like(&component("*.conf"));
        let mut sockets = Names::default();
        sockets.add_sockets(&component("cm-*"));
        // Its stem does not match, so it is no temporary name.
        sockets.add_sockets(&component("*.ABCDEFGHIJKLMNOP"));
        names.extend(&sockets);
        let once = names.clone();
        names.extend(&sockets);
        names.add_like(&component("*.conf"));
        assert_eq!(names, once);
        for (name, matches) in [
            ("config", true),
            ("config.new", false),
            ("work.conf", true),
            ("cm-web", true),
            ("cm-web.abcdefghijklmnop", false),
            ("cm-web.conf", true),
            ("web.ABCDEFGHIJKLMNOP", true),
            ("known_hosts", false),
        ] {
            assert_eq!(names.matches(OsStr::new(name)), matches, "{name}");
        }
    }
}
