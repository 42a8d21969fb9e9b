//! [`ControlPath`], and the names that ssh and `clean` derive from one.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::text;

/// The longest ControlPath of a master on Linux: 108 bytes of `sun_path` without the NUL and the temporary suffix (a dot and
/// 16 characters).
pub const MAX_USABLE_BYTES: usize = 108 - 1 - (1 + TEMPORARY_SUFFIX);

/// The longest path in a socket address: `sun_path` without the NUL.
pub const MAX_ADDRESS_BYTES: usize = 107;

/// The number of letters and digits after the dot of a temporary name (`muxserver_listen()`).
const TEMPORARY_SUFFIX: usize = 16;

/// The prefix of the name that `clean` gives to a socket before it removes it: `NAME` becomes `.muxtray-aside.NAME` in the
/// same directory.
pub const ASIDE_PREFIX: &str = ".muxtray-aside.";

/// The absolute, normalized path of a control socket: with a file name, without NUL, `.`, `..` and repeated slashes.
///
/// Equal paths have equal bytes, so they are compared by bytes, many times faster than the components of a [`Path`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "PathBuf", try_from = "PathBuf")]
pub struct ControlPath(OsString);

impl From<ControlPath> for PathBuf {
    fn from(path: ControlPath) -> Self {
        path.0.into()
    }
}

impl TryFrom<PathBuf> for ControlPath {
    type Error = &'static str;

    fn try_from(path: PathBuf) -> Result<Self, Self::Error> {
        Self::new(path).ok_or("not the path of a control socket")
    }
}

impl ControlPath {
    /// Normalizes a path without following symlinks. Returns `None` if it cannot be the path of a control socket.
    pub fn new(path: impl AsRef<Path>) -> Option<Self> {
        let path = path.as_ref();
        if !path.is_absolute() || path.as_os_str().as_bytes().contains(&0) {
            return None;
        }
        let mut clean = PathBuf::from("/");
        for component in path.components() {
            match component {
                std::path::Component::Normal(name) => clean.push(name),
                std::path::Component::RootDir | std::path::Component::CurDir => {}
                std::path::Component::ParentDir | std::path::Component::Prefix(_) => return None,
            }
        }
        clean.file_name()?;
        Some(Self(clean.into_os_string()))
    }

    /// Returns the path of a directory entry. The path of the directory has to be normalized.
    pub(crate) fn in_directory(directory: &Path, name: &OsStr) -> Self {
        let path = directory.join(name);
        debug_assert_eq!(Self::new(&path).as_ref().map(Self::as_path), Some(&*path));
        Self(path.into_os_string())
    }

    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// Returns the ControlPath that expands to this path.
    pub fn as_template(&self) -> OsString {
        text::doubled(&self.0, b'%')
    }

    pub fn directory(&self) -> &Path {
        match self.split() {
            ([], _) => Path::new("/"),
            (directory, _) => Path::new(OsStr::from_bytes(directory)),
        }
    }

    pub fn name(&self) -> &[u8] {
        self.split().1
    }

    /// Splits the path at its last slash.
    fn split(&self) -> (&[u8], &[u8]) {
        let bytes = self.0.as_bytes();
        let last = bytes.iter().rposition(|byte| *byte == b'/');
        // The first byte is a slash.
        let last = last.unwrap_or_default();
        (&bytes[..last], &bytes[last + 1..])
    }

    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }

    /// Returns `PATH` if this is a temporary name `PATH.<16 letters or digits>`.
    pub fn without_temporary_suffix(&self) -> Option<Self> {
        stem_of_temporary(self.name()).map(|stem| self.sibling(stem))
    }

    pub fn without_aside_prefix(&self) -> Option<Self> {
        stem_of_aside(self.name()).map(|stem| self.sibling(stem))
    }

    fn sibling(&self, name: &[u8]) -> Self {
        Self::in_directory(self.directory(), OsStr::from_bytes(name))
    }
}

pub fn stem_of_temporary(name: &[u8]) -> Option<&[u8]> {
    let (rest, suffix) = name.split_at_checked(name.len().checked_sub(TEMPORARY_SUFFIX)?)?;
    let stem = rest.strip_suffix(b".")?;
    (suffix.iter().all(u8::is_ascii_alphanumeric) && is_name(stem)).then_some(stem)
}

pub fn stem_of_aside(name: &[u8]) -> Option<&[u8]> {
    name.strip_prefix(ASIDE_PREFIX.as_bytes())
        .filter(|stem| is_name(stem))
}

fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/')
}

impl fmt::Debug for ControlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ControlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::os(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_normalized() {
        for (text, path) in [
            ("/home/u/.ssh/s/u@h-22", Some("/home/u/.ssh/s/u@h-22")),
            ("/home//u/./s", Some("/home/u/s")),
            ("s/u@h", None),
            ("/home/../s", None),
            ("/", None),
            ("/a\0b", None),
        ] {
            let found = ControlPath::new(text).map(|path| path.0);
            assert_eq!(found, path.map(OsString::from));
        }
        for (text, directory, name, length) in [
            ("/s/web", "/s", "web", 6),
            ("/web", "/", "web", 4),
            ("/s/m\u{fc}ller", "/s", "m\u{fc}ller", 10),
        ] {
            let path = ControlPath::new(text).unwrap();
            assert_eq!(path.directory(), Path::new(directory));
            assert_eq!(path.name(), name.as_bytes());
            assert_eq!(path.len_bytes(), length);
            let again = ControlPath::in_directory(Path::new(directory), OsStr::new(name));
            assert_eq!(again, path);
        }
        let path = ControlPath::new("/s/a\nb").unwrap();
        assert_eq!(path.to_string(), "/s/a\\u{a}b");
    }

    #[test]
    fn temporary_and_aside_names_have_a_stem() {
        for (name, temporary, aside) in [
            ("u@h-22.yDXYs2d7ScOlhAEI", Some("u@h-22"), None),
            ("u@h-22.yDXYs2d7ScOlhAE", None, None),
            ("u@h-22.yDXYs2d7ScOlh-EI", None, None),
            ("u@h-22-yDXYs2d7ScOlhAEI", None, None),
            (".yDXYs2d7ScOlhAEI", None, None),
            ("...yDXYs2d7ScOlhAEI", None, None),
            ("....yDXYs2d7ScOlhAEI", Some("..."), None),
            ("u@h.yDXYs2d7ScOlhA\u{e9}", None, None),
            ("short", None, None),
            (".muxtray-aside.u@h-22", None, Some("u@h-22")),
            (".muxtray-aside.", None, None),
            (".muxtray-aside...", None, None),
            ("muxtray-aside.u@h-22", None, None),
        ] {
            let path = ControlPath::new(format!("/s/{name}")).unwrap();
            let in_s =
                |stem: Option<&str>| stem.and_then(|stem| ControlPath::new(format!("/s/{stem}")));
            assert_eq!(path.without_temporary_suffix(), in_s(temporary));
            assert_eq!(path.without_aside_prefix(), in_s(aside));
        }
        assert_eq!(stem_of_temporary(b"a/b.yDXYs2d7ScOlhAEI"), None);
        assert_eq!(
            (MAX_USABLE_BYTES, MAX_USABLE_BYTES + 1 + TEMPORARY_SUFFIX),
            (90, MAX_ADDRESS_BYTES)
        );
    }
}
