//! [`ControlPath`], and the names that ssh and `clean` derive from one.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::model::text;

/// The longest ControlPath a master can use on Linux: 108 bytes of `sun_path`, less the NUL and the temporary
/// suffix (a dot and 16 characters).
pub const MAX_USABLE_BYTES: usize = 108 - 1 - (1 + TEMPORARY_SUFFIX);

/// The longest path that fits a socket address at all: `sun_path` less the NUL.
pub const MAX_ADDRESS_BYTES: usize = 107;

/// Letters and digits after the dot of a temporary name (`muxserver_listen()`).
const TEMPORARY_SUFFIX: usize = 16;

/// What `clean` puts before the name of a socket that it takes aside to look at: `NAME` becomes
/// `.muxtray-aside.NAME` in the same directory.
pub const ASIDE_PREFIX: &str = ".muxtray-aside.";

/// The absolute path of a control socket: begins with `/`, has a file name, holds no NUL, and no `.` or `..` and
/// no doubled slash. So two of them are the same path exactly where their bytes are the same; they compare and sort by
/// those, which is many times faster than [`Path`]'s way, part by part.
#[derive(Clone)]
pub struct ControlPath(PathBuf);

impl PartialEq for ControlPath {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_os_str() == other.0.as_os_str()
    }
}

impl Eq for ControlPath {}

impl PartialOrd for ControlPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ControlPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_os_str().cmp(other.0.as_os_str())
    }
}

impl Hash for ControlPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_os_str().hash(state);
    }
}

impl ControlPath {
    /// The path, where it can be one; purely by its text, no symlink is looked at.
    #[must_use]
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
        Some(Self(clean))
    }

    /// The path of a file in a directory, where the directory's path is one that [`ControlPath::new`] would leave
    /// as it is (or `/`) and the name is a directory entry's.
    #[must_use]
    pub(crate) fn in_directory(directory: &Path, name: &OsStr) -> Self {
        let path = directory.join(name);
        debug_assert_eq!(Self::new(&path).as_ref().map(Self::as_path), Some(&*path));
        Self(path)
    }

    /// As a path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// The directory it lies in.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.0.parent().unwrap_or(Path::new("/"))
    }

    /// The last part.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.0.file_name().map_or(&[], |name| name.as_bytes())
    }

    /// Its length as the kernel counts it.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.0.as_os_str().len()
    }

    /// The path this one is the temporary name of, if it has the form `PATH.<16 letters or digits>`.
    #[must_use]
    pub fn without_temporary_suffix(&self) -> Option<Self> {
        let stem = stem_of_temporary(self.name())?;
        Some(Self::in_directory(
            self.directory(),
            OsStr::from_bytes(stem),
        ))
    }

    /// The path that `clean` took this one aside from, if its name has the form [`ASIDE_PREFIX`]`NAME`.
    #[must_use]
    pub fn without_aside_prefix(&self) -> Option<Self> {
        let stem = stem_of_aside(self.name())?;
        Some(Self::in_directory(
            self.directory(),
            OsStr::from_bytes(stem),
        ))
    }
}

/// `NAME` of a temporary file name `NAME.<16 letters or digits>`.
#[must_use]
pub fn stem_of_temporary(name: &[u8]) -> Option<&[u8]> {
    let (rest, suffix) = name.split_at_checked(name.len().checked_sub(TEMPORARY_SUFFIX)?)?;
    let stem = rest.strip_suffix(b".")?;
    (suffix.iter().all(u8::is_ascii_alphanumeric) && is_name(stem)).then_some(stem)
}

/// `NAME` of a file name that `clean` gave: [`ASIDE_PREFIX`]`NAME`.
#[must_use]
pub fn stem_of_aside(name: &[u8]) -> Option<&[u8]> {
    name.strip_prefix(ASIDE_PREFIX.as_bytes())
        .filter(|stem| is_name(stem))
}

/// Whether a directory entry can be called so.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/')
}

