//! Reads a path backwards: from a name to the user, host and port in its template. All readings are tried up to a limit, and only
//! their common result counts, because a wrong destination is worse than none.

use std::str;

use super::destination::Destination;
use super::path::ControlPath;
use super::pattern::{Component, Pattern, Piece, Token};

/// The limit of the search. Real templates need some dozens of steps.
const MAX_STEPS: u32 = 20_000;

/// The values of the tokens in one reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Reading<'a> {
    host_name: Option<&'a str>,
    alias: Option<&'a str>,
    key_alias: Option<&'a str>,
    user: Option<&'a str>,
    port: Option<u16>,
}

/// The common result of all readings so far.
#[derive(Debug, Default)]
enum Verdict {
    #[default]
    NoReading,
    Agreed(Destination),
    /// Two readings have different hosts, or there are too many.
    Undecided,
}

struct Search<'a> {
    components: &'a [Component],
    names: &'a [&'a [u8]],
    steps_left: u32,
    verdict: Verdict,
}

impl Pattern {
    /// Returns the destination of the master at this path from the tokens of the template.
    ///
    /// The host is `%h`, or else `%k`, or else `%n`; `None` without one of them, if the path does not match, or if readings
    /// differ in the host. A user or port in which readings differ is `None`.
    #[must_use]
    pub fn captures(&self, path: &ControlPath) -> Option<Destination> {
        let names: Vec<&[u8]> = self.names_below_root(path)?.collect();
        destination(&self.components, &names)
    }
}

fn destination(components: &[Component], names: &[&[u8]]) -> Option<Destination> {
    let has_host = components
        .iter()
        .flat_map(|component| &component.pieces)
        .any(|piece| {
            matches!(
                piece,
                Piece::Any(Token::HostName | Token::KeyAlias | Token::Alias)
            )
        });
    let matched = components
        .iter()
        .zip(names)
        .all(|(component, name)| component.matches(name));
    if !has_host || !matched {
        return None;
    }
    let mut search = Search {
        components,
        names,
        steps_left: MAX_STEPS,
        verdict: Verdict::NoReading,
    };
    search.read(0, 0, 0, Reading::default());
    match search.verdict {
        Verdict::Agreed(destination) => Some(destination),
        Verdict::NoReading | Verdict::Undecided => None,
    }
}

impl<'a> Search<'a> {
    fn read(&mut self, part: usize, piece: usize, position: usize, reading: Reading<'a>) {
        if matches!(self.verdict, Verdict::Undecided) {
            return;
        }
        let Some(left) = self.steps_left.checked_sub(1) else {
            self.verdict = Verdict::Undecided;
            return;
        };
        self.steps_left = left;
        let Some(component) = self.components.get(part) else {
            self.settle(&reading);
            return;
        };
        let name: &'a [u8] = self.names[part];
        let Some(current) = component.pieces.get(piece) else {
            if position == name.len() {
                self.read(part + 1, 0, 0, reading);
            }
            return;
        };
        let rest = &name[position..];
        let (shortest, longest) = current.lengths(rest);
        let next = component.pieces.get(piece + 1);
        for length in shortest..=longest {
            // Skips most lengths: the following literal text is not there.
            if matches!(next, Some(Piece::Literal(text)) if !rest[length..].starts_with(text)) {
                continue;
            }
            if let Some(reading) = reading.with(current, &rest[..length]) {
                self.read(part, piece + 1, position + length, reading);
            }
        }
    }

    fn settle(&mut self, reading: &Reading<'a>) {
        let Some(host) = reading.host_name.or(reading.key_alias).or(reading.alias) else {
            return;
        };
        match &mut self.verdict {
            Verdict::NoReading => {
                self.verdict = Verdict::Agreed(Destination {
                    user: reading.user.map(str::to_owned),
                    host: host.to_owned(),
                    port: reading.port,
                });
            }
            Verdict::Agreed(agreed) if agreed.host == host => {
                if agreed.user.as_deref() != reading.user {
                    agreed.user = None;
                }
                if agreed.port != reading.port {
                    agreed.port = None;
                }
            }
            Verdict::Agreed(_) => self.verdict = Verdict::Undecided,
            Verdict::Undecided => {}
        }
    }
}

impl<'a> Reading<'a> {
    /// Adds the text of a piece. Returns `None` if the piece cannot stand for it, or had another value before.
    fn with(mut self, piece: &Piece, text: &'a [u8]) -> Option<Self> {
        match piece {
            Piece::Literal(_)
            | Piece::Hash
            | Piece::One
            | Piece::Class { .. }
            | Piece::Any(Token::Jump | Token::Star) => {}
            Piece::Any(Token::HostName) => fill(&mut self.host_name, host(text)?)?,
            Piece::Any(Token::Alias) => fill(&mut self.alias, host(text)?)?,
            Piece::Any(Token::KeyAlias) => fill(&mut self.key_alias, host(text)?)?,
            Piece::Any(Token::User) => fill(&mut self.user, str::from_utf8(text).ok()?)?,
            Piece::Port => fill(&mut self.port, port(text)?)?,
        }
        Some(self)
    }
}

fn fill<T: PartialEq>(slot: &mut Option<T>, value: T) -> Option<()> {
    match slot {
        Some(before) if *before != value => None,
        _ => {
            *slot = Some(value);
            Some(())
        }
    }
}

/// A host contains no `@`: ssh takes everything before the last one as the user.
fn host(text: &[u8]) -> Option<&str> {
    str::from_utf8(text).ok().filter(|text| !text.contains('@'))
}

/// ssh prints ports without a leading zero.
fn port(text: &[u8]) -> Option<u16> {
    str::from_utf8(text)
        .ok()
        .filter(|text| !text.starts_with('0'))?
        .parse()
        .ok()
}
