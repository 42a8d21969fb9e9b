//! Reading a path backwards: from a name to the user, host and port its template was filled with.
//!
//! All readings are tried, within a bound, and only what they agree on is told: a wrong destination would be worse
//! than none.

use std::str;

use super::destination::Destination;
use super::path::ControlPath;
use super::pattern::{Component, Pattern, Piece, Token};

/// Steps after which a name counts as unreadable. Real templates need some dozens.
const MAX_STEPS: u32 = 20_000;

/// What the tokens stand for in one reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Reading<'a> {
    host_name: Option<&'a str>,
    alias: Option<&'a str>,
    key_alias: Option<&'a str>,
    user: Option<&'a str>,
    port: Option<u16>,
}

/// What all readings so far agree on.
#[derive(Debug, Default)]
enum Verdict {
    #[default]
    NoReading,
    Agreed(Destination),
    /// Two readings name different hosts, or there were too many to try.
    Undecided,
}

struct Search<'a> {
    components: &'a [Component],
    names: &'a [&'a [u8]],
    steps_left: u32,
    verdict: Verdict,
}

impl Pattern {
    /// Where the master at this path leads, as far as the pattern's tokens tell and only one reading is possible.
    ///
    /// The host is `%h`, or else `%k`, or else `%n`; `None` without one of them, where the path does not match, or
    /// where the path can be read as different hosts. A user or port that could be read in two ways is `None`.
    #[must_use]
    pub fn captures(&self, path: &ControlPath) -> Option<Destination> {
        let names: Vec<&[u8]> = self.names_below_root(path)?.collect();
        destination(&self.components, &names)
    }
}

fn destination(components: &[Component], names: &[&[u8]]) -> Option<Destination> {
    let tells_host = components
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
    if !tells_host || !matched {
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
            // Most lengths end where the text that has to follow does not stand: not worth a reading.
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
    /// The reading in which the piece stands for the text; `None` where it cannot, or differs from what the same
    /// token stood for before.
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

/// A host cannot hold an `@`: ssh takes all before the last one as the user.
fn host(text: &[u8]) -> Option<&str> {
    str::from_utf8(text).ok().filter(|text| !text.contains('@'))
}

/// A port as ssh prints it: no leading zero.
fn port(text: &[u8]) -> Option<u16> {
    str::from_utf8(text)
        .ok()
        .filter(|text| !text.starts_with('0'))?
        .parse()
        .ok()
}
