//! The report as text: a table a person likes to read, problems first, each with its remedy under it.
//!
//! It makes lines of styled pieces; the terminal paints them, the details window shows them plain.

use std::time::SystemTime;

use tr::tr;
use unicode_width::UnicodeWidthStr as _;

use super::menu::{mark, summary};
use crate::model::finding::{Finding, Severity};
use crate::model::socket::{Snapshot, Socket};
use crate::model::text;

/// How a piece of text is meant. Colour only ever repeats what the words and marks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// Column heads.
    Head,
    /// Less important.
    Dim,
    /// A running master.
    Good,
    /// An info finding.
    Info,
    /// A warning.
    Warning,
    /// An error.
    Error,
    /// What to do.
    Remedy,
}

/// One line: pieces of text, each in one style.
pub type Line = Vec<(Style, String)>;

const MARGIN: &str = "  ";
const GAP: &str = "  ";

/// The whole report. `home` is shortened to `~` in paths, as ssh reads it back.
#[must_use]
pub fn report(snapshot: &Snapshot, home: Option<&std::path::Path>) -> Vec<Line> {
    let mut lines = Vec::new();
    if !snapshot.sockets.is_empty() {
        lines.extend(sockets(snapshot, home));
    }
    for finding in &snapshot.findings {
        let style = style_of(Some(finding.severity));
        lines.push(vec![
            (style, "\u{25b2} ".to_owned()),
            (Style::Plain, finding.subject.clone()),
            (style, format!("  {}", finding.id.as_str())),
        ]);
        lines.extend(under(finding));
    }
    if !lines.is_empty() {
        lines.push(Vec::new());
    }
    lines.push(vec![(Style::Dim, summary(snapshot))]);
    lines
}

/// One socket, whole: what the details window shows.
#[must_use]
pub fn details(socket: &Socket, at: SystemTime) -> Vec<Line> {
    let row = |name: String, value: String| vec![(Style::Dim, name), (Style::Plain, value)];
    let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let mut lines = vec![
        row(tr!("state"), socket.state.name().to_owned()),
        row(tr!("path"), socket.path.to_string()),
        row(
            tr!("destination"),
            known(socket.destination.as_ref().map(ToString::to_string)),
        ),
        row(tr!("pid"), known(socket.pid.map(|pid| pid.0.to_string()))),
        row(
            tr!("sessions"),
            known(socket.sessions.map(|sessions| sessions.to_string())),
        ),
        row(
            tr!("owner"),
            known(socket.owner.as_ref().map(ToString::to_string)),
        ),
        row(
            tr!("mode"),
            known(socket.mode.map(|mode| format!("{mode:04o}"))),
        ),
        row(tr!("age"), age(socket, at)),
    ];
    if let Some(program) = socket.managed_by {
        lines.push(row(tr!("managed by"), program.to_string()));
    }
    let name_of = |line: &Line| line.first().map_or(0, |(_, name)| name.width());
    let width = lines.iter().map(name_of).max().unwrap_or(0);
    for (_, name) in lines.iter_mut().filter_map(|line| line.first_mut()) {
        *name = format!("{} ", pad(name, width));
    }
    for finding in &socket.findings {
        lines.push(Vec::new());
        lines.push(vec![(
            style_of(Some(finding.severity)),
            finding.id.as_str().to_owned(),
        )]);
        lines.extend(under(finding));
    }
    lines
}

/// The lines without their styles.
#[must_use]
pub fn plain(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        for (_, piece) in line {
            text.push_str(piece);
        }
        text.push('\n');
    }
    text
}

fn sockets(snapshot: &Snapshot, home: Option<&std::path::Path>) -> Vec<Line> {
    let rows: Vec<[String; 6]> = snapshot
        .sockets
        .iter()
        .map(|socket| cells(socket, snapshot.at, home))
        .collect();
    let heads = [
        tr!("table" => "HOST"),
        tr!("table" => "STATE"),
        tr!("table" => "SESSIONS"),
        tr!("table" => "PID"),
        tr!("table" => "AGE"),
        tr!("table" => "PATH"),
    ];
    let widths: [usize; 6] = std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].width())
            .chain([heads[column].width()])
            .max()
            .unwrap_or(0)
    });
    let mut lines = vec![vec![(
        Style::Head,
        format!("{MARGIN}{}", join(&heads, &widths)),
    )]];
    for (socket, row) in snapshot.sockets.iter().zip(&rows) {
        let style = style_of(socket.worst());
        let [host, state, rest @ ..] = row;
        lines.push(vec![
            (style, format!("{} ", mark(socket))),
            (Style::Plain, format!("{}{GAP}", pad(host, widths[0]))),
            (style, format!("{}{GAP}", pad(state, widths[1]))),
            (Style::Plain, join(rest, &widths[2..])),
        ]);
        for finding in &socket.findings {
            lines.extend(under(finding));
        }
    }
    lines
}

fn cells(socket: &Socket, at: SystemTime, home: Option<&std::path::Path>) -> [String; 6] {
    let unknown = || "-".to_owned();
    let managed = socket
        .managed_by
        .map_or_else(String::new, |program| format!(" ({program})"));
    // A path stands in the last column already.
    let named = !socket.hosts.is_empty() || socket.destination.is_some();
    [
        if named {
            format!("{}{managed}", socket.title())
        } else {
            format!("-{managed}")
        },
        socket.state.name().to_owned(),
        socket
            .sessions
            .map_or_else(unknown, |sessions| sessions.to_string()),
        socket.pid.map_or_else(unknown, |pid| pid.0.to_string()),
        age(socket, at),
        shortened(socket, home),
    ]
}

fn shortened(socket: &Socket, home: Option<&std::path::Path>) -> String {
    match home.and_then(|home| socket.path.as_path().strip_prefix(home).ok()) {
        Some(rest) => format!("~/{}", text::path(rest)),
        None => socket.path.to_string(),
    }
}

fn age(socket: &Socket, at: SystemTime) -> String {
    let age = socket.since.and_then(|since| at.duration_since(since).ok());
    age.map_or_else(|| "-".to_owned(), text::duration)
}

fn under(finding: &Finding) -> [Line; 2] {
    [
        vec![(Style::Plain, format!("    {}", finding.evidence))],
        vec![(Style::Remedy, format!("    \u{2192} {}", finding.remedy))],
    ]
}

const fn style_of(severity: Option<Severity>) -> Style {
    match severity {
        None => Style::Good,
        Some(Severity::Info) => Style::Info,
        Some(Severity::Warning) => Style::Warning,
        Some(Severity::Error) => Style::Error,
    }
}

/// Columns beside each other; nothing after the last, so that no line ends in blanks.
fn join(cells: &[String], widths: &[usize]) -> String {
    let last = cells.len().saturating_sub(1);
    let mut line = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if column == last {
            line.push_str(cell);
        } else {
            line.push_str(&pad(cell, *width));
            line.push_str(GAP);
        }
    }
    line
}

fn pad(cell: &str, width: usize) -> String {
    format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
}

#[cfg(test)]
mod tests;
