//! [`Pattern`]: the paths that match a ControlPath template or a glob. It is matched component by component, so no wildcard
//! matches a `/`. `discover` lists the directories.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::path::ControlPath;

const MAX_NAME_BYTES: usize = 255;

/// The paths that match a ControlPath template or a glob.
///
/// Created by [`Pattern::from_template`] and [`Pattern::from_glob`]. It begins with a literal directory ([`Pattern::root`]),
/// followed by at least one component.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    pub(super) root: PathBuf,
    pub(super) components: Vec<Component>,
    pub(super) vague: bool,
    pub(super) glob: bool,
    pub(super) per_machine: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Component {
    pub(super) pieces: Vec<Piece>,
    /// Whether a leading dot of a name needs a dot in the pattern, as in a shell.
    pub(super) dots_are_hidden: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    Literal(Vec<u8>),
    /// The value of a token, or `*`.
    Any(Token),
    /// `%p`: one to five digits.
    Port,
    /// `%C`: forty hexadecimal digits.
    Hash,
    One,
    /// `[a-z]`, `[!a-z]`: one character inside or outside of these ranges.
    Class {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
}

/// The tokens that depend on the connection, and `*` of a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Token {
    /// `%h`
    HostName,
    /// `%n`
    Alias,
    /// `%k`
    KeyAlias,
    /// `%r`
    User,
    /// `%j`
    Jump,
    Star,
}

impl Pattern {
    pub fn matches(&self, path: &ControlPath) -> bool {
        let names = self.names_below_root(path);
        names.is_some_and(|names| {
            let mut pairs = self.components.iter().zip(names);
            pairs.all(|(component, name)| component.matches(name))
        })
    }

    /// Returns the directory at its beginning without wildcards: `/home/u/.ssh` of `/home/u/.ssh/%h`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn components(&self) -> &[Component] {
        &self.components
    }

    pub fn as_literal(&self) -> Option<ControlPath> {
        let [component] = self.components.as_slice() else {
            return None;
        };
        ControlPath::new(self.root.join(component.as_literal()?))
    }

    /// Whether files other than control sockets are likely to match: the pattern has a wildcard, but neither `%C` nor `%p`,
    /// and its directory is shared (a home directory, `~/.ssh`, a temporary directory, or the runtime directory).
    pub fn is_vague(&self) -> bool {
        self.vague
    }

    /// Whether hardly another file than a control socket has such a name: the pattern has `%C` or `%p`.
    pub fn is_distinct(&self) -> bool {
        self.components.iter().any(Component::is_distinct)
    }

    /// Whether it came from a glob. Unlike a template, a glob also matches files that are not meant to be control sockets.
    pub fn is_glob(&self) -> bool {
        self.glob
    }

    /// Whether its paths differ between machines: the template has `%C`, `%l` or `%L`.
    pub fn is_per_machine(&self) -> bool {
        self.per_machine
    }

    pub fn with_vagueness(self, vague: bool) -> Self {
        Self { vague, ..self }
    }

    /// Whether the last components of the path match, in any directory.
    pub fn matches_end(&self, path: &ControlPath) -> bool {
        let path = path.as_path().as_os_str().as_bytes();
        let mut names = path.rsplit(|byte| *byte == b'/');
        let mut components = self.components.iter().rev();
        components.all(|component| names.next().is_some_and(|name| component.matches(name)))
    }

    /// Returns the names of the path below the root, if there are as many as components.
    pub(super) fn names_below_root<'a>(
        &self,
        path: &'a ControlPath,
    ) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        let bytes = path.as_path().as_os_str().as_bytes();
        let below = bytes.strip_prefix(self.root.as_os_str().as_bytes())?;
        let below = match below.strip_prefix(b"/") {
            Some(below) => below,
            // Only the root `/` ends with its slash.
            None if self.root.as_os_str() == "/" => below,
            None => return None,
        };
        let names = below.split(|byte| *byte == b'/');
        (names.clone().count() == self.components.len()).then_some(names)
    }
}

impl Component {
    pub fn as_literal(&self) -> Option<&OsStr> {
        match self.pieces.as_slice() {
            [Piece::Literal(bytes)] => Some(OsStr::from_bytes(bytes)),
            _ => None,
        }
    }

