//! How a ControlPath template, an extra path or an Include of the configuration becomes a [`Pattern`].
//!
//! Source: ssh_config(5) "TOKENS" and "ENVIRONMENT VARIABLES"; `tilde_expand()` and `vdollar_percent_expand()` in
//! OpenSSH's misc.c. What the tokens of this machine and user stand for arrives as a [`Known`].

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tr::tr;

use super::pattern::{Component, Pattern, Piece, Token, first_character};
use crate::model::text;

/// What the tokens that do not depend on a connection stand for.
#[derive(Debug, Clone)]
pub struct Known {
    /// The home directory of the password file (`~`, `%d`). Not `$HOME`: ssh does not ask that for a ControlPath.
    pub home: PathBuf,
    /// The user id (`%i`).
    pub uid: u32,
    /// The user's name (`%u`).
    pub user: OsString,
    /// The machine's name, whole (`%l`); `%L` is its part before the first dot.
    pub host_name: OsString,
    /// `$XDG_RUNTIME_DIR`, or where it would be.
    pub runtime_dir: PathBuf,
    /// The environment (`${NAME}`).
    pub environment: BTreeMap<OsString, OsString>,
    /// The home directory of another user (`~user`).
    pub home_of: fn(&OsStr) -> Option<PathBuf>,
}

impl Known {
    /// An environment variable.
    #[must_use]
    pub fn variable(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.environment.get(name.as_ref()).map(OsString::as_os_str)
    }

    /// `$TMPDIR`, or `/tmp`.
    #[must_use]
    pub fn temporary_dir(&self) -> &Path {
        self.variable("TMPDIR")
            .map(Path::new)
            .filter(|path| path.is_absolute())
            .unwrap_or(Path::new("/tmp"))
    }

    /// Whether files of many kinds lie in this directory, so that a name there says little.
    fn is_shared(&self, directory: &Path) -> bool {
        const SHARED: [&str; 7] = [
            "/tmp", "/var/tmp", "/dev/shm", "/run", "/var/run", "/var", "/etc",
        ];
        self.home.starts_with(directory)
            || directory == self.home.join(".ssh")
            || self.runtime_dir.starts_with(directory)
            || directory == Path::new("/run/user").join(self.uid.to_string())
            || directory == self.temporary_dir()
            || SHARED.iter().any(|shared| directory == Path::new(shared))
    }
}

/// Why a text is no pattern. The messages follow the name of the text: "ControlPath X: …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum TemplateError {
    /// A `%` that begins no token.
    #[error("{}", tr!("there is no token %{token} in a ControlPath", token = .0))]
    UnknownToken(String),
    /// A `%` at the end.
    #[error("{}", tr!("it ends in a lone %"))]
    LoneEscape,
    /// `${` without `}`, or without a name.
    #[error("{}", tr!("a variable is not written {form}", form = "${NAME}"))]
    BadVariable,
    /// A variable that is not set where muxtray runs.
    #[error("{}", tr!("the environment variable {name} is not set here", name = .0))]
    UnsetVariable(String),
    /// `~user` of nobody.
    #[error("{}", tr!("there is no user {name}", name = .0))]
    UnknownUser(String),
    /// It depends on where ssh is started.
    #[error("{}", tr!("it is not absolute, so where it leads depends on where ssh is started"))]
    Relative,
    /// It holds `..`.
    #[error("{}", tr!("it has .. in it"))]
    ParentDirectory,
    /// Nothing after the last slash of the root, or a NUL byte.
    #[error("{}", tr!("it names no file"))]
    NoName,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// A ControlPath: `%` tokens and `${NAME}`.
    Template,
    /// A glob: `*`, `?`, `[…]`, and a backslash before what shall mean itself.
    Glob,
    /// An Include of the ssh configuration: both (tokens since OpenSSH 9.9).
    Include,
}

