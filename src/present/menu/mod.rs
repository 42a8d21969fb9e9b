//! What the tray shows, as data: the summary, the icon, and a menu whose entries hold an [`Intent`].
//!
//! A view is compared before it is drawn: no change, no redraw. However many sockets there are, the menu stays one
//! that a person reads and that is drawn at once: what is too much is folded, and counted.

mod fold;
mod problems;
mod settings;
mod socket_rows;

use std::collections::BTreeMap;

use tr::tr;

use crate::decide::intent::{Intent, SessionConsent};
use crate::decide::is_cleaned_with_all;
use crate::decide::opening::Openable;
use crate::model::finding::{Finding, Severity};
use crate::model::fix::Fix;
use crate::model::socket::{Snapshot, Socket, Target};
use crate::model::text;
use fold::{Fold, Row};
use problems::problems_menu;
use socket_rows::socket_menu;

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
    /// A row with a check mark, which shows what is true and not what was clicked.
    Check {
        /// As for items.
        key: String,
        /// The text.
        label: String,
        /// Whether the mark is there.
        checked: bool,
        /// As for items.
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
pub fn view(snapshot: &Snapshot, answers: &Answers, openable: &[Openable]) -> TrayView {
    let summary = summary(snapshot);
    let mut menu = vec![Entry::text("summary", summary.clone()), Entry::Separator];
    menu.extend(fold::rows(&snapshot.sockets).iter().map(|row| match row {
        Row::One(socket) => socket_menu(socket, answers),
        Row::Fold(fold) => fold_menu(fold, answers),
    }));
    if !snapshot.sockets.is_empty() {
        menu.push(Entry::Separator);
    }
    let mut actions: Vec<Entry> = open_menu(openable).into_iter().collect();
    if !snapshot.sockets.is_empty() {
        actions.extend(actions_on_all(snapshot));
    }
    if !actions.is_empty() {
        menu.extend(actions);
        menu.push(Entry::Separator);
    }
    if !snapshot.findings.is_empty() {
        menu.push(problems_menu(&snapshot.findings));
        menu.push(Entry::Separator);
    }
    menu.push(Entry::item("about", tr!("About"), Intent::About));
    menu.push(Entry::item("quit", tr!("Quit"), Intent::Quit));
    TrayView {
        icon: icon(snapshot),
        summary,
        menu,
    }
}

/// The view before the first look has come back.
#[must_use]
pub fn starting() -> TrayView {
    let summary = tr!("Looking for control sockets");
    let menu = vec![
        Entry::text("summary", summary.clone()),
        Entry::Separator,
        Entry::item("about", tr!("About"), Intent::About),
        Entry::item("quit", tr!("Quit"), Intent::Quit),
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
        tr!("no masters")
    } else {
        text::masters(masters)
    };
    match problem_count(snapshot) {
        0 => masters,
        problems => tr!(
            "{masters}, {problems}",
            masters,
            problems = text::problems(problems)
        ),
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

/// One row for many sockets of a kind; below it their own rows, as far as a person reads on.
fn fold_menu(fold: &Fold<'_>, answers: &Answers) -> Entry {
    let mut entries = Vec::new();
    let cleanable = cleaned_with_all(fold.sockets.iter().copied());
    if !cleanable.is_empty() {
        let label = tr!("Clean these {n}", n = cleanable.len());
        entries.push(Entry::item("clean-all", label, Intent::CleanAll(cleanable)));
        entries.push(Entry::Separator);
    }
    let (listed, unlisted) = fold.listed();
    entries.extend(listed.iter().map(|socket| socket_menu(socket, answers)));
    if unlisted > 0 {
        let label = tr!(
            "\u{2026} {n} more: {command}",
            n = unlisted,
            command = "muxtray list"
        );
        entries.push(Entry::text("more", label));
    }
    let kind = fold.kind;
    let (mark, problem) = if kind.is_problem {
        (PROBLEM, "problem ")
    } else {
        ("\u{2026}", "")
    };
    let (n, state) = (fold.sockets.len(), fold.word());
    let many = if fold.are_more {
        tr!("{n} more {state}", n, state)
    } else {
        // Translators: so many sockets of a state: "480 stale".
        tr!("{n} {state}", n, state)
    };
    Entry::Submenu {
        key: format!("fold {problem}{}", kind.state),
        label: format!("{mark} {many}"),
        entries,
    }
}

fn actions_on_all(snapshot: &Snapshot) -> Vec<Entry> {
    let masters: Vec<&Socket> = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.is_running() && socket.managed_by.is_none())
        .collect();
    let cleanable = cleaned_with_all(&snapshot.sockets);
    let mut entries = Vec::new();
    if masters.is_empty() {
        entries.push(Entry::text("check-all", tr!("Check all: no masters")));
    } else {
        entries.push(Entry::item("check-all", tr!("Check all"), Intent::CheckAll));
    }
    let stale = cleanable.len();
    if cleanable.is_empty() {
        entries.push(Entry::text("clean-all", tr!("Clean: no stale sockets")));
    } else {
        let label = tr!("Clean {n} stale socket" | "Clean {n} stale sockets" % stale);
        entries.push(Entry::item("clean-all", label, Intent::CleanAll(cleanable)));
    }
    if masters.is_empty() {
        entries.push(Entry::text("exit-all", tr!("Exit all masters: no masters")));
    } else {
        let each: Vec<(Target, SessionConsent)> = masters
            .iter()
            .map(|socket| {
                (
                    socket.target(),
                    SessionConsent::to_close(socket.sessions_at_stake()),
                )
            })
            .collect();
        let sessions = masters
            .iter()
            .filter_map(|socket| socket.sessions_at_stake())
            .sum::<u32>();
        let exit = tr!("Exit {n} master now" | "Exit {n} masters now" % each.len());
        let exit = match sessions {
            0 => exit,
            sessions => tr!(
                "{exit}, closing {n} session" | "{exit}, closing {n} sessions" % sessions,
                exit
            ),
        };
        let label = if stale > 0 {
            tr!(
                "{exit}; clean {n} stale socket" | "{exit}; clean {n} stale sockets" % stale,
                exit
            )
        } else {
            exit
        };
        entries.push(Entry::Submenu {
            key: "exit-all-menu".to_owned(),
            label: tr!("Exit all masters"),
            entries: vec![Entry::item("exit-all-now", label, Intent::Reset(each))],
        });
    }
    entries
}

/// So many hosts fit a menu.
const OPENABLE: usize = 20;

/// The hosts without a master, each to be opened; nothing where no host multiplexes, or every one has a master.
fn open_menu(openable: &[Openable]) -> Option<Entry> {
    if openable.is_empty() {
        return None;
    }
    let row = |host: &Openable| {
        let key = format!("open {}", host.alias.0);
        let alias = text::line(&host.alias.0);
        if host.is_opening {
            Entry::text(&key, tr!("{host}: opening\u{2026}", host = alias))
        } else {
            let intent = Intent::Open {
                host: host.alias.clone(),
                consent: SessionConsent::NONE,
            };
            Entry::item(&key, alias, intent)
        }
    };
    // A line that stands for one would take the room of that one.
    let listed = if openable.len() > OPENABLE + 1 {
        OPENABLE
    } else {
        openable.len()
    };
    let mut entries: Vec<Entry> = openable[..listed].iter().map(row).collect();
    if listed < openable.len() {
        let more = openable.len() - listed;
        let label = tr!(
            "\u{2026} {n} more: {command}",
            n = more,
            command = "muxtray open HOST"
        );
        entries.push(Entry::text("more", label));
    }
    Some(Entry::Submenu {
        key: "open-menu".to_owned(),
        label: tr!("Open master"),
        entries,
    })
}

/// What "all" would clean of these.
fn cleaned_with_all<'a>(sockets: impl IntoIterator<Item = &'a Socket>) -> Vec<Target> {
    let cleaned = sockets
        .into_iter()
        .filter(|socket| is_cleaned_with_all(socket));
    cleaned.map(Socket::target).collect()
}

/// The mark of a problem.
const PROBLEM: &str = "\u{25b2}";

/// The mark before a socket's name, in menu and table: a problem differs in shape, not in colour only.
#[must_use]
pub fn mark(socket: &Socket) -> &'static str {
    if socket.is_problem() {
        PROBLEM
    } else {
        "\u{25cf}"
    }
}

