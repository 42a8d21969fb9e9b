//! The one-line outputs of `muxtray list --format` for bars and prompts.

use std::fmt::Write as _;
use std::str::FromStr;

use serde_json::json;

use super::menu::{Icon, icon};
use super::summary::{mark, problem_count, summary};
use crate::model::socket::{Snapshot, Socket};
use crate::model::state;
use crate::model::text;

/// The object that waybar's custom modules read (waybar-custom(5), `return-type: json`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waybar {
    /// The number of masters, and of problems behind a `!`; empty without either, so that the module is hidden.
    pub text: String,
    pub tooltip: String,
    /// `none`, `running` or `attention`, as the looks of the tray icon.
    pub class: &'static str,
}

impl From<&Snapshot> for Waybar {
    fn from(snapshot: &Snapshot) -> Self {
        let masters = masters(snapshot);
        let problems = problem_count(snapshot);
        let mut words = Vec::new();
        if masters > 0 {
            words.push(masters.to_string());
        }
        if problems > 0 {
            words.push(format!("!{problems}"));
        }
        let mut tooltip = summary(snapshot);
        for socket in &snapshot.sockets {
            let (mark, name, state) = (mark(socket), socket.title(), socket.state.word());
            let _ = write!(tooltip, "\n{mark} {name}: {state}");
        }
        for finding in &snapshot.findings {
            let _ = write!(tooltip, "\n{}: {}", finding.subject, finding.id.title());
        }
        Self {
            text: words.join(" "),
            tooltip: escape_markup(&tooltip),
            class: class(snapshot),
        }
    }
}

impl Waybar {
    /// One line of JSON without its end.
    pub fn line(&self) -> String {
        let Self {
            text,
            tooltip,
            class,
        } = self;
        // `format-icons` reads `alt`.
        json!({ "text": text, "tooltip": tooltip, "class": class, "alt": class }).to_string()
    }
}

/// waybar reads texts as Pango markup.
fn escape_markup(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    escaped.replace('>', "&gt;")
}

fn class(snapshot: &Snapshot) -> &'static str {
    match icon(snapshot) {
        Icon::Idle => "none",
        Icon::Running => "running",
        Icon::Attention => "attention",
    }
}

fn masters(snapshot: &Snapshot) -> usize {
    let sockets = snapshot.sockets.iter();
    sockets.filter(|socket| socket.is_running()).count()
}

/// A line with values in braces: `'{running} {problems}'`. `{{` and `}}` are braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(&'static str),
}

type Value = (&'static str, fn(&Snapshot) -> String);

/// The values beside the states, which are the numbers of sockets in them.
const VALUES: &[Value] = &[
    ("masters", |snapshot| masters(snapshot).to_string()),
    ("problems", |snapshot| problem_count(snapshot).to_string()),
    ("sockets", |snapshot| snapshot.sockets.len().to_string()),
    ("sessions", |snapshot| {
        let sessions = snapshot.sockets.iter().filter_map(|socket| socket.sessions);
        sessions.sum::<u32>().to_string()
    }),
    ("hosts", |snapshot| {
        let running = snapshot.sockets.iter().filter(|socket| socket.is_running());
        text::list(running.map(Socket::title))
    }),
    ("summary", summary),
    ("class", |snapshot| class(snapshot).to_owned()),
];

/// The names of all values, for the help.
pub fn value_names() -> impl Iterator<Item = &'static str> {
    let states = state::table().map(|row| row.name);
    VALUES.iter().map(|(name, _)| *name).chain(states)
}

impl FromStr for Template {
    type Err = String;

    fn from_str(template: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = template;
        while let Some(brace) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(brace);
            literal += before;
            let doubled = ["{{", "}}"]
                .iter()
                .find(|two| from_brace.starts_with(**two));
            if let Some(two) = doubled {
                literal += &two[1..];
                rest = &from_brace[2..];
                continue;
            }
            let name = from_brace
                .strip_prefix('{')
                .and_then(|from| from.split_once('}'));
            let Some((name, after)) = name else {
                return Err("a brace without its partner; double a brace to print it".to_owned());
            };
            let Some(name) = value_names().find(|known| *known == name) else {
                let names: Vec<_> = value_names().collect();
                return Err(format!("no value {{{name}}}; known: {}", names.join(", ")));
            };
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
            pieces.push(Piece::Value(name));
            rest = after;
        }
        literal += rest;
        pieces.push(Piece::Text(literal));
        Ok(Self(pieces))
    }
}

impl Template {
    /// One line without its end.
    pub fn line(&self, snapshot: &Snapshot) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value(name) => value(name, snapshot),
        };
        self.0.iter().map(piece).collect()
    }
}

fn value(name: &str, snapshot: &Snapshot) -> String {
    match VALUES.iter().find(|(known, _)| *known == name) {
        Some((_, value)) => value(snapshot),
        // The name of a state.
        None => {
            let sockets = snapshot.sockets.iter();
            let in_state = sockets.filter(|socket| socket.state.name() == name);
            in_state.count().to_string()
        }
    }
}
