//! What on disk is worth waking for: the value that discovery makes and the watch keeps.
//!
//! Names alone decide here whether something that happened in a directory is news; nobody looks at a file for that.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::control_path::{Component, stem_of_temporary};

/// One thing on disk whose change is news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interest {
    /// Names that come to a directory, leave it, or change their mode or owner.
    Names {
        /// The directory, by an absolute path that may lead through symbolic links.
        directory: PathBuf,
        /// Which names.
        names: Names,
        /// Whether its coming is news where it is not there yet.
        awaited: bool,
    },
    /// What is in a file, and which file it is.
    File {
        /// Its absolute path, which may be or lead through a symbolic link, or lead to nothing yet.
        path: PathBuf,
        /// Whether it is news, too, that somebody opens it.
        reading: bool,
    },
    /// This one inode, and nothing else that may ever stand at the path; symbolic links are not followed.
    Inode(PathBuf),
}

/// Which names of a directory are news.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    exact: BTreeSet<OsString>,
    like: Vec<Like>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Like {
    Any(Component),
    Socket(Component),
}

impl Names {
    /// This one name.
    #[must_use]
    pub fn exactly(name: impl Into<OsString>) -> Self {
        let mut names = Self::default();
        names.add(name);
        names
    }

    /// Adds one name.
    pub fn add(&mut self, name: impl Into<OsString>) {
        self.exact.insert(name.into());
    }

    /// Adds every name that a component matches.
    pub fn add_like(&mut self, component: &Component) {
        self.add_once(Like::Any(component.clone()));
    }

    /// Adds every name of a control socket that a component matches, but for temporary names: a master that starts
    /// is news once its socket is linked into place (mux.c, `muxserver_listen()`).
    pub fn add_sockets(&mut self, component: &Component) {
        self.add_once(Like::Socket(component.clone()));
    }

    fn add_once(&mut self, like: Like) {
        if !self.like.contains(&like) {
            self.like.push(like);
        }
    }

    /// Adds all of the other's.
    pub fn extend(&mut self, other: &Self) {
        self.exact.extend(other.exact.iter().cloned());
        for like in &other.like {
            self.add_once(like.clone());
        }
    }

    /// Whether something that happens to this name is news.
    #[must_use]
    pub fn matches(&self, name: &OsStr) -> bool {
        let bytes = name.as_bytes();
        self.exact.contains(name)
            || self.like.iter().any(|like| match like {
                Like::Any(component) => component.matches(bytes),
                Like::Socket(component) => {
                    component.matches(bytes)
                        && !stem_of_temporary(bytes).is_some_and(|stem| component.matches(stem))
                }
            })
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
    fn names_decide() {
        let mut names = Names::exactly("config");
        names.add_like(&component("*.conf"));
        names.add_sockets(&component("cm-*"));
        for (name, is_news) in [
            ("config", true),
            ("config.new", false),
            ("work.conf", true),
            ("cm-web", true),
            ("cm-web.abcdefghijklmnop", false),
            ("cm-web.conf", true),
            ("known_hosts", false),
        ] {
            assert_eq!(names.matches(OsStr::new(name)), is_news, "{name}");
        }
    }

    #[test]
    fn both_together_match_what_either_does() {
        let mut names = Names::exactly("a");
        names.extend(&Names::exactly("b"));
        assert!(names.matches(OsStr::new("a")) && names.matches(OsStr::new("b")));
        assert!(!names.matches(OsStr::new("c")));
    }

    #[test]
    fn both_together_match_every_name_like_either_has_and_keep_each_once() {
        let mut sockets = Names::default();
        sockets.add_sockets(&component("cm-*"));
        let mut names = Names::default();
        names.add_like(&component("*.conf"));
        names.extend(&sockets);
        let once = names.clone();
        names.extend(&sockets);
        names.add_like(&component("*.conf"));
        assert_eq!(names, once);
        for (name, is_news) in [
            ("a.conf", true),
            ("cm-web", true),
            ("cm-web.abcdefghijklmnop", false),
            ("web", false),
        ] {
            assert_eq!(names.matches(OsStr::new(name)), is_news, "{name}");
        }
    }

    #[test]
    fn what_only_looks_like_a_temporary_name_is_news() {
        let mut names = Names::default();
        names.add_sockets(&component("*.abcdefghijklmnop"));
        // Its stem is no name of the pattern, so nothing is being linked to it.
        assert!(names.matches(OsStr::new("web.abcdefghijklmnop")));
        assert!(!names.matches(OsStr::new("web")));
    }
}
