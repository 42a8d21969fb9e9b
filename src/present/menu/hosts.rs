//! The submenus of the configured hosts: the state of the master of each, with a click that opens one; and new sessions.

use std::collections::{BTreeMap, BTreeSet};

use tr::tr;

use super::entry::{Entry, shown_of};
use super::socket_rows::state_and_carried;
use crate::decide::intent::{Intent, SessionConsent};
use crate::decide::new_session::NewSession;
use crate::diagnose::obstacle;
use crate::model::control_path::{ControlPath, HostAlias};
use crate::model::finding::Finding;
use crate::model::places::{Host, Places, WrittenBy};
use crate::model::recent::Recent;
use crate::model::socket::{Snapshot, State};
use crate::model::text;
use crate::present::hosts::findings;

/// The number of hosts with a row.
const SHOWN: usize = 20;

#[derive(Debug, Clone, Copy)]
pub struct MenuHosts<'a> {
    pub places: &'a Places,
    pub recent: &'a Recent,
    /// The hosts for which a master is being opened.
    pub opening: &'a BTreeSet<HostAlias>,
}

impl<'a> MenuHosts<'a> {
    /// Returns the hosts in the order of their rows: those that multiplex come first, the last used ones before the
    /// others, otherwise as in the configuration. Hosts of the system and of other programs are left out.
    fn ranked(&self) -> Vec<&'a Host> {
        let places = self.places;
        let is_listed = |host: &&Host| {
            let path = host.control_path.as_ref();
            host.written_by != WrittenBy::System && path.is_none_or(|path| places.is_own(path))
        };
        let mut hosts: Vec<&Host> = places.hosts.iter().filter(is_listed).collect();
        // A master counts as used by every alias of its path.
        let mut ranks: BTreeMap<&ControlPath, usize> = BTreeMap::new();
        for host in &hosts {
            if let (Some(path), Some(rank)) = (&host.control_path, self.recent.rank(&host.alias)) {
                let best = ranks.entry(path).or_insert(rank);
                *best = rank.min(*best);
            }
        }
        hosts.sort_by_key(|host| {
            let path = host.control_path.as_ref();
            let rank = path.and_then(|path| ranks.get(path));
            (!host.multiplexes(), rank.copied().unwrap_or(usize::MAX))
        });
        hosts
    }

    /// Returns the submenus, if there are hosts. `can_show`: whether the tray can show details.
    pub(super) fn submenus(&self, snapshot: &Snapshot, can_show: bool) -> Vec<Entry> {
        let hosts = self.ranked();
        if hosts.is_empty() {
            return Vec::new();
        }
        let (shown, rest) = hosts.split_at(shown_of(hosts.len(), SHOWN));
        let rows = |row: &dyn Fn(&Host) -> Entry, command| -> Vec<Entry> {
            let rows = shown.iter().map(|host| row(host));
            rows.chain(Entry::more(rest.len(), command)).collect()
        };
        let mut states = rows(&|host| self.row(host, snapshot, can_show), "muxtray hosts");
        if can_show {
            let details = Entry::item("show", tr!("Show details"), Intent::ShowHosts);
            states.extend([Entry::Separator, details]);
        }
        let sessions = rows(&new_session, "ssh HOST");
        vec![
            Entry::submenu("hosts", tr!("Hosts"), states),
            Entry::submenu("sessions", tr!("New session"), sessions),
        ]
    }

    fn row(&self, host: &Host, snapshot: &Snapshot, can_show: bool) -> Entry {
        let show = |intent| Some(intent).filter(|_| can_show);
        let open = || {
            Some(Intent::Open {
                host: host.alias.clone(),
                consent: SessionConsent::NONE,
            })
        };
        let path = host.control_path.as_ref();
        let socket = path.and_then(|path| obstacle::socket_at(path, snapshot));
        let (state, intent) = match socket {
            _ if self.opening.contains(&host.alias) => (tr!("opening\u{2026}"), None),
            Some(socket) if socket.is_running() && socket.stranger(&host.alias.0).is_some() => {
                let state = tr!("another host's master listens on this host's ControlPath");
                (state, show(Intent::Show(Some(socket.target()))))
            }
            Some(socket) if !matches!(socket.state, State::Stale) || !host.multiplexes() => {
                let check = socket.is_running().then(|| Intent::Check(socket.target()));
                let intent = show(Intent::Show(Some(socket.target()))).or(check);
                (state_and_carried(socket), intent)
            }
            Some(socket) => {
                let state = tr!("{state}; open a master", state = socket.state.word());
                (state, open())
            }
            None if host.multiplexes() => (tr!("no master; open one"), open()),
            None => (tr!("does not multiplex"), show(Intent::ShowHosts)),
        };
        let mut label = format!("{}: {state}", text::line(&host.alias.0));
        let lacking = lacking(&findings(host, None, snapshot));
        if !lacking.is_empty() {
            label = format!("{label} ({})", text::list(lacking));
        }
        let key = format!("host {}", host.alias.0);
        Entry::Item { key, label, intent }
    }
}

/// A click starts ssh in a terminal.
fn new_session(host: &Host) -> Entry {
    let session = NewSession::of_host(&host.alias);
    let key = format!("session {}", host.alias.0);
    Entry::item(key, text::line(&host.alias.0), Intent::NewSession(session))
}

/// Returns the settings that the host lacks, and its other problems.
fn lacking(findings: &[&Finding]) -> Vec<String> {
    let text = |finding: &&Finding| match finding.id.missing_setting() {
        Some(setting) => Some(tr!("no {setting}", setting)),
        None => finding.severity.is_problem().then(|| finding.id.title()),
    };
    let mut texts: Vec<String> = Vec::new();
    for text in findings.iter().filter_map(text) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

#[cfg(test)]
mod tests;
