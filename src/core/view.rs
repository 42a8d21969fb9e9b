//! What the tray shows, as data: the summary, the icon, and a menu whose entries hold an [`Intent`].
//!
//! A view is compared before it is drawn: no change, no redraw.

use std::collections::BTreeMap;

use super::decide::{headline, is_cleaned_with_all};
use super::ending;
use super::finding::{Finding, Severity};
use super::intent::Intent;
use super::socket::{Snapshot, Socket, State, Target};
use super::text;

/// Everything the tray shows at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayView {
    /// Which of the three looks the icon has.
    pub icon: Icon,
    /// One line: "3 masters, 1 problem".
    pub summary: String,
    /// The menu, from top to bottom.
    pub menu: Vec<Entry>,
}

/// The icon's looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icon {
    /// No master.
    Idle,
    /// Masters are running.
    Running,
    /// Something needs a person.
    Attention,
}

/// One row of a menu. Labels are plain printable text: no mnemonics, no markup; whoever draws them escapes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A line.
    Separator,
    /// A row that does something, or says something when it has no intent: then it is drawn disabled.
    Item {
        /// What stays the same while labels change, so that a row is updated in place: unique among its siblings.
        key: String,
        /// The text.
        label: String,
        /// What a click asks for; `None`: the row is disabled.
        intent: Option<Intent>,
    },
    /// A row that opens more rows.
    Submenu {
        /// As for items.
        key: String,
        /// The text.
        label: String,
        /// The rows.
        entries: Vec<Entry>,
    },
}

impl Entry {
    fn item(key: &str, label: impl Into<String>, intent: Intent) -> Self {
        Self::Item {
            key: key.to_owned(),
            label: label.into(),
            intent: Some(intent),
        }
    }

    fn text(key: &str, label: impl Into<String>) -> Self {
        Self::Item {
            key: key.to_owned(),
            label: label.into(),
            intent: None,
        }
    }
}

/// What the last alive check of a target said, in a few words.
pub type Answers = BTreeMap<Target, String>;

/// The view of a snapshot.
#[must_use]
pub fn view(snapshot: &Snapshot, answers: &Answers) -> TrayView {
    let summary = summary(snapshot);
    let mut menu = vec![Entry::text("summary", summary.clone()), Entry::Separator];
    menu.extend(
        snapshot
            .sockets
            .iter()
            .map(|socket| socket_menu(socket, answers)),
    );
    if !snapshot.sockets.is_empty() {
        menu.push(Entry::Separator);
        menu.extend(actions_on_all(snapshot));
        menu.push(Entry::Separator);
    }
    if !snapshot.findings.is_empty() {
        menu.push(problems_menu(&snapshot.findings));
        menu.push(Entry::Separator);
    }
    menu.push(Entry::item("about", "About", Intent::About));
    menu.push(Entry::item("quit", "Quit", Intent::Quit));
    TrayView {
        icon: icon(snapshot),
        summary,
        menu,
    }
}

/// The view before the first look has come back.
#[must_use]
pub fn starting() -> TrayView {
    let summary = "Looking for control sockets".to_owned();
    let menu = vec![
        Entry::text("summary", summary.clone()),
        Entry::Separator,
        Entry::item("about", "About", Intent::About),
        Entry::item("quit", "Quit", Intent::Quit),
    ];
    TrayView {
        icon: Icon::Idle,
        summary,
        menu,
    }
}

/// "3 masters, 1 problem": the same line in the menu, the table and the icon's title.
#[must_use]
pub fn summary(snapshot: &Snapshot) -> String {
    let masters = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.is_running())
        .count();
    let masters = if masters == 0 {
        "no masters".to_owned()
    } else {
        text::count(masters, "master")
    };
    match problem_count(snapshot) {
        0 => masters,
        problems => format!("{masters}, {}", text::count(problems, "problem")),
    }
}

fn problem_count(snapshot: &Snapshot) -> usize {
    let sockets = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.is_problem())
        .count();
    sockets
        + snapshot
            .findings
            .iter()
            .filter(|finding| finding.severity >= Severity::Warning)
            .count()
}

