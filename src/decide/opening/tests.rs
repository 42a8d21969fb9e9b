use super::SessionConsent::{Any, UpTo};
use super::*;
use crate::model::finding::Finding;
use crate::model::network::{Cause, Doubt};
use crate::model::places::{Managed, WrittenBy};
use crate::model::samples::{
    in_state as socket_in, observation, path, places, running, seen, states,
};
use crate::model::socket::{Connect, Denied, Observation, Unresponsive};

fn host() -> Host {
    places().hosts.remove(0)
}

fn alias(name: &str) -> HostAlias {
    HostAlias(name.to_owned())
}

fn stale() -> Snapshot {
    seen(vec![Observation {
        connect: Some(Connect::Refused),
        ..observation()
    }])
}

fn in_state(state: State) -> Snapshot {
    let mut snapshot = seen(vec![running()]);
    snapshot.sockets[0].state = state;
    snapshot
}

#[test]
fn what_stands_at_the_path_is_dealt_with_first() {
    let start = |snapshot: &Snapshot| match plan("web", &host(), snapshot) {
        Plan::Start(start) => start.first,
        other => panic!("{other:?}"),
    };
    assert_eq!(start(&seen(Vec::new())), First::Nothing);
    let snapshot = stale();
    let target = snapshot.sockets[0].target();
    assert_eq!(start(&snapshot), First::Clean(target));
    let snapshot = in_state(State::Stranded(Cause::Unanswered));
    let target = snapshot.sockets[0].target();
    assert_eq!(start(&snapshot), First::End(target));
    for state in [State::Running, State::Suspect(Doubt::NoRoute)] {
        let plan = plan("web", &host(), &in_state(state));
        assert!(matches!(plan, Plan::Running(_)), "{plan:?}");
    }
    for state in [
        State::Denied(Denied::Connect),
        State::Unresponsive(Unresponsive::Stopped),
    ] {
        let plan = plan("web", &host(), &in_state(state));
        assert!(matches!(plan, Plan::Blocked(_)), "{plan:?}");
    }
}

#[test]
fn without_a_path_or_a_place_for_a_socket_nothing_is_started() {
    let pathless = Host {
        control_path: None,
        ..host()
    };
    let blocked = |plan| match plan {
        Plan::Blocked(obstacle) => obstacle.evidence,
        other => panic!("{other:?}"),
    };
    let said = blocked(plan("web", &pathless, &seen(Vec::new())));
    assert!(said.contains("no ControlPath for web"), "{said}");
    let mut snapshot = seen(Vec::new());
    let missing = Finding::new(
        FindingId::DirectoryMissing,
        "/s",
        "does not exist",
        "make it",
    )
    .with_paths(["/s"]);
    snapshot.findings = vec![missing];
    let said = blocked(plan("web", &host(), &snapshot));
    assert_eq!(said, "/s: does not exist");
    let insecure = Finding::new(FindingId::DirectoryInsecure, "/s", "open", "close it");
    snapshot.findings = vec![insecure];
    let plan = plan("web", &host(), &snapshot);
    assert!(
        matches!(plan, Plan::Start(_)),
        "masters start there: {plan:?}"
    );
}

#[test]
fn the_menu_has_a_row_for_each_host_without_a_master() {
    let named = |name: &str, at: &str| Host {
        alias: alias(name),
        control_path: Some(path(at)),
        ..host()
    };
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
        Host {
            written_by: WrittenBy::System,
            ..named(".host", "/s/.host")
        },
        Host {
            written_by: WrittenBy::Administrator,
            ..named("jump", "/s/jump")
        },
    ];
    places.other = Some(named("host.invalid", "/s/other"));
    let recent: Recent = serde_json::from_str(r#"["gone", "c", "a-too"]"#).unwrap();
    let names = |snapshot: &Snapshot, opening: &[&str]| -> Vec<String> {
        let opening = opening.iter().copied().map(alias).collect();
        openable(&places, snapshot, &recent, &opening)
            .into_iter()
            .map(|host| format!("{}{}", host.alias.0, if host.is_opening { "…" } else { "" }))
            .collect()
    };
    assert_eq!(names(&seen(vec![running()]), &[]), ["c", "a", "b", "jump"]);
    assert_eq!(names(&stale(), &["b"]), ["c", "a", "b…", "web", "jump"]);
    assert_eq!(
        names(&seen(vec![running()]), &["web"]),
        ["c", "a", "b", "web…", "jump"]
    );
}

#[test]
fn a_failure_is_told_with_what_helps() {
    let refused = |said: &str| Failure::Refused(Some(said.to_owned()));
    for (failure, helps) in [
        (
            refused("Host key verification failed."),
            "in a terminal: ssh web",
        ),
        (refused("u@h: Permission denied (publickey)."), "ssh-add"),
        (
            refused("ssh: connect to host h port 22: Connection refused"),
            "ssh -v web",
        ),
        (
            Failure::TimedOut(Duration::from_secs(60), None),
            "ssh -v web",
        ),
    ] {
        let told = way_out(&failure, "web");
        assert!(told.contains(helps), "{failure}: {told}");
    }
}