impl Pattern {
    /// The pattern of a ControlPath as it is written in the ssh configuration; `None` for "none".
    ///
    /// `~` and the tokens `%%`, `%d`, `%i`, `%u`, `%l`, `%L`, `${NAME}` are filled in; `%h`, `%n`, `%k`, `%r` and
    /// `%j` stand for anything but a slash, `%p` for a port, `%C` for forty hexadecimal digits.
    ///
    /// # Errors
    /// Where ssh would refuse the template, or where it could lie anywhere.
    pub fn from_template(template: &OsStr, known: &Known) -> Result<Option<Self>, TemplateError> {
        // CLEAR_ON_NONE in readconf.c compares without case.
        if template.eq_ignore_ascii_case("none") {
            return Ok(None);
        }
        parse(template.as_bytes(), known, Dialect::Template).map(Some)
    }

    /// The pattern of a glob: `~`, `*`, `?`, `[a-z]`, `[!a-z]`, and a backslash that takes away a character's
    /// meaning. As in a shell, a leading dot of a name wants a dot; a bracket that is never closed means itself.
    ///
    /// # Errors
    /// Where it is not absolute, names nobody's home, or names no file.
    pub fn from_glob(glob: &OsStr, known: &Known) -> Result<Self, TemplateError> {
        parse(glob.as_bytes(), known, Dialect::Glob)
    }

    /// The pattern of one argument of an Include: a glob, with the tokens of a ControlPath.
    ///
    /// # Errors
    /// As [`Pattern::from_template`] and [`Pattern::from_glob`].
    pub fn from_include(argument: &OsStr, known: &Known) -> Result<Self, TemplateError> {
        parse(argument.as_bytes(), known, Dialect::Include)
    }

    /// The pattern of a glob below a directory whose name is taken as it is.
    ///
    /// # Errors
    /// As [`Pattern::from_glob`].
    pub fn below(directory: &Path, glob: &str, known: &Known) -> Result<Self, TemplateError> {
        let mut builder = Builder::default();
        builder.text(directory.as_os_str().as_bytes());
        builder.text(b"/");
        builder.read(glob.as_bytes(), known, Dialect::Glob)?;
        builder.finish(known, Dialect::Glob)
    }
}

/// The names of the environment variables that a template or any other text of the ssh configuration refers to. As ssh
/// reads it, the next one begins behind the brace that ends the one before.
pub fn variables(text: &[u8]) -> impl Iterator<Item = &OsStr> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.windows(2).position(|pair| pair == b"${")? + 2;
            let end = start + rest[start..].iter().position(|byte| *byte == b'}')?;
            let name = &rest[start..end];
            // The brace itself begins nothing.
            rest = &rest[end..];
            if !name.is_empty() {
                return Some(OsStr::from_bytes(name));
            }
        }
    })
}

fn parse(text: &[u8], known: &Known, dialect: Dialect) -> Result<Pattern, TemplateError> {
    let mut builder = Builder::default();
    match text.strip_prefix(b"~") {
        None => builder.read(text, known, dialect)?,
        Some(rest) => {
            let end = rest.iter().position(|byte| *byte == b'/');
            let (user, below) = rest.split_at(end.unwrap_or(rest.len()));
            if user.is_empty() {
                builder.text(known.home.as_os_str().as_bytes());
            } else {
                let user = OsStr::from_bytes(user);
                let home = (known.home_of)(user)
                    .ok_or_else(|| TemplateError::UnknownUser(text::os(user)))?;
                builder.text(home.as_os_str().as_bytes());
            }
            builder.read(below, known, dialect)?;
        }
    }
    builder.finish(known, dialect)
}

/// A byte of plain text, or something that stands for text.
enum Atom {
    Byte(u8),
    Piece(Piece),
}

#[derive(Default)]
struct Builder {
    atoms: Vec<Atom>,
    per_machine: bool,
}

impl Builder {
    fn text(&mut self, text: &[u8]) {
        self.atoms.extend(text.iter().copied().map(Atom::Byte));
    }

