//! Reads a path backwards: from a name to the user, host and port in its template. All readings are tried up to a limit, and only
//! their common result counts, because a wrong destination is worse than none.

use std::str;

use super::destination::Destination;
use super::path::ControlPath;
use super::pattern::{Component, Pattern, Piece, Token};

/// The limit of the search. Real templates need some dozens of steps.
const MAX_STEPS: u32 = 20_000;

#[derive(Clone, Copy, Default)]
struct Reading<'a> {
    host_name: Option<&'a str>,
    alias: Option<&'a str>,
    key_alias: Option<&'a str>,
    user: Option<&'a str>,
    port: Option<&'a str>,
}

struct Search {
    steps_left: u32,
    agreed: Option<Destination>,
}

/// Readings have different hosts or none, or there are too many.
struct Undecided;

impl Pattern {
    /// Returns the destination of the master at this path from the tokens of the template.
    ///
    /// The host is `%h`, or else `%k`, or else `%n`; `None` without one of them, if the path does not match, or if readings
    /// differ in the host. A user or port in which readings differ is `None`.
    pub fn captures(&self, path: &ControlPath) -> Option<Destination> {
        let names = self.names_below_root(path)?;
        let components: Vec<_> = self.components.iter().zip(names).collect();
        let mut search = Search {
            steps_left: MAX_STEPS,
            agreed: None,
        };
        let is_match = self.matches(path);
        let result = is_match.then(|| search.read(&[], b"", &components, Reading::default()))?;
        result.ok().and(search.agreed)
    }
}

impl Search {
    /// Reads the rest of a name by the pieces that are left, and then the components below.
    fn read<'a>(
        &mut self,
        pieces: &[Piece],
        name: &'a [u8],
        below: &[(&Component, &'a [u8])],
        reading: Reading<'a>,
    ) -> Result<(), Undecided> {
        self.steps_left = self.steps_left.checked_sub(1).ok_or(Undecided)?;
        let Some((piece, pieces)) = pieces.split_first() else {
            return match below.split_first() {
                _ if !name.is_empty() => Ok(()),
                Some(((next, name), below)) => self.read(&next.pieces, name, below, reading),
                None => self.settle(reading),
            };
        };
        let (shortest, longest) = piece.lengths(name);
        for length in shortest..=longest {
            let (text, rest) = name.split_at(length);
            // Skips most lengths: the following literal text is not there.
            if matches!(pieces.first(), Some(Piece::Literal(next)) if !rest.starts_with(next)) {
                continue;
            }
            if let Some(reading) = reading.with(piece, text) {
                self.read(pieces, rest, below, reading)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self, reading: Reading<'_>) -> Result<(), Undecided> {
        let host = reading.host_name.or(reading.key_alias).or(reading.alias);
        let found = Destination {
            user: reading.user.map(str::to_owned),
            host: host.ok_or(Undecided)?.to_owned(),
            port: reading.port.and_then(|port| port.parse().ok()),
        };
        let agreed = self.agreed.get_or_insert_with(|| found.clone());
        if agreed.host != found.host {
            return Err(Undecided);
        }
        if agreed.user != found.user {
            agreed.user = None;
        }
        if agreed.port != found.port {
            agreed.port = None;
        }
        Ok(())
    }
}

impl<'a> Reading<'a> {
    /// Adds the text of a piece. Returns `None` if the piece cannot stand for it, or had another value before.
    fn with(mut self, piece: &Piece, text: &'a [u8]) -> Option<Self> {
        let slot = match piece {
            Piece::Any(Token::HostName) => &mut self.host_name,
            Piece::Any(Token::Alias) => &mut self.alias,
            Piece::Any(Token::KeyAlias) => &mut self.key_alias,
            Piece::Any(Token::User) => &mut self.user,
            Piece::Port => &mut self.port,
            _ => return Some(self),
        };
        let text = str::from_utf8(text).ok()?;
        let is_possible = match piece {
            // ssh prints ports without a leading zero.
            Piece::Port => !text.starts_with('0') && text.parse::<u16>().is_ok(),
            Piece::Any(Token::User) => true,
            // A host contains no `@`: ssh takes everything before the last one as the user.
            _ => !text.contains('@'),
        };
        if !is_possible || slot.is_some_and(|before| before != text) {
            return None;
        }
        *slot = Some(text);
        Some(self)
    }
}