impl fmt::Debug for ControlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As [`text::path`] shows it: one printable line.
impl fmt::Display for ControlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::path(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_path_is_absolute_and_plain() {
        for (text, path) in [
            ("/home/u/.ssh/s/u@h-22", Some("/home/u/.ssh/s/u@h-22")),
            ("/home//u/./s", Some("/home/u/s")),
            ("s/u@h", None),
            ("/home/../s", None),
            ("/", None),
            ("/a\0b", None),
        ] {
            assert_eq!(
                ControlPath::new(text).map(|path| path.0),
                path.map(PathBuf::from)
            );
        }
    }

    #[test]
    fn ninety_bytes_are_usable() {
        assert_eq!(MAX_USABLE_BYTES, 90);
    }

    #[test]
    fn the_temporary_suffix_is_a_dot_and_sixteen() {
        for (text, stem) in [
            ("/s/u@h-22.yDXYs2d7ScOlhAEI", Some("/s/u@h-22")),
            ("/s/u@h-22.yDXYs2d7ScOlhAE", None),
            ("/s/u@h-22.yDXYs2d7ScOlh-EI", None),
            ("/s/.yDXYs2d7ScOlhAEI", None),
            ("/s/u@h-22", None),
        ] {
            let path = ControlPath::new(text).unwrap();
            assert_eq!(
                path.without_temporary_suffix(),
                stem.and_then(ControlPath::new)
            );
        }
    }

    #[test]
    fn a_name_taken_aside_tells_where_it_was() {
        for (text, stem) in [
            ("/s/.muxtray-aside.u@h-22", Some("/s/u@h-22")),
            ("/s/.muxtray-aside.", None),
            ("/s/.muxtray-aside...", None),
            ("/s/muxtray-aside.u@h-22", None),
        ] {
            let path = ControlPath::new(text).unwrap();
            assert_eq!(path.without_aside_prefix(), stem.and_then(ControlPath::new));
        }
    }

    #[test]
    fn two_are_the_same_where_their_bytes_are_however_they_were_written() {
        use std::collections::HashSet;
        let of = |text: &str| ControlPath::new(text).unwrap();
        let paths = [
            of("/s/a"),
            of("/s//a"),
            of("/s/./a"),
            of("/s/b"),
            of("/s/A"),
        ];
        assert_eq!(paths[0], paths[1]);
        assert_ne!(paths[0], paths[3]);
        let distinct: HashSet<&ControlPath> = paths.iter().collect();
        assert_eq!(distinct.len(), 3);
        // A hash that is the same for all would be found only by its slowness.
        let hash = |path: &ControlPath| {
            let mut hasher = std::hash::DefaultHasher::new();
            path.hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(hash(&paths[0]), hash(&paths[1]));
        assert_ne!(hash(&paths[0]), hash(&paths[3]));
    }

    #[test]
    fn they_sort_by_their_bytes() {
        let mut paths = ["/s/b", "/s/a/c", "/s/a", "/s/a-b", "/s/B"]
            .map(|text| ControlPath::new(text).unwrap());
        paths.sort();
        assert_eq!(
            paths.map(|path| path.to_string()),
            ["/s/B", "/s/a", "/s/a-b", "/s/a/c", "/s/b"]
        );
    }

    #[test]
    fn the_parts_of_a_path() {
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
    }

    #[test]
    fn it_is_shown_as_one_printable_line_and_debugged_as_a_path() {
        let path = ControlPath::new("/s/a\nb").unwrap();
        assert_eq!(path.to_string(), "/s/a\\u{a}b");
        assert_eq!(format!("{path:?}"), r#""/s/a\nb""#);
    }

    #[test]
    fn a_suffix_is_taken_from_what_can_be_a_name_only() {
        let suffix = ".yDXYs2d7ScOlhAEI";
        for (stem, is_name) in [
            ("a", true),
            (".a", true),
            ("", false),
            (".", false),
            ("..", false),
            ("...", true),
            ("a/b", false),
        ] {
            let temporary = format!("{stem}{suffix}");
            let aside = format!("{ASIDE_PREFIX}{stem}");
            let expected = is_name.then_some(stem.as_bytes());
            assert_eq!(stem_of_temporary(temporary.as_bytes()), expected, "{stem}");
            assert_eq!(stem_of_aside(aside.as_bytes()), expected, "{stem}");
        }
        assert_eq!(stem_of_temporary(b"short"), None);
        assert_eq!(stem_of_temporary(b"a-yDXYs2d7ScOlhAEI"), None);
        assert_eq!(stem_of_temporary("a.yDXYs2d7ScOlhA\u{e9}".as_bytes()), None);
    }

    #[test]
    fn the_longest_usable_path_fits_with_its_temporary_suffix() {
        assert_eq!(MAX_USABLE_BYTES + 1 + TEMPORARY_SUFFIX, MAX_ADDRESS_BYTES);
    }
}