    fn piece(&mut self, piece: Piece) {
        self.atoms.push(Atom::Piece(piece));
    }

    /// Of what can stand for nothing two in a row mean what one does, so that no name is read in endless ways.
    fn any(&mut self, token: Token) {
        if !matches!(self.atoms.last(), Some(Atom::Piece(Piece::Any(last))) if *last == token) {
            self.piece(Piece::Any(token));
        }
    }

    fn read(&mut self, text: &[u8], known: &Known, dialect: Dialect) -> Result<(), TemplateError> {
        let has_tokens = matches!(dialect, Dialect::Template | Dialect::Include);
        let has_globs = matches!(dialect, Dialect::Glob | Dialect::Include);
        let mut rest = text;
        // From here to where so many bytes are left no bracket is closed. Looked for once, not by every bracket.
        let mut unclosed = usize::MAX;
        while let Some((byte, after)) = rest.split_first() {
            rest = match byte {
                b'%' if has_tokens => self.token(after, known)?,
                b'$' if has_tokens && after.first() == Some(&b'{') => {
                    self.variable(&after[1..], known)?
                }
                b'*' if has_globs => {
                    self.any(Token::Star);
                    after
                }
                b'?' if has_globs => {
                    self.piece(Piece::One);
                    after
                }
                b'[' if has_globs && after.len() < unclosed => match class(after) {
                    Ok((class, after)) => {
                        self.piece(class);
                        after
                    }
                    Err(left) => {
                        unclosed = left;
                        self.text(b"[");
                        after
                    }
                },
                b'\\' if has_globs && !after.is_empty() => {
                    self.text(&after[..1]);
                    &after[1..]
                }
                plain => {
                    self.atoms.push(Atom::Byte(*plain));
                    after
                }
            };
        }
        Ok(())
    }

    /// Takes the token after a `%`, and returns what follows.
    fn token<'a>(&mut self, text: &'a [u8], known: &Known) -> Result<&'a [u8], TemplateError> {
        let (key, after) = text.split_first().ok_or(TemplateError::LoneEscape)?;
        self.per_machine |= matches!(key, b'C' | b'l' | b'L');
        match key {
            b'%' => self.text(b"%"),
            b'd' => self.text(known.home.as_os_str().as_bytes()),
            b'i' => self.text(known.uid.to_string().as_bytes()),
            b'u' => self.text(known.user.as_bytes()),
            b'l' => self.text(known.host_name.as_bytes()),
            b'L' => {
                let name = known.host_name.as_bytes();
                let end = name.iter().position(|byte| *byte == b'.');
                self.text(&name[..end.unwrap_or(name.len())]);
            }
            b'h' => self.piece(Piece::Any(Token::HostName)),
            b'n' => self.piece(Piece::Any(Token::Alias)),
            b'k' => self.piece(Piece::Any(Token::KeyAlias)),
            b'r' => self.piece(Piece::Any(Token::User)),
            b'j' => self.any(Token::Jump),
            b'p' => self.piece(Piece::Port),
            b'C' => self.piece(Piece::Hash),
            _ => {
                let shown = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
                let key = shown.chars().next().map_or_else(
                    || text::os(OsStr::from_bytes(&[*key])),
                    |key| text::line(key.encode_utf8(&mut [0; 4])),
                );
                return Err(TemplateError::UnknownToken(key));
            }
        }
        Ok(after)
    }

    /// Takes the variable after a `${`, and returns what follows.
    fn variable<'a>(&mut self, text: &'a [u8], known: &Known) -> Result<&'a [u8], TemplateError> {
        let end = text
            .iter()
            .position(|byte| *byte == b'}')
            .filter(|end| *end > 0)
            .ok_or(TemplateError::BadVariable)?;
        let name = OsStr::from_bytes(&text[..end]);
        let value = known
            .variable(name)
            .ok_or_else(|| TemplateError::UnsetVariable(text::os(name)))?;
        self.text(value.as_bytes());
        Ok(&text[end + 1..])
    }

    fn finish(self, known: &Known, dialect: Dialect) -> Result<Pattern, TemplateError> {
        if !matches!(self.atoms.first(), Some(Atom::Byte(b'/'))) {
            return Err(TemplateError::Relative);
        }
        if self.atoms.iter().any(|atom| matches!(atom, Atom::Byte(0))) {
            return Err(TemplateError::NoName);
        }
        let glob = !matches!(dialect, Dialect::Template);
        let mut components = Vec::new();
        for part in self.atoms.split(|atom| matches!(atom, Atom::Byte(b'/'))) {
            let pieces = pieces(part);
            match pieces.as_slice() {
                [] => continue,
                [Piece::Literal(name)] if name == b"." => continue,
                [Piece::Literal(name)] if name == b".." => {
                    return Err(TemplateError::ParentDirectory);
                }
                _ => components.push(Component {
                    pieces,
                    dots_are_hidden: glob,
                }),
            }
        }
        let plain = components
            .iter()
            .take(components.len().saturating_sub(1))
            .take_while(|component| component.as_literal().is_some())
            .count();
        let components_below = components.split_off(plain);
        if components_below.is_empty() {
            return Err(TemplateError::NoName);
        }
        let mut root = PathBuf::from("/");
        root.extend(components.iter().filter_map(Component::as_literal));
        let literal = matches!(components_below.as_slice(), [name] if name.as_literal().is_some());
        let distinct = literal || components_below.iter().any(Component::is_distinct);
        Ok(Pattern {
            vague: !distinct && known.is_shared(&root),
            root,
            components: components_below,
            glob,
            per_machine: self.per_machine,
        })
    }
}

