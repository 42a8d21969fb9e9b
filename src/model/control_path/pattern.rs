//! [`Pattern`]: the paths that a ControlPath template or a glob can stand for, and what a path tells about where
//! its master leads.
//!
//! A pattern is matched component by component, so no part of it ever reaches over a `/`. It knows no directory's
//! contents; `discover` lists those and asks each [`Component`] about the names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::path::ControlPath;

/// The longest file name Linux has (`NAME_MAX`).
const MAX_NAME_BYTES: usize = 255;

/// The paths that a ControlPath template or a glob can stand for.
///
/// Made by [`Pattern::from_template`] and [`Pattern::from_glob`]. It begins with a plain directory
/// ([`Pattern::root`]), followed by at least one component.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    pub(super) root: PathBuf,
    pub(super) components: Vec<Component>,
    pub(super) vague: bool,
    pub(super) glob: bool,
    pub(super) per_machine: bool,
}

/// One part of a path, between two slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Component {
    pub(super) pieces: Vec<Piece>,
    /// Whether a name that begins with a dot needs a dot in the pattern, as in a shell.
    pub(super) dots_are_hidden: bool,
}

/// What a component is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    /// Exactly these bytes.
    Literal(Vec<u8>),
    /// Whatever a token or `*` stands for.
    Any(Token),
    /// `%p`: one to five digits.
    Port,
    /// `%C`: forty hexadecimal digits.
    Hash,
    /// `?`: one character.
    One,
    /// `[a-z]`, `[!a-z]`: one character of these ranges, or of no one of them.
    Class {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
}

/// The tokens that only a connection fills in, and a glob's `*`.
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
    /// `*`
    Star,
}

impl Token {
    /// The least number of bytes it stands for.
    const fn shortest(self) -> usize {
        match self {
            Self::HostName | Self::Alias | Self::KeyAlias | Self::User => 1,
            Self::Jump | Self::Star => 0,
        }
    }
}

impl Pattern {
    /// Whether the pattern stands for this path.
    #[must_use]
    pub fn matches(&self, path: &ControlPath) -> bool {
        let Some(names) = self.names_below_root(path) else {
            return false;
        };
        self.components
            .iter()
            .zip(names)
            .all(|(component, name)| component.matches(name))
    }

    /// The directory that the pattern begins with, without any wildcard: `/home/u/.ssh` of `/home/u/.ssh/%h`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What follows the root: directories first, the file name last; never empty.
    #[must_use]
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The one path the pattern stands for, where it has no wildcard.
    #[must_use]
    pub fn as_literal(&self) -> Option<ControlPath> {
        let [component] = self.components.as_slice() else {
            return None;
        };
        ControlPath::new(self.root.join(component.as_literal()?))
    }

    /// Whether other files than control sockets can well match: the pattern has a wildcard but neither `%C` nor
    /// `%p`, and no directory of its own (it lies in a home, `~/.ssh`, a directory for temporary files, or the
    /// runtime directory itself).
    #[must_use]
    pub fn is_vague(&self) -> bool {
        self.vague
    }

    /// Whether it came from a glob. A glob says where to look; unlike a template it does not say that every file
    /// there is meant to be a control socket.
    #[must_use]
    pub fn is_glob(&self) -> bool {
        self.glob
    }

    /// Whether its paths are other ones on another machine: its template has `%C`, `%l` or `%L`.
    #[must_use]
    pub fn is_per_machine(&self) -> bool {
        self.per_machine
    }

    /// The same pattern, known to match nothing but control sockets for a reason that it does not show.
    #[must_use]
    pub fn distinct(self) -> Self {
        Self {
            vague: false,
            ..self
        }
    }

    /// The parts of the path below the root, where there are as many as the pattern has.
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
    /// The name itself, where it has no wildcard.
    #[must_use]
    pub fn as_literal(&self) -> Option<&OsStr> {
        match self.pieces.as_slice() {
            [Piece::Literal(bytes)] => Some(OsStr::from_bytes(bytes)),
            _ => None,
        }
    }

    /// Whether a name matches. Names longer than a file name can be do not.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name == b"." || name == b".." {
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
        if self.hides(name) {
            return false;
        }
        // Every position that the pieces so far can end at: linear in the name for each piece, so that a glob with
        // many stars cannot cost more than its length.
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
                // What follows the first start of a run holds all that later starts could add.
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

    fn hides(&self, name: &[u8]) -> bool {
        self.dots_are_hidden
            && name.first() == Some(&b'.')
            && !matches!(self.pieces.first(), Some(Piece::Literal(prefix)) if prefix.starts_with(b"."))
    }

    /// Whether it holds a token that makes a name unmistakable.
    pub(super) fn is_distinct(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Hash | Piece::Port))
    }
}

impl Piece {
    /// The shortest and the longest beginning of `rest` that the piece can stand for, and every length between
    /// them; the shortest is greater than the longest where there is none.
    pub(super) fn lengths(&self, rest: &[u8]) -> (usize, usize) {
        const NONE: (usize, usize) = (1, 0);
        match self {
            Self::Literal(bytes) if rest.starts_with(bytes) => (bytes.len(), bytes.len()),
            Self::Literal(_) => NONE,
            Self::Any(token) => (token.shortest(), rest.len()),
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
            Self::Class { ranges, negated } => match first_character(rest) {
                Some((character, length)) => {
                    let inside = character.is_some_and(|character| {
                        ranges
                            .iter()
                            .any(|(first, last)| (*first..=*last).contains(&character))
                    });
                    if inside == *negated {
                        NONE
                    } else {
                        (length, length)
                    }
                }
                None => NONE,
            },
        }
    }
}

/// The first character and its length; a byte that begins no UTF-8 character stands for itself.
pub(super) fn first_character(bytes: &[u8]) -> Option<(Option<char>, usize)> {
    let head = &bytes[..bytes.len().min(4)];
    let chunk = head.utf8_chunks().next()?;
    match chunk.valid().chars().next() {
        Some(character) => Some((Some(character), character.len_utf8())),
        None => Some((None, 1)),
    }
}
