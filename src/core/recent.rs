//! Which hosts had a master lately, the last used first.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::control_path::{ControlPath, HostAlias};
use super::socket::{Cookie, Snapshot, Socket};

/// More than a menu shows, so that what is left out of it today is not forgotten.
const KEPT: usize = 100;

/// Names of hosts, the last used first. As JSON a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recent(Vec<String>);

impl Recent {
    /// How many were used after this one; `None` where it was not.
    #[must_use]
    pub fn rank(&self, alias: &HostAlias) -> Option<usize> {
        self.0.iter().position(|used| *used == alias.0)
    }

    /// With the masters that came or went between two looks; a host is in use until its master ends. Before the first
    /// look there is none: what runs then is used, in the order of its start.
    #[must_use]
    pub fn after(mut self, before: Option<&Snapshot>, now: &Snapshot) -> Self {
        let nothing = Vec::new();
        let before = before.map_or(&nothing, |before| &before.sockets);
        let there_before: BTreeSet<_> = masters(before).map(identity).collect();
        let there: BTreeSet<_> = masters(&now.sockets).map(identity).collect();
        let gone = masters(before).filter(|master| !there.contains(&identity(master)));
        let mut came: Vec<&Socket> = masters(&now.sockets)
            .filter(|master| !there_before.contains(&identity(master)))
            .collect();
        came.sort_by_key(|master| master.since);
        for master in gone.chain(came) {
            for alias in master.hosts.iter().rev() {
                self.used(alias);
            }
        }
        self
    }

    fn used(&mut self, alias: &HostAlias) {
        self.0.retain(|used| *used != alias.0);
        self.0.insert(0, alias.0.clone());
        self.0.truncate(KEPT);
    }
}

/// The user's own masters that the kernel shows.
fn masters(sockets: &[Socket]) -> impl Iterator<Item = &Socket> {
    sockets
        .iter()
        .filter(|socket| socket.is_running() && socket.managed_by.is_none())
}

fn identity(master: &Socket) -> (&ControlPath, Option<Cookie>) {
    (&master.path, master.cookie)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{path, running, seen};
    use super::*;

    fn names(recent: &Recent) -> Vec<&str> {
        recent.0.iter().map(String::as_str).collect()
    }

    fn alias(name: &str) -> HostAlias {
        HostAlias(name.to_owned())
    }

    fn snapshot(hosts: &[&str]) -> Snapshot {
        let mut snapshot = seen(vec![running()]);
        let master = snapshot.sockets.remove(0);
        snapshot.sockets = hosts
            .iter()
            .map(|name| Socket {
                path: path(&format!("/s/{name}")),
                hosts: vec![alias(name)],
                ..master.clone()
            })
            .collect();
        snapshot
    }

    #[test]
    fn what_came_or_went_last_is_first() {
        let recent = Recent::default().after(None, &snapshot(&["web"]));
        assert_eq!(names(&recent), ["web"]);
        let recent = recent.after(Some(&snapshot(&["web"])), &snapshot(&["web", "db"]));
        assert_eq!(names(&recent), ["db", "web"]);
        let same = recent
            .clone()
            .after(Some(&snapshot(&["web", "db"])), &snapshot(&["db", "web"]));
        assert_eq!(same, recent, "nothing happened");
        let recent = recent.after(Some(&snapshot(&["web", "db"])), &snapshot(&["db"]));
        assert_eq!(names(&recent), ["web", "db"]);
        assert_eq!(recent.rank(&alias("db")), Some(1));
        assert_eq!(recent.rank(&alias("other")), None);
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut recent = Recent::default();
        for number in 0..KEPT + 5 {
            recent.used(&alias(&number.to_string()));
        }
        assert_eq!(recent.0.len(), KEPT);
        assert_eq!(recent.rank(&alias("104")), Some(0));
    }
}