/// The pieces of one component, neighbouring bytes joined.
fn pieces(atoms: &[Atom]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for atom in atoms {
        match (atom, pieces.last_mut()) {
            (Atom::Byte(byte), Some(Piece::Literal(bytes))) => bytes.push(*byte),
            (Atom::Byte(byte), _) => pieces.push(Piece::Literal(vec![*byte])),
            (Atom::Piece(piece), _) => pieces.push(piece.clone()),
        }
    }
    pieces
}

/// The class after a `[`, and what follows its `]`. Where there is none: how many bytes are left at what stands in its
/// way, a slash, a byte that is no UTF-8, or the end.
fn class(text: &[u8]) -> Result<(Piece, &[u8]), usize> {
    let (negated, body) = match text {
        [b'!' | b'^', body @ ..] => (true, body),
        body => (false, body),
    };
    let mut members = Vec::new();
    let mut rest = body;
    let after = loop {
        let (character, length) = first_character(rest).ok_or(0_usize)?;
        match character {
            // A bracket that comes first is a member.
            Some(']') if !members.is_empty() => break &rest[length..],
            Some('/') | None => return Err(rest.len()),
            Some(member) => members.push(member),
        }
        rest = &rest[length..];
    };
    let mut ranges = Vec::new();
    let mut rest = members.as_slice();
    loop {
        rest = match rest {
            [first, '-', last, after @ ..] => {
                ranges.push((*first, *last));
                after
            }
            [one, after @ ..] => {
                ranges.push((*one, *one));
                after
            }
            [] => return Ok((Piece::Class { ranges, negated }, after)),
        };
    }
}

/// What is known in tests: a user `u` with a home `/home/u` on `box.example.org`.
#[cfg(test)]
pub(crate) fn known_for_tests() -> Known {
    Known {
        home: PathBuf::from("/home/u"),
        uid: 1000,
        user: OsString::from("u"),
        host_name: OsString::from("box.example.org"),
        runtime_dir: PathBuf::from("/run/user/1000"),
        environment: [(OsString::from("WHERE"), OsString::from("/srv/mux"))].into(),
        home_of: |user| (user == "v").then(|| PathBuf::from("/home/v")),
    }
}

#[cfg(test)]
mod tests;