fn icon(snapshot: &Snapshot) -> Icon {
    if problem_count(snapshot) > 0 {
        Icon::Attention
    } else if snapshot.sockets.iter().any(Socket::is_running) {
        Icon::Running
    } else {
        Icon::Idle
    }
}

fn socket_menu(socket: &Socket, answers: &Answers) -> Entry {
    let target = socket.target();
    let mut entries = Vec::new();
    for (number, finding) in socket.findings.iter().enumerate() {
        entries.push(Entry::text(
            &format!("evidence-{number}"),
            sentence(&finding.evidence),
        ));
        entries.push(Entry::text(
            &format!("remedy-{number}"),
            format!("\u{2192} {}", finding.remedy),
        ));
    }
    if let Some(answer) = answers.get(&target) {
        entries.push(Entry::text("answer", answer.clone()));
    }
    if !entries.is_empty() {
        entries.push(Entry::Separator);
    }
    match cannot_ask(&socket.state) {
        None => {
            entries.push(Entry::item("check", "Check", Intent::Check(target.clone())));
            entries.push(exit(socket));
            entries.push(Entry::item(
                "stop",
                "Stop accepting sessions",
                Intent::Stop(target.clone()),
            ));
        }
        Some(why) => {
            entries.push(Entry::text("check", format!("Check: {why}")));
            entries.push(Entry::text("exit", format!("Exit: {why}")));
            entries.push(Entry::text(
                "stop",
                format!("Stop accepting sessions: {why}"),
            ));
        }
    }
    if ending::is_needed(&socket.state) {
        entries.push(end_process(socket));
    }
    if socket.state.is_cleanable() {
        entries.push(Entry::item("clean", "Clean", Intent::Clean(target)));
    }
    entries.push(Entry::Separator);
    if let (Some(destination), false) = (&socket.destination, socket.hosts.is_empty()) {
        entries.push(Entry::text("destination", destination.to_string()));
    }
    entries.push(Entry::text("path", socket.path.to_string()));
    entries.push(Entry::item(
        "copy",
        "Copy path",
        Intent::Copy(socket.path.as_path().to_owned()),
    ));
    Entry::Submenu {
        key: socket_key(socket),
        label: socket_label(socket),
        entries,
    }
}

/// Why a master cannot be asked anything, as a menu says it; `None` where it can.
fn cannot_ask(state: &State) -> Option<&'static str> {
    match state {
        // An unresponsive master may answer yet, and the deadline bounds the wait.
        State::Running | State::Suspect(_) | State::Stranded(_) | State::Unresponsive(_) => None,
        State::Stale | State::Leftover => Some("nobody listens"),
        State::Misowned(_) => Some("it is another user's"),
        State::Foreign(_) => Some("no ssh of yours listens"),
        State::NotASocket(_) => Some("it is not a socket"),
        State::Denied(_) => Some("no permission"),
        State::Orphaned { .. } => Some("its socket file is gone"),
        State::Unverifiable(_) => Some("nobody here listens"),
    }
}

fn exit(socket: &Socket) -> Entry {
    match socket.sessions_at_stake() {
        Some(0) => Entry::item(
            "exit",
            "Exit",
            Intent::Exit {
                target: socket.target(),
                closing: 0,
            },
        ),
        Some(sessions) => Entry::Submenu {
            key: "exit-closing".to_owned(),
            label: format!("Exit, closing {}", text::count(sessions, "session")),
            entries: vec![Entry::item(
                "exit-now",
                "Exit now",
                Intent::Exit {
                    target: socket.target(),
                    closing: sessions,
                },
            )],
        },
        None => Entry::Submenu {
            key: "exit-closing".to_owned(),
            label: "Exit, closing its sessions".to_owned(),
            entries: vec![Entry::item(
                "exit-now",
                "Exit now",
                Intent::Exit {
                    target: socket.target(),
                    closing: u32::MAX,
                },
            )],
        },
    }
}

