//! The tray icon and its menu as data. Views are compared, and drawn only when they differ.

mod entry;
mod fold;
mod forward_rows;
mod keep_rows;
mod problems;
mod settings;
mod socket_rows;

use std::ops::Add;

use tr::tr;

pub use entry::{Entry, Icon, TrayView};
pub use socket_rows::Answers;

use super::summary::{problem_count, summary};
use crate::decide::intent::{Intent, SessionConsent, masters_to_exit};
use crate::decide::is_cleaned_with_all;
use crate::decide::opening::Openable;
use crate::model::carried::Carried;
use crate::model::socket::{Snapshot, Socket, Target};
use crate::model::text;

use entry::shown_of;
use problems::problems_menu;

/// `can_show`: whether the tray can show details.
pub fn view(
    snapshot: &Snapshot,
    answers: &Answers,
    openable: &[Openable],
    can_show: bool,
) -> TrayView {
    let mut actions: Vec<Entry> = open_menu(openable).into_iter().collect();
    if !snapshot.sockets.is_empty() {
        actions.extend(actions_on_all(snapshot));
    }
    let problems = problems_menu(&snapshot.findings, can_show)
        .into_iter()
        .collect();
    let sockets = fold::rows(&snapshot.sockets, answers, snapshot.clock(), can_show);
    let sections = vec![sockets, actions, problems];
    tray_view(icon(snapshot), summary(snapshot), sections)
}

/// The view before the first scan.
pub fn starting() -> TrayView {
    tray_view(Icon::Idle, tr!("Looking for control sockets"), Vec::new())
}

fn tray_view(icon: Icon, summary: String, sections: Vec<Vec<Entry>>) -> TrayView {
    let mut menu = vec![Entry::text("summary", summary.clone()), Entry::Separator];
    for section in sections.into_iter().filter(|section| !section.is_empty()) {
        menu.extend(section);
        menu.push(Entry::Separator);
    }
    menu.push(Entry::item("about", tr!("About"), Intent::About));
    menu.push(Entry::item("quit", tr!("Quit"), Intent::Quit));
    TrayView {
        icon,
        summary,
        menu,
    }
}

pub(super) fn icon(snapshot: &Snapshot) -> Icon {
    if problem_count(snapshot) > 0 {
        Icon::Attention
    } else if snapshot.sockets.iter().any(Socket::is_running) {
        Icon::Running
    } else {
        Icon::Idle
    }
}

fn actions_on_all(snapshot: &Snapshot) -> [Entry; 3] {
    let masters = snapshot
        .sockets
        .iter()
        .filter(|socket| socket.is_running() && socket.managed_by.is_none());
    let carried = masters.clone().filter_map(Socket::carried);
    let carried = carried.fold(Carried::NONE, Add::add);
    let masters = masters_to_exit(masters);
    let sockets = snapshot.sockets.iter();
    let cleanable = sockets.filter(|socket| is_cleaned_with_all(socket));
    let cleanable: Vec<Target> = cleanable.map(Socket::target).collect();
    let stale = cleanable.len();
    let clean = if cleanable.is_empty() {
        Entry::text("clean-all", tr!("Clean: no stale sockets"))
    } else {
        let label = tr!("Clean {n} stale socket" | "Clean {n} stale sockets" % stale);
        Entry::item("clean-all", label, Intent::CleanAll(cleanable))
    };
    if masters.is_empty() {
        let check = Entry::text("check-all", tr!("Check all: no masters"));
        let exit = Entry::text("exit-all", tr!("Exit all masters: no masters"));
        return [check, clean, exit];
    }
    let mut label = tr!("Exit {n} master now" | "Exit {n} masters now" % masters.len());
    if !carried.is_none() {
        label = tr!("{exit}, closing {carried}", exit = label, carried);
    }
    if stale > 0 {
        label = tr!(
            "{exit}; clean {n} stale socket" | "{exit}; clean {n} stale sockets" % stale,
            exit = label
        );
    }
    let exit = vec![Entry::item("exit-all-now", label, Intent::Reset(masters))];
    [
        Entry::item("check-all", tr!("Check all"), Intent::CheckAll),
        clean,
        Entry::submenu("exit-all-menu", tr!("Exit all masters"), exit),
    ]
}

/// Returns the submenu of the hosts without a master, if there are any.
fn open_menu(openable: &[Openable]) -> Option<Entry> {
    const SHOWN: usize = 20;
    let row = |host: &Openable| {
        let key = format!("open {}", host.alias.0);
        let alias = text::line(&host.alias.0);
        if host.is_opening {
            return Entry::text(key, tr!("{host}: opening\u{2026}", host = alias));
        }
        let intent = Intent::Open {
            host: host.alias.clone(),
            consent: SessionConsent::NONE,
        };
        Entry::item(key, alias, intent)
    };
    let (listed, rest) = openable.split_at(shown_of(openable.len(), SHOWN));
    let mut entries: Vec<Entry> = listed.iter().map(row).collect();
    entries.extend(Entry::more(rest.len(), "muxtray open HOST"));
    (!entries.is_empty()).then(|| Entry::submenu("open-menu", tr!("Open master"), entries))
}

#[cfg(test)]
mod tests;
