use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::decide::ending;
use crate::model::network::Doubt;
use crate::model::samples::{
    at, connection, file_kinds, in_state, path, root, running, seen, seen_over, stat, states,
};

/// Each state by its names and by what it lets be done, with every reason there is for it.
#[test]
fn every_state() {
    let told = |state: &State| {
        let severity = state.severity().map_or("well", Severity::as_str);
        let may = [
            (in_state(state.clone()).is_running(), "asked"),
            (state.is_cleanable(), "cleaned"),
            (ending::is_needed(state), "ended by a signal"),
        ];
        let may: Vec<&str> = may
            .iter()
            .filter(|(may, _)| *may)
            .map(|(_, it)| *it)
            .collect();
        let (name, word) = (state.name(), state.word());
        format!(
            "{state:?}: {name}, \"{word}\", {severity} [{}]",
            may.join(", ")
        )
    };
    let told: Vec<String> = states().iter().map(told).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn the_states_are_running_and_those_that_are_findings() {
    let names: BTreeSet<&str> = states().iter().map(State::name).collect();
    let mut all: BTreeSet<&str> = FindingId::ALL
        .iter()
        .filter(|id| id.is_state())
        .map(|id| id.as_str())
        .collect();
    all.insert("running");
    assert_eq!(names, all);
    for state in states() {
        assert_eq!(
            state
                .finding_id()
                .map(FindingId::as_str)
                .unwrap_or("running"),
            state.name()
        );
    }
}

#[test]
fn what_stands_where_a_socket_should_is_called_by_its_kind() {
    let phrases: Vec<String> = file_kinds().map(FileKind::phrase).collect();
    assert_eq!(
        phrases,
        [
            "a regular file",
            "a directory",
            "a symbolic link",
            "a named pipe",
            "a device"
        ]
    );
}

#[test]
fn an_owner_is_told_with_the_name_where_there_is_one() {
    assert_eq!(root().to_string(), "root (uid 0)");
    let nameless = Owner {
        uid: UserId(1234),
        name: None,
    };
    assert_eq!(nameless.to_string(), "uid 1234");
    let hostile = Owner {
        uid: UserId(7),
        name: Some("a\nb".to_owned()),
    };
    assert_eq!(hostile.to_string(), "a\\u{a}b (uid 7)");
}

#[test]
fn a_file_is_the_same_by_device_and_inode_whatever_was_done_to_it() {
    let id = stat().id;
    for (other, is_same) in [
        (id, true),
        (
            SocketId {
                changed: (0, 1),
                ..id
            },
            true,
        ),
        (SocketId { inode: 8, ..id }, false),
        (SocketId { device: 2, ..id }, false),
    ] {
        assert_eq!(id.same_file(&other), is_same, "{other:?}");
        assert_eq!(other.same_file(&id), is_same, "{other:?}");
    }
}

#[test]
fn the_sessions_at_stake_are_the_multiplexed_ones_and_the_masters_own() {
    for (sessions, own_session, at_stake) in [
        (Some(2), false, Some(2)),
        (Some(2), true, Some(3)),
        (Some(0), true, Some(1)),
        (Some(0), false, Some(0)),
        (None, true, None),
        (None, false, None),
    ] {
        let socket = Socket {
            sessions,
            own_session,
            ..in_state(State::Running)
        };
        assert_eq!(socket.sessions_at_stake(), at_stake);
    }
}

#[test]
fn a_socket_is_called_by_its_hosts_or_where_it_leads_or_its_path() {
    let mut socket = in_state(State::Running);
    socket.hosts.push(HostAlias("db\n".to_owned()));
    assert_eq!(socket.title(), "web, db\\u{a}");
    socket.hosts.clear();
    assert_eq!(socket.title(), "u@h:22");
    socket.destination = None;
    assert_eq!(socket.title(), "/s/u@h-22");
}

#[test]
fn the_worst_finding_decides_whether_it_is_a_problem() {
    let with = |findings: &[FindingId]| {
        let finding = |id: &FindingId| Finding::new(*id, "/s/a", "seen", "do");
        Socket {
            findings: findings.iter().map(finding).collect(),
            ..in_state(State::Running)
        }
    };
    use FindingId::{InsecureMode, NoPersistExpiry, Stranded, Suspect};
    for (findings, worst, is_problem) in [
        (&[][..], None, false),
        (&[Suspect], Some(Severity::Info), false),
        (
            &[NoPersistExpiry, InsecureMode],
            Some(Severity::Warning),
            true,
        ),
        (
            &[Stranded, InsecureMode, Suspect],
            Some(Severity::Error),
            true,
        ),
    ] {
        let socket = with(findings);
        assert_eq!(socket.worst(), worst);
        assert_eq!(socket.is_problem(), is_problem, "{findings:?}");
    }
}

/// A change of one thing about a socket.
type Change = (&'static str, fn(&mut Socket));

#[test]
fn anything_that_is_told_makes_another_socket() {
    let changes: &[Change] = &[
        ("path", |it| it.path = path("/s/other")),
        ("state", |it| it.state = State::Stale),
        ("id", |it| it.id = None),
        ("cookie", |it| it.cookie = None),
        ("hosts", |it| it.hosts.clear()),
        ("destination", |it| it.destination = None),
        ("pid", |it| it.pid = None),
        ("sessions", |it| it.sessions = Some(3)),
        ("own session", |it| it.own_session = true),
        ("owner", |it| it.owner = None),
        ("mode", |it| it.mode = Some(0o666)),
        ("since", |it| it.since = None),
        ("ControlPersist", |it| it.persist_secs = None),
        ("program", |it| it.managed_by = Some(Managed::Kitty)),
        ("findings", |it| it.findings.clear()),
        ("kind of finding", |it| {
            it.findings[0].id = FindingId::Stranded;
        }),
        ("subject", |it| it.findings[0].subject.push('x')),
        ("remedy", |it| it.findings[0].remedy.push('x')),
        ("evidence", |it| it.findings[1].evidence.push('x')),
    ];
    let finding = |id| Finding::new(id, "/s/u@h-22", "seen", "do");
    let before = Socket {
        findings: vec![
            finding(FindingId::Suspect),
            finding(FindingId::InsecureMode),
        ],
        ..in_state(State::Suspect(Doubt::NoRoute))
    };
    assert!(before.says_the_same(&before));
    for (what, change) in changes {
        let mut after = before.clone();
        change(&mut after);
        assert!(!before.says_the_same(&after), "{what}");
        assert!(!after.says_the_same(&before), "{what}");
    }
}

#[test]
fn the_age_of_what_is_known_of_a_network_makes_no_other_socket() {
    let over = |connections| seen_over(vec![running()], connections).sockets.remove(0);
    let mut later = connection();
    later.numbers.last_ack_received += Duration::from_secs(1);
    let now = over([(MasterPid(4711), connection())].into());
    let later = over([(MasterPid(4711), later)].into());
    assert_ne!(now, later);
    assert!(now.says_the_same(&later));
    for id in [FindingId::Suspect, FindingId::Stranded] {
        let seen_at = |evidence: &str| Socket {
            findings: vec![Finding::new(id, "/s/u@h-22", evidence, "do")],
            ..now.clone()
        };
        assert!(seen_at("40 s ago").says_the_same(&seen_at("41 s ago")));
    }
}

#[test]
fn a_snapshot_says_the_same_until_something_but_the_time_is_another() {
    let now = seen(vec![
        running(),
        Observation {
            path: path("/s/db"),
            ..running()
        },
    ]);
    let later = Snapshot {
        at: at() + Duration::from_secs(60),
        ..now.clone()
    };
    assert_ne!(now, later);
    assert!(now.says_the_same(&later));
    type Change = (&'static str, fn(&mut Snapshot));
    let changes: &[Change] = &[
        ("fewer sockets", |it| it.sockets.truncate(1)),
        ("another socket", |it| it.sockets[1].sessions = Some(9)),
        ("a finding", |it| {
            let finding = Finding::new(FindingId::SshMissing, "ssh", "seen", "do");
            it.findings.push(finding);
        }),
        ("an aside", |it| it.asides.push(it.sockets[0].target())),
    ];
    for (what, change) in changes {
        let mut after = now.clone();
        change(&mut after);
        assert!(!now.says_the_same(&after), "{what}");
        assert!(!after.says_the_same(&now), "{what}");
    }
}

#[test]
fn a_target_is_found_while_its_path_file_and_listener_are_the_same() {
    let snapshot = seen(vec![
        Observation {
            path: path("/s/before"),
            ..running()
        },
        running(),
    ]);
    let of = |name: &str| {
        let socket = snapshot.sockets.iter().find(|it| it.path == path(name));
        socket.unwrap().clone()
    };
    let target = of("/s/u@h-22").target();
    assert_eq!(snapshot.find(&target), Some(&of("/s/u@h-22")));
    for (what, other) in [
        (
            "path",
            Target {
                path: path("/s/other"),
                ..target.clone()
            },
        ),
        (
            "no file",
            Target {
                id: None,
                ..target.clone()
            },
        ),
        (
            "file",
            Target {
                id: Some(SocketId {
                    changed: (0, 0),
                    ..stat().id
                }),
                ..target.clone()
            },
        ),
        (
            "listener",
            Target {
                cookie: Some(Cookie(1)),
                ..target.clone()
            },
        ),
    ] {
        assert_eq!(snapshot.find(&other), None, "another {what}");
    }
}