/// What was seen and what to do, as rows, and the remedy itself to click: carried out where that is safe, else to be
/// copied. The number keeps their keys apart.
fn remark(number: usize, finding: &Finding) -> Vec<Entry> {
    let mut entries = vec![Entry::text(
        &format!("evidence-{number}"),
        text::sentence(&finding.evidence),
    )];
    entries.push(Entry::text(
        &format!("remedy-{number}"),
        text::remedy(&finding.remedy),
    ));
    match (&finding.fix, &finding.command) {
        // The socket has a row for that.
        (Some(Fix::Clean { .. }), _) => {}
        (Some(fix), _) => entries.push(Entry::item(
            &format!("fix-{number}"),
            fix.label(),
            Intent::Mend(fix.clone()),
        )),
        // What muxtray can do it has a row for.
        (None, Some(command)) if !command.starts_with("muxtray ") => entries.push(Entry::item(
            &format!("copy-command-{number}"),
            tr!("Copy command"),
            Intent::CopyText(command.clone()),
        )),
        (None, _) => {}
    }
    if !finding.lines.is_empty() {
        entries.push(Entry::item(
            &format!("copy-lines-{number}"),
            tr!("Copy lines for ssh_config"),
            Intent::CopyText(format!("{}\n", finding.lines.join("\n"))),
        ));
    }
    entries
}

#[cfg(test)]
mod tests;
