//! The tray icon and its menu as data. Views are compared, and drawn only when they differ.

mod entry;
mod fold;
mod forward_rows;
mod hosts;
mod keep_rows;
mod problems;
mod setting_row;
mod settings;
mod socket_rows;

use std::ops::Add;

use tr::tr;

use entry::separated;
pub use entry::{Entry, Icon, TrayView};
pub use hosts::MenuHosts;
pub use socket_rows::Answers;
use socket_rows::RowContext;

use super::summary::{problem_count, summary};
use crate::decide::intent::{Intent, masters_to_exit};
use crate::decide::is_cleaned_with_all;
use crate::decide::opening;
use crate::model::carried::Carried;
use crate::model::finding::FindingId;
use crate::model::settings::Preferences;
use crate::model::socket::{Snapshot, Socket, Target};

use problems::{copy_lines, problems_menu};

/// `can_show`: whether the tray can show details. The icon is hidden until [`TrayView::with_icon`].
pub fn view(
    snapshot: &Snapshot,
    answers: &Answers,
    hosts: MenuHosts<'_>,
    can_show: bool,
    preferences: &Preferences,
) -> TrayView {
    let mut actions = not_configured(snapshot, can_show);
    actions.extend(hosts.submenus(snapshot, can_show));
    if !snapshot.sockets.is_empty() {
        let reconnect = opening::reconnect_all(snapshot.sockets.iter());
        actions.extend(reconnect.map(|all| Entry::button("reconnect-all", all.ask_first())));
        actions.extend(actions_on_all(snapshot));
    }
    let problems = problems_menu(&snapshot.findings, can_show)
        .into_iter()
        .collect();
    let context = RowContext {
        answers,
        clock: snapshot.clock(),
        can_show,
        preferences,
    };
    let sockets = fold::rows(&snapshot.sockets, context);
    let sections = [sockets, actions, problems];
    tray_view(icon(snapshot), summary(snapshot), sections)
}

/// The view before the first scan.
pub fn starting() -> TrayView {
    tray_view(Icon::Idle, tr!("Looking for control sockets"), [])
}

fn tray_view(
    icon: Icon,
    summary: String,
    sections: impl IntoIterator<Item = Vec<Entry>>,
) -> TrayView {
    let first = vec![Entry::text("summary", summary.clone())];
    let last = vec![
        Entry::item("about", tr!("About"), Intent::About),
        Entry::item("quit", tr!("Quit"), Intent::Quit),
    ];
    TrayView {
        icon,
        is_shown: false,
        summary,
        menu: separated([first].into_iter().chain(sections).chain([last])),
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

/// Returns rows for a configuration in which no host multiplexes.
fn not_configured(snapshot: &Snapshot, can_show: bool) -> Vec<Entry> {
    let mut findings = snapshot.findings.iter();
    let Some(finding) = findings.find(|it| it.id == FindingId::NotConfigured) else {
        return Vec::new();
    };
    let row = Entry::Item {
        key: "not-configured".to_owned(),
        label: tr!("No host multiplexes"),
        intent: can_show.then_some(Intent::Show(None)),
    };
    let copy = copy_lines("copy-recommended", finding);
    [row].into_iter().chain(copy).collect()
}

#[cfg(test)]
mod tests;
