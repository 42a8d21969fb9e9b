//! Which hosts had a master lately, the last used first.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::control_path::{ControlPath, HostAlias};
use super::places::{Places, WrittenBy};
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

    /// Counts the administrator's hosts that were used as the person's own ([`WrittenBy::Administrator`]).
    pub fn note_in(&self, places: &mut Places) {
        for host in &mut places.hosts {
            if host.written_by == WrittenBy::Administrator && self.rank(&host.alias).is_some() {
                host.written_by = WrittenBy::Person;
            }
        }
    }

    /// Takes note that a host is used now.
    pub fn used(&mut self, alias: &HostAlias) {
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

    #[test]
    fn before_the_first_look_what_runs_was_used_in_the_order_of_its_start() {
        use std::time::Duration;
        let mut now = snapshot(&["old", "new", "older"]);
        for (socket, age) in now.sockets.iter_mut().zip([20, 10, 30]) {
            socket.since = Some(now.at - Duration::from_secs(age));
        }
        let recent = Recent::default().after(None, &now);
        assert_eq!(names(&recent), ["new", "old", "older"]);
    }

    #[test]
    fn of_hosts_with_one_master_the_first_is_first() {
        let mut now = snapshot(&["web"]);
        now.sockets[0].hosts = vec![alias("web"), alias("w")];
        let recent = Recent::default().after(None, &now);
        assert_eq!(names(&recent), ["web", "w"]);
        let gone = recent.after(Some(&now), &snapshot(&[]));
        assert_eq!(names(&gone), ["web", "w"]);
    }

    #[test]
    fn a_master_is_another_by_its_path_and_listener() {
        use crate::model::places::Managed;
        use crate::model::socket::State;
        let before = snapshot(&["web", "db"]);
        let recent = Recent::default().after(None, &before);
        let first = names(&recent)[0].to_owned();
        let other = if first == "web" { "db" } else { "web" };
        let changed = |change: fn(&mut Socket)| {
            let mut now = before.clone();
            let socket = now.sockets.iter_mut().find(|it| it.hosts[0].0 == other);
            change(socket.unwrap());
            names(&recent.clone().after(Some(&before), &now))[0].to_owned()
        };
        assert_eq!(changed(|_| {}), first);
        assert_eq!(changed(|it| it.sessions = Some(9)), first);
        assert_eq!(changed(|it| it.cookie = Some(Cookie(1))), other);
        assert_eq!(changed(|it| it.state = State::Stale), other, "it ended");
        assert_eq!(changed(|it| it.managed_by = Some(Managed::Lima)), other);
        // What is another program's, or does not run, is no use.
        for change in [
            (|it| it.managed_by = Some(Managed::Lima)) as fn(&mut Socket),
            |it| it.state = State::Stale,
        ] {
            let mut now = snapshot(&["web"]);
            change(&mut now.sockets[0]);
            assert_eq!(Recent::default().after(None, &now), Recent::default());
        }
    }

    #[test]
    fn only_a_host_of_the_administrators_that_was_used_becomes_the_persons() {
        use WrittenBy::{Administrator, Person, System};
        let mut places = super::super::samples::places();
        let host = places.hosts.remove(0);
        let written_by = |names: &[(&str, WrittenBy)]| -> Vec<_> {
            let named = |(name, written_by): &(&str, WrittenBy)| Host {
                alias: alias(name),
                written_by: *written_by,
                ..host.clone()
            };
            names.iter().map(named).collect()
        };
        places.hosts = written_by(&[
            ("jump", Administrator),
            ("gate", Administrator),
            (".host", System),
            ("web", Person),
        ]);
        let mut recent = Recent::default();
        recent.used(&alias("jump"));
        recent.used(&alias(".host"));
        recent.note_in(&mut places);
        let expected = [
            ("jump", Person),
            ("gate", Administrator),
            (".host", System),
            ("web", Person),
        ];
        assert_eq!(places.hosts, written_by(&expected));
    }

    #[test]
    fn a_name_is_kept_once_and_written_as_a_list() {
        let mut recent = Recent::default();
        for name in ["a", "b", "a"] {
            recent.used(&alias(name));
        }
        assert_eq!(serde_json::to_string(&recent).unwrap(), r#"["a","b"]"#);
    }
}
