//! The tray icon and its menu as data. Views are compared, and drawn only when they differ.

mod entry;
mod fold;
mod problems;
mod settings;
mod socket_rows;

use std::collections::BTreeMap;

use tr::tr;

pub use entry::{Entry, Icon, TrayView};

use super::summary::{PROBLEM_MARK, problem_count, summary};
use crate::decide::intent::{Intent, SessionConsent};
use crate::decide::is_cleaned_with_all;
use crate::decide::opening::Openable;
use crate::model::socket::{Snapshot, Socket, Target};
use crate::model::text;
use fold::{Fold, Row};
use problems::problems_menu;
use socket_rows::socket_menu;

/// The result of the last alive check of each target, in a few words.
pub type Answers = BTreeMap<Target, String>;

#[must_use]
pub fn view(snapshot: &Snapshot, answers: &Answers, openable: &[Openable]) -> TrayView {
    let summary = summary(snapshot);
    let mut menu = vec![Entry::text("summary", summary.clone()), Entry::Separator];
    menu.extend(fold::rows(&snapshot.sockets).iter().map(|row| match row {
        Row::One(socket) => socket_menu(socket, answers.get(&socket.target())),
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

/// The view before the first scan.
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

fn icon(snapshot: &Snapshot) -> Icon {
    if problem_count(snapshot) > 0 {
        Icon::Attention
    } else if snapshot.sockets.iter().any(Socket::is_running) {
        Icon::Running
    } else {
        Icon::Idle
    }
}

/// Returns one row for many sockets with the same state, and below it rows for some of them.
fn fold_menu(fold: &Fold<'_>, answers: &Answers) -> Entry {
    let mut entries = Vec::new();
    let cleanable = cleaned_with_all(fold.sockets.iter().copied());
    if !cleanable.is_empty() {
        let label = tr!("Clean these {n}", n = cleanable.len());
        entries.push(Entry::item("clean-all", label, Intent::CleanAll(cleanable)));
        entries.push(Entry::Separator);
    }
    let (listed, unlisted) = fold.listed();
    entries.extend(
        listed
            .iter()
            .map(|socket| socket_menu(socket, answers.get(&socket.target()))),
    );
    if unlisted > 0 {
        let label = tr!(
            "\u{2026} {n} more: {command}",
            n = unlisted,
            command = "muxtray list"
        );
        entries.push(Entry::text("more", label));
    }
    let category = fold.category;
    let (mark, problem) = if category.is_problem {
        (PROBLEM_MARK, "problem ")
    } else {
        ("\u{2026}", "")
    };
    let (n, state) = (fold.sockets.len(), fold.word());
    let many = if fold.are_more {
        tr!("{n} more {state}", n, state)
    } else {
        // Translators: a number of sockets and their state: "480 stale".
        tr!("{n} {state}", n, state)
    };
    let key = format!("fold {problem}{}", category.state);
    Entry::submenu(key, format!("{mark} {many}"), entries)
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
        let now = vec![Entry::item("exit-all-now", label, Intent::Reset(each))];
        entries.push(Entry::submenu(
            "exit-all-menu",
            tr!("Exit all masters"),
            now,
        ));
    }
    entries
}

/// The number of hosts in the submenu Open master.
const OPENABLE: usize = 20;

/// Returns the submenu of the hosts without a master, if there are any.
fn open_menu(openable: &[Openable]) -> Option<Entry> {
    if openable.is_empty() {
        return None;
    }
    let row = |host: &Openable| {
        let key = format!("open {}", host.alias.0);
        let alias = text::line(&host.alias.0);
        if host.is_opening {
            Entry::text(key, tr!("{host}: opening\u{2026}", host = alias))
        } else {
            let intent = Intent::Open {
                host: host.alias.clone(),
                consent: SessionConsent::NONE,
            };
            Entry::item(key, alias, intent)
        }
    };
    // The row "1 more" would be as long as that one.
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
    Some(Entry::submenu("open-menu", tr!("Open master"), entries))
}

fn cleaned_with_all<'a>(sockets: impl IntoIterator<Item = &'a Socket>) -> Vec<Target> {
    let cleaned = sockets
        .into_iter()
        .filter(|socket| is_cleaned_with_all(socket));
    cleaned.map(Socket::target).collect()
}

#[cfg(test)]
mod tests;
