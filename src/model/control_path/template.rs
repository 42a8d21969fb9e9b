//! Parses a ControlPath template, an extra path or an Include into a [`Pattern`].
//!
//! Sources: ssh_config(5) "TOKENS" and "ENVIRONMENT VARIABLES"; `tilde_expand()` and `vdollar_percent_expand()` in OpenSSH's
//! misc.c.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::mem;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tr::tr;

use super::pattern::{Component, Pattern, Piece, Token, first_character};
use crate::model::text;

/// The values of tokens that do not depend on the connection.
#[derive(Debug, Clone)]
pub struct Known {
    /// The home directory in the password file (`~`, `%d`). For a ControlPath, ssh does not use `$HOME`.
    pub home: PathBuf,
    pub uid: u32,
    pub user: OsString,
    /// The full host name (`%l`); `%L` is the part before the first dot.
    pub host_name: OsString,
    pub runtime_dir: PathBuf,
    pub environment: BTreeMap<OsString, OsString>,
    pub home_of: fn(&OsStr) -> Option<PathBuf>,
}

impl Known {
    pub fn variable(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.environment.get(name.as_ref()).map(OsString::as_os_str)
    }

    pub fn temporary_dir(&self) -> &Path {
        self.variable("TMPDIR")
            .map(Path::new)
            .filter(|path| path.is_absolute())
            .unwrap_or(Path::new("/tmp"))
    }

    /// Whether the directory has files of many programs.
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

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum TemplateError {
    #[error("{}", tr!("unknown token %{token}", token = .0))]
    UnknownToken(String),
    #[error("{}", tr!("% at the end"))]
    LoneEscape,
    #[error("{}", tr!("a variable is not of the form {form}", form = "${NAME}"))]
    BadVariable,
    #[error("{}", tr!("the environment variable {name} is not set in muxtray's environment", name = .0))]
    UnsetVariable(String),
    #[error("{}", tr!("unknown user {name}", name = .0))]
    UnknownUser(String),
    #[error("{}", tr!("not absolute, so it depends on the directory in which ssh is started"))]
    Relative,
    #[error("{}", tr!("contains .."))]
    ParentDirectory,
    #[error("{}", tr!("names no file"))]
    NoName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// A ControlPath: `%` tokens and `${NAME}`.
    Template,
    /// A glob: `*`, `?`, `[…]`, and a backslash that quotes a character.
    Glob,
    /// An Include of the ssh configuration: both (tokens since OpenSSH 9.9).
    Include,
}

impl Pattern {
    /// Parses a ControlPath of the ssh configuration. Returns `None` for "none".
    ///
    /// `~`, `%%`, `%d`, `%i`, `%u`, `%l`, `%L` and `${NAME}` are expanded. `%h`, `%n`, `%k`, `%r` and `%j` match anything but a
    /// slash, `%p` a port, and `%C` forty hexadecimal digits.
    pub fn from_template(template: &OsStr, known: &Known) -> Result<Option<Self>, TemplateError> {
        // CLEAR_ON_NONE in readconf.c compares without case.
        if template.eq_ignore_ascii_case("none") {
            return Ok(None);
        }
        parse(template.as_bytes(), known, Dialect::Template).map(Some)
    }

    /// Parses a glob: `~`, `*`, `?`, `[a-z]`, `[!a-z]`, and a backslash that quotes a character. As in a shell, only a dot
    /// matches a leading dot, and a bracket without its closing one is a plain character.
    pub fn from_glob(glob: &OsStr, known: &Known) -> Result<Self, TemplateError> {
        parse(glob.as_bytes(), known, Dialect::Glob)
    }

    /// Parses an argument of Include: a glob with the tokens of a ControlPath.
    pub fn from_include(argument: &OsStr, known: &Known) -> Result<Self, TemplateError> {
        parse(argument.as_bytes(), known, Dialect::Include)
    }

    pub fn below(directory: &Path, glob: &str, known: &Known) -> Result<Self, TemplateError> {
        let mut builder = Builder::default();
        builder.text(directory.as_os_str().as_bytes());
        builder.text(b"/");
        builder.read(glob.as_bytes(), known, Dialect::Glob)?;
        builder.finish(known, Dialect::Glob)
    }
}

/// Returns the names of the environment variables in a text of the ssh configuration. As in ssh, the search continues after the
/// closing brace.
pub fn variables(text: &[u8]) -> impl Iterator<Item = &OsStr> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.windows(2).position(|pair| pair == b"${")? + 2;
            let end = start + rest[start..].iter().position(|byte| *byte == b'}')?;
            let name = &rest[start..end];
            rest = &rest[end..];
            if !name.is_empty() {
                return Some(OsStr::from_bytes(name));
            }
        }
    })
}

/// The parts of a connection that a ControlPath contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionTokens {
    pub host: bool,
    pub user: bool,
    pub port: bool,
}

impl ConnectionTokens {
    pub fn of(template: &str) -> Self {
        let mut tokens = String::new();
        let mut rest = template.chars();
        while rest.any(|character| character == '%') {
            tokens.extend(rest.next());
        }
        let has_any = |of: &[char]| tokens.contains(of);
        Self {
            host: has_any(&['C', 'h', 'n', 'k']),
            user: has_any(&['C', 'r']),
            port: has_any(&['C', 'p']),
        }
    }

    pub const fn are_complete(self) -> bool {
        self.host && self.user && self.port
    }
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

/// The components so far, the last one in `current`. The first is empty if the text began with a slash.
#[derive(Default)]
struct Builder {
    done: Vec<Vec<Piece>>,
    current: Vec<Piece>,
    per_machine: bool,
}

impl Builder {
    fn text(&mut self, text: &[u8]) {
        for byte in text {
            match self.current.last_mut() {
                _ if *byte == b'/' => self.done.push(mem::take(&mut self.current)),
                Some(Piece::Literal(bytes)) => bytes.push(*byte),
                _ => self.current.push(Piece::Literal(vec![*byte])),
            }
        }
    }

    fn piece(&mut self, piece: Piece) {
        self.current.push(piece);
    }

    /// Adds a piece that may be empty. Two in a row match the same as one, and would multiply the readings of a name.
    fn any(&mut self, token: Token) {
        if !matches!(self.current.last(), Some(Piece::Any(last)) if *last == token) {
            self.piece(Piece::Any(token));
        }
    }

    fn read(&mut self, text: &[u8], known: &Known, dialect: Dialect) -> Result<(), TemplateError> {
        let has_tokens = matches!(dialect, Dialect::Template | Dialect::Include);
        let has_globs = matches!(dialect, Dialect::Glob | Dialect::Include);
        let mut rest = text;
        // No bracket is closed before so many bytes are left. Searched once, not for every bracket.
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
                _ => {
                    self.text(&rest[..1]);
                    after
                }
            };
        }
        Ok(())
    }

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
        let mut parts = self.done;
        if parts.first().is_none_or(|first| !first.is_empty()) {
            return Err(TemplateError::Relative);
        }
        parts.push(self.current);
        let has_nul = |piece: &Piece| matches!(piece, Piece::Literal(text) if text.contains(&0));
        if parts.iter().flatten().any(has_nul) {
            return Err(TemplateError::NoName);
        }
        let glob = !matches!(dialect, Dialect::Template);
        let mut components = Vec::new();
        for pieces in parts {
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

/// Parses the class after a `[`, and returns it with the rest. If it is not closed before a slash, invalid UTF-8 or the end,
/// returns the number of bytes from there.
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

/// The user `u` with the home directory `/home/u` on `box.example.org`.
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