/// What is left where a master cannot be asked.
fn end_process(socket: &Socket) -> Entry {
    let intent = |closing| Intent::EndProcess {
        target: socket.target(),
        closing,
    };
    // Without a number there is no listener in our table, and no proof of whose process it is: the error says so.
    match socket.sessions_at_stake() {
        None | Some(0) => Entry::item("end-process", "End process", intent(0)),
        Some(sessions) => Entry::Submenu {
            key: "end-process-closing".to_owned(),
            label: format!("End process, closing {}", text::count(sessions, "session")),
            entries: vec![Entry::item(
                "end-process-now",
                "End process now",
                intent(sessions),
            )],
        },
    }
}

fn actions_on_all(snapshot: &Snapshot) -> Vec<Entry> {
    let masters: Vec<&Socket> = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.is_running() && socket.managed_by.is_none())
        .collect();
    let cleanable: Vec<Target> = snapshot
        .sockets
        .iter()
        .filter(|socket| is_cleaned_with_all(socket))
        .map(Socket::target)
        .collect();
    let mut entries = Vec::new();
    if masters.is_empty() {
        entries.push(Entry::text("check-all", "Check all: no masters"));
    } else {
        entries.push(Entry::item("check-all", "Check all", Intent::CheckAll));
    }
    if cleanable.is_empty() {
        entries.push(Entry::text("clean-all", "Clean: no stale sockets"));
    } else {
        let label = format!("Clean {}", text::count(cleanable.len(), "stale socket"));
        entries.push(Entry::item("clean-all", label, Intent::CleanAll(cleanable)));
    }
    if masters.is_empty() {
        entries.push(Entry::text("exit-all", "Exit all masters: there are none"));
    } else {
        let each: Vec<(Target, u32)> = masters
            .iter()
            .map(|socket| {
                (
                    socket.target(),
                    socket.sessions_at_stake().unwrap_or(u32::MAX),
                )
            })
            .collect();
        let sessions = masters
            .iter()
            .filter_map(|socket| socket.sessions_at_stake())
            .sum();
        let masters = text::count(each.len(), "master");
        let label = match sessions {
            0 => format!("Exit {masters} now"),
            sessions => format!(
                "Exit {masters} now, closing {}",
                text::count(sessions, "session")
            ),
        };
        entries.push(Entry::Submenu {
            key: "exit-all-menu".to_owned(),
            label: "Exit all masters".to_owned(),
            entries: vec![Entry::item("exit-all-now", label, Intent::ExitAll(each))],
        });
    }
    entries
}

fn problems_menu(findings: &[Finding]) -> Entry {
    let mut entries = Vec::new();
    for (number, finding) in findings.iter().enumerate() {
        if number > 0 {
            entries.push(Entry::Separator);
        }
        let title = format!("{}: {}", finding.subject, headline(finding.id));
        entries.push(Entry::text(&format!("title-{number}"), title));
        entries.push(Entry::text(
            &format!("evidence-{number}"),
            sentence(&finding.evidence),
        ));
        entries.push(Entry::text(
            &format!("remedy-{number}"),
            format!("\u{2192} {}", finding.remedy),
        ));
    }
    Entry::Submenu {
        key: "problems".to_owned(),
        label: format!("Problems ({})", findings.len()),
        entries,
    }
}

fn socket_key(socket: &Socket) -> String {
    // An orphan shares its path with its successor.
    match (&socket.state, socket.cookie) {
        (State::Orphaned { .. }, Some(cookie)) => format!("orphan {} {}", cookie.0, socket.path),
        _ => format!("socket {}", socket.path),
    }
}

fn socket_label(socket: &Socket) -> String {
    let mark = mark(socket);
    let managed = socket
        .managed_by
        .map_or_else(String::new, |program| format!(" ({program})"));
    let sessions = match socket.sessions {
        Some(sessions) if sessions > 0 => format!(", {}", text::count(sessions, "session")),
        Some(_) | None => String::new(),
    };
    format!(
        "{mark} {}{managed} \u{2014} {}{sessions}",
        socket.title(),
        socket.state.name()
    )
}

/// The mark before a socket's name, in menu and table: a problem differs in shape, not in colour only.
#[must_use]
pub fn mark(socket: &Socket) -> &'static str {
    if socket.is_problem() {
        "\u{25b2}"
    } else {
        "\u{25cf}"
    }
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests;