#[test]
fn how_long_it_lasts_is_said_in_words() {
    for (persist, words) in [
        (Persist::No, "it stays until it is told to exit"),
        (Persist::Forever, "it stays until it is told to exit"),
        (Persist::Seconds(600), "it ends after 10m without a session"),
    ] {
        assert_eq!(lasts(persist), words);
    }
}

#[test]
fn every_state_has_its_plan() {
    for state in states() {
        let snapshot = in_state(state.clone());
        let target = snapshot.sockets[0].target();
        match (plan("web", &host(), &snapshot), state) {
            (Plan::Running(socket), State::Running | State::Suspect(_)) => {
                assert_eq!(*socket, snapshot.sockets[0]);
            }
            (Plan::Start(start), state) => {
                let first = match state {
                    State::Stale => First::Clean(target),
                    State::Stranded(_) => First::End(target),
                    // An orphan has no socket at its path.
                    State::Orphaned { .. } => First::Nothing,
                    other => panic!("{other:?}"),
                };
                assert_eq!(start.first, first);
            }
            (
                Plan::Blocked(_),
                State::Unresponsive(_)
                | State::Misowned(_)
                | State::Foreign(_)
                | State::NotASocket(_)
                | State::Denied(_)
                | State::Leftover
                | State::Unverifiable(_),
            ) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_start_is_made_as_the_host_is_configured() {
    for (asks, has_connect_timeout) in [(false, false), (true, false), (false, true)] {
        let host = Host {
            asks,
            has_connect_timeout,
            ..host()
        };
        let start = Start {
            path: path("/s/u@h-22"),
            first: First::Nothing,
            asks,
            has_connect_timeout,
        };
        let empty = seen(Vec::new());
        assert_eq!(plan("web", &host, &empty), Plan::Start(start));
    }
}

#[test]
fn what_lets_no_master_listen_prevents_a_start_and_nothing_else_does() {
    let prevented: Vec<&str> = FindingId::ALL
        .iter()
        .filter(|id| {
            let mut snapshot = seen(Vec::new());
            let finding = Finding::new(**id, "/s", "seen", "do").with_paths(["/s"]);
            snapshot.findings = vec![finding];
            matches!(plan("web", &host(), &snapshot), Plan::Blocked(_))
        })
        .map(|id| id.as_str())
        .collect();
    assert_eq!(
        prevented,
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
fn what_was_opened_is_told_in_one_line() {
    let opened = Opened {
        pid: Some(MasterPid(4711)),
        took: Duration::from_millis(449),
        before: None,
        by_other: false,
    };
    for (opened, told) in [
        (opened.clone(), "opened in 0.4 s, pid 4711"),
        (
            Opened {
                pid: None,
                took: Duration::from_secs(12),
                ..opened.clone()
            },
            "opened in 12.0 s",
        ),
        (
            Opened {
                by_other: true,
                ..opened.clone()
            },
            "opened by another ssh at the same moment, pid 4711",
        ),
        (
            Opened {
                before: Some("stale socket removed".to_owned()),
                ..opened
            },
            "stale socket removed; opened in 0.4 s, pid 4711",
        ),
    ] {
        assert_eq!(opened.to_string(), told);
    }
}

#[test]
fn ssh_words_tell_what_helps_however_it_ended() {
    let key = Some("u@h: Permission denied (publickey).".to_owned());
    let askpass = Some("ssh_askpass: exec(/usr/bin/ssh-askpass): No such file".to_owned());
    let host_key = Some("Host key verification failed.".to_owned());
    for (failure, helps) in [
        (Failure::Refused(askpass), "ssh-add"),
        (Failure::Refused(None), "ssh -v 'my web' says more"),
        (
            Failure::TimedOut(Duration::from_secs(1), key),
            "muxtray open 'my web'",
        ),
        (
            Failure::TimedOut(Duration::from_secs(1), host_key),
            "in a terminal: ssh 'my web'",
        ),
        (Failure::NoMaster(path("/s/a")), "ssh -v 'my web' says more"),
        (
            Failure::NotStarted("EIO".to_owned()),
            "ssh -v 'my web' says more",
        ),
    ] {
        let told = way_out(&failure, "my web");
        assert!(told.contains(helps), "{failure}: {told}");
    }
}

#[test]
fn only_stranded_masters_of_own_hosts_are_reconnected() {
    let gone = || socket_in(State::Stranded(Cause::AddressGone));
    for (sessions, label, consent) in [
        (Some(0), "Reconnect", UpTo(0)),
        (Some(2), "Reconnect, closing 2 sessions", UpTo(2)),
        (None, "Reconnect, closing its sessions", Any),
    ] {
        let socket = Socket { sessions, ..gone() };
        let expected = Reconnect {
            label: label.to_owned(),
            host: alias("web"),
            consent,
        };
        assert_eq!(reconnect(&socket), Some(expected));
    }
    let nameless = Socket {
        hosts: Vec::new(),
        ..gone()
    };
    let managed = Socket {
        managed_by: Some(Managed::Lima),
        ..gone()
    };
    for socket in [nameless, managed, socket_in(State::Running)] {
        assert_eq!(reconnect(&socket), None);
    }
}
