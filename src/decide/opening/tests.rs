use super::*;
use crate::decide::intent::Intent;
use crate::decide::intent::SessionConsent;
use crate::model::finding::Finding;
use crate::model::network::Cause;
use crate::model::places::{Managed, WrittenBy};
use crate::model::samples::{in_state, observation, path, places, running, seen, states};
use crate::model::socket::{Connect, Observation};

fn host() -> Host {
    places().hosts.remove(0)
}

fn alias(name: &str) -> HostAlias {
    HostAlias(name.to_owned())
}

#[test]
fn plan_depends_on_the_state_at_the_path() {
    for state in states() {
        let mut snapshot = seen(vec![running()]);
        snapshot.sockets[0].state = state;
        let socket = &snapshot.sockets[0];
        let start = |first| {
            Some(Plan::Start(Start {
                path: path("/s/u@h-22"),
                first,
                asks: false,
                has_connect_timeout: false,
            }))
        };
        let expected = match &socket.state {
            State::Running | State::Suspect(_) => Some(Plan::Running(Box::new(socket.clone()))),
            State::Stale => start(First::Clean(socket.target())),
            State::Stranded(_) => start(First::End(socket.target())),
            State::Orphaned { .. } => start(First::Nothing),
            _ => None,
        };
        let plan = plan("web", &host(), &snapshot);
        match expected {
            Some(expected) => assert_eq!(plan, expected),
            None => assert_eq!(plan, Plan::Blocked(Obstacle::at(socket))),
        }
    }
    let pathless = Host {
        control_path: None,
        ..host()
    };
    let blocked = Plan::Blocked(Obstacle::no_control_path("web"));
    assert_eq!(plan("web", &pathless, &seen(Vec::new())), blocked);
}

#[test]
fn findings_that_prevent_a_master_block_the_start() {
    let mut blocking = Vec::new();
    for id in FindingId::ALL {
        let finding = Finding::new(*id, "/s", "seen", "do").with_paths(["/s"]);
        let snapshot = Snapshot {
            findings: vec![finding.clone()],
            ..seen(Vec::new())
        };
        match plan("web", &host(), &snapshot) {
            Plan::Blocked(obstacle) => {
                assert_eq!(obstacle, Obstacle::from(&finding));
                blocking.push(id.as_str());
            }
            Plan::Start(_) => {}
            Plan::Running(socket) => panic!("{socket:?}"),
        }
    }
    assert_eq!(
        blocking,
        [
            "directory-missing",
            "directory-not-writable",
            "filesystem-unsupported",
            "filesystem-full",
            "path-too-long",
            "ssh-missing"
        ]
    );
}

#[test]
fn openable_hosts_have_no_master_and_come_by_last_use() {
    let named = |name: &str, at: &str| Host {
        alias: alias(name),
        control_path: Some(path(at)),
        ..host()
    };
    let by = |written_by, host| Host { written_by, ..host };
    let mut places = places();
    places.hosts = vec![
        named("a", "/s/a"),
        named("a-too", "/s/a"),
        named("b", "/s/b"),
        named("c", "/s/c"),
        Host {
            multiplexes: false,
            ..named("never", "/s/never")
        },
        named("web", "/s/u@h-22"),
        by(WrittenBy::System, named(".host", "/s/.host")),
        by(WrittenBy::Administrator, named("jump", "/s/jump")),
    ];
    places.unnamed_host = Some(named("host.invalid", "/s/other"));
    let recent: Recent = serde_json::from_str(r#"["gone", "c", "a-too"]"#).unwrap();
    let stale = Observation {
        connect: Some(Connect::Refused),
        ..observation()
    };
    for (at_web, opening, expected) in [
        (running(), &[][..], "c a b jump"),
        (stale, &["b"], "c a b… web jump"),
        (running(), &["web"], "c a b web… jump"),
    ] {
        let opening = opening.iter().copied().map(alias).collect();
        let names: Vec<String> = openable(&places, &seen(vec![at_web]), &recent, &opening)
            .into_iter()
            .map(|host| format!("{}{}", host.alias.0, if host.is_opening { "…" } else { "" }))
            .collect();
        assert_eq!(names.join(" "), expected);
    }
}

#[test]
fn failed_starts_have_a_remedy_by_the_message_of_ssh() {
    let message = |text: &str| Some(text.to_owned());
    let key = "u@h: Permission denied (publickey).";
    for (failure, command) in [
        (
            Failure::Refused(message("Host key verification failed.")),
            "terminal: ssh 'my web'",
        ),
        (Failure::Refused(message(key)), "muxtray open 'my web'"),
        (
            Failure::TimedOut(Duration::from_secs(1), message(key)),
            "muxtray open 'my web'",
        ),
        (
            Failure::Refused(message("ssh_askpass: exec failed")),
            "muxtray open 'my web'",
        ),
        (
            Failure::Refused(message("Connection refused")),
            "ssh -v 'my web'",
        ),
        (Failure::Refused(None), "ssh -v 'my web'"),
        (Failure::NoMaster(path("/s/a")), "ssh -v 'my web'"),
    ] {
        let remedy = way_out(&failure, "my web");
        assert!(remedy.ends_with(command), "{failure}: {remedy}");
    }
}

#[test]
fn results_and_lifetimes_as_text() {
    let opened = |pid: Option<i32>, by_other, before: Option<&str>| Opened {
        pid: pid.map(MasterPid),
        took: Duration::from_millis(449),
        before: before.map(str::to_owned),
        by_other,
    };
    for (opened, text) in [
        (opened(Some(4711), false, None), "opened in 0.4 s, pid 4711"),
        (opened(None, false, None), "opened in 0.4 s"),
        (
            opened(None, true, Some("stale socket removed")),
            "stale socket removed; opened by another ssh at the same moment",
        ),
    ] {
        assert_eq!(opened.to_string(), text);
    }
    assert_eq!(lasts(Persist::No), lasts(Persist::Forever));
    assert!(lasts(Persist::Seconds(600)).contains("10m"));
}

#[test]
fn only_stranded_masters_of_own_hosts_are_reconnected() {
    let gone = || in_state(State::Stranded(Cause::AddressGone));
    let intent = Intent::Open {
        host: alias("web"),
        consent: SessionConsent::UpTo(2),
    };
    let button = reconnect(&gone()).unwrap();
    assert_eq!(button.label, "Reconnect, closing 2 sessions");
    assert_eq!(button.intent, intent);
    let nameless = Socket {
        hosts: Vec::new(),
        ..gone()
    };
    let managed = Socket {
        managed_by: Some(Managed("lima")),
        ..gone()
    };
    for socket in [nameless, managed, in_state(State::Running)] {
        assert_eq!(reconnect(&socket), None);
    }
}