    /// Whether a file name matches. Invalid and too long names do not.
    pub fn matches(&self, name: &[u8]) -> bool {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name == b"." || name == b".." {
            return false;
        }
        if name.len() < self.pieces.iter().map(Piece::shortest).sum() || !self.has_literals(name) {
            return false;
        }
        if let Some(Piece::Literal(prefix)) = self.pieces.first()
            && !name.starts_with(prefix)
        {
            return false;
        }
        if let Some(Piece::Literal(suffix)) = self.pieces.last()
            && !name.ends_with(suffix)
        {
            return false;
        }
        let has_dot =
            matches!(self.pieces.first(), Some(Piece::Literal(prefix)) if prefix.starts_with(b"."));
        if self.dots_are_hidden && name.starts_with(b".") && !has_dot {
            return false;
        }
        // All positions at which the pieces so far can end. Linear in the name for each piece, even for a glob of many stars.
        let mut ends = [false; MAX_NAME_BYTES + 1];
        ends[0] = true;
        for piece in &self.pieces {
            let mut next = [false; MAX_NAME_BYTES + 1];
            let mut any = false;
            for start in (0..=name.len()).filter(|start| ends[*start]) {
                let (shortest, longest) = piece.lengths(&name[start..]);
                if shortest <= longest {
                    next[start + shortest..=start + longest].fill(true);
                    any = true;
                }
                // Later starts add no further ends.
                if matches!(piece, Piece::Any(_)) {
                    break;
                }
            }
            if !any {
                return false;
            }
            ends = next;
        }
        ends[name.len()]
    }

    /// Whether the literals are in the name, one after the other: a quick answer for most names that do not match.
    fn has_literals(&self, name: &[u8]) -> bool {
        let mut rest = name;
        self.pieces.iter().all(|piece| {
            let literal = match piece {
                Piece::Literal(literal) if !literal.is_empty() => literal.as_slice(),
                _ => return true,
            };
            let place = rest.windows(literal.len()).position(|it| it == literal);
            rest = &rest[place.map_or(rest.len(), |place| place + literal.len())..];
            place.is_some()
        })
    }

    pub(super) fn is_distinct(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Hash | Piece::Port))
    }
}

impl Piece {
    /// Returns the number of bytes below which nothing matches.
    const fn shortest(&self) -> usize {
        match self {
            Self::Literal(bytes) => bytes.len(),
            Self::Any(Token::Jump | Token::Star) => 0,
            Self::Any(_) | Self::Port | Self::One | Self::Class { .. } => 1,
            Self::Hash => 40,
        }
    }

    /// Returns the shortest and the longest prefix of `rest` that the piece can match; all lengths between match too. If none
    /// matches, the shortest is greater than the longest.
    pub(super) fn lengths(&self, rest: &[u8]) -> (usize, usize) {
        const NONE: (usize, usize) = (1, 0);
        match self {
            Self::Literal(bytes) if rest.starts_with(bytes) => (bytes.len(), bytes.len()),
            Self::Literal(_) => NONE,
            Self::Any(Token::Jump | Token::Star) => (0, rest.len()),
            Self::Any(_) => (1, rest.len()),
            Self::Port => {
                let digits = rest.iter().take(5).take_while(|byte| byte.is_ascii_digit());
                (1, digits.count())
            }
            Self::Hash => match rest.get(..40) {
                Some(hash) if hash.iter().all(u8::is_ascii_hexdigit) => (40, 40),
                _ => NONE,
            },
            Self::One => match first_character(rest) {
                Some((_, length)) => (length, length),
                None => NONE,
            },
            Self::Class { ranges, negated } => {
                let is_inside = |character: char| {
                    let mut ranges = ranges.iter();
                    ranges.any(|(first, last)| (*first..=*last).contains(&character))
                };
                match first_character(rest) {
                    Some((character, length)) if character.is_some_and(is_inside) != *negated => {
                        (length, length)
                    }
                    _ => NONE,
                }
            }
        }
    }
}

/// Returns the first character and its length. A byte that begins no UTF-8 character has no character and length 1.
pub(super) fn first_character(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    let head = &bytes[..bytes.len().min(4)];
    let chunk = head.utf8_chunks().next()?;
    match chunk.valid().chars().next() {
        Some(character) => Some((Some(character), character.len_utf8())),
        None => Some((None, 1)),
    }
}
