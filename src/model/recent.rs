//! The hosts that had a master recently.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::control_path::{ControlPath, HostAlias};
use super::places::{Places, WrittenBy};
use super::socket::{Cookie, Snapshot, Socket};

/// More than a menu shows, so that hosts which it leaves out are not forgotten.
const KEPT: usize = 100;

/// Host names, the last used first. A list in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recent(Vec<String>);

impl Recent {
    /// Returns the number of hosts that were used later; `None` if the host was not used.
    pub fn rank(&self, alias: &HostAlias) -> Option<usize> {
        self.0.iter().position(|used| *used == alias.0)
    }

    /// Adds the hosts of masters that appeared or ended between two scans. At the first scan, all masters count in the order of
    /// their start.
    pub fn after(mut self, before: Option<&Snapshot>, now: &Snapshot) -> Self {
        let nothing = Vec::new();
        let before = before.map_or(&nothing, |before| &before.sockets);
        let earlier: BTreeSet<_> = masters(before).map(identity).collect();
        let present: BTreeSet<_> = masters(&now.sockets).map(identity).collect();
        let gone = masters(before).filter(|master| !present.contains(&identity(master)));
        let mut new: Vec<&Socket> = masters(&now.sockets)
            .filter(|master| !earlier.contains(&identity(master)))
            .collect();
        new.sort_by_key(|master| master.since);
        for master in gone.chain(new) {
            for alias in master.hosts.iter().rev() {
                self.used(alias);
            }
        }
        self
    }

    /// Makes the administrator's hosts that were used the user's own ([`WrittenBy::Administrator`]).
    pub fn note_in(&self, places: &mut Places) {
        for host in &mut places.hosts {
            if host.written_by == WrittenBy::Administrator && self.rank(&host.alias).is_some() {
                host.written_by = WrittenBy::Person;
            }
        }
    }

    pub fn used(&mut self, alias: &HostAlias) {
        self.0.retain(|used| *used != alias.0);
        self.0.insert(0, alias.0.clone());
        self.0.truncate(KEPT);
    }
}

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
    use super::*;
    use crate::model::places::Host;
    use crate::model::samples::{path, running, seen};

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
    fn last_started_or_ended_master_is_first() {
        let mut now = snapshot(&["old", "new", "older"]);
        for (socket, age) in now.sockets.iter_mut().zip([20, 10, 30]) {
            socket.since = Some(now.at - std::time::Duration::from_secs(age));
        }
        let recent = Recent::default().after(None, &now);
        assert_eq!(names(&recent), ["new", "old", "older"]);
        let (mut recent, mut before) = (Recent::default(), None);
        for (hosts, expected) in [
            (&["web"][..], &["web"][..]),
            (&["web", "db"], &["db", "web"]),
            (&["db", "web"], &["db", "web"]),
            (&["db"], &["web", "db"]),
        ] {
            let now = snapshot(hosts);
            recent = recent.after(before.as_ref(), &now);
            assert_eq!(names(&recent), expected);
            before = Some(now);
        }
        assert_eq!(serde_json::to_string(&recent).unwrap(), r#"["web","db"]"#);
        for number in 0..KEPT + 5 {
            recent.used(&alias(&number.to_string()));
        }
        let ranks = ["104", "web"].map(|name| recent.rank(&alias(name)));
        assert_eq!((recent.0.len(), ranks), (KEPT, [Some(0), None]));
    }

    #[test]
    fn masters_differ_by_path_and_listener() {
        use crate::model::places::Managed;
        use crate::model::socket::State;
        let mut before = snapshot(&["web", "db"]);
        before.sockets[0].hosts.push(alias("w"));
        let recent = Recent::default().after(None, &before);
        assert_eq!(names(&recent), ["db", "web", "w"]);
        type Change = fn(&mut Socket);
        let changes: [(Change, &str); 4] = [
            (|it| it.sessions = Some(9), "db"),
            (|it| it.cookie = Some(Cookie(1)), "web"),
            (|it| it.state = State::Stale, "web"),
            (|it| it.managed_by = Some(Managed("lima")), "web"),
        ];
        for (change, first) in changes {
            let mut now = before.clone();
            change(&mut now.sockets[0]);
            let after = recent.clone().after(Some(&before), &now);
            assert_eq!(names(&after)[0], first);
        }
    }

    #[test]
    fn used_hosts_of_the_administrator_become_the_users() {
        use WrittenBy::{Administrator, Person, System};
        let mut places = super::super::samples::places();
        let host = places.hosts.remove(0);
        let mut recent = Recent::default();
        recent.used(&alias("jump"));
        recent.used(&alias(".host"));
        for (name, written_by, expected) in [
            ("jump", Administrator, Person),
            ("gate", Administrator, Administrator),
            (".host", System, System),
        ] {
            places.hosts = vec![Host {
                alias: alias(name),
                written_by,
                ..host.clone()
            }];
            recent.note_in(&mut places);
            assert_eq!(places.hosts[0].written_by, expected, "{name}");
        }
    }
}
