use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::decide::ending;
use crate::model::network::Doubt;
use crate::model::samples::{
    at, connection, in_state, path, root, running, seen, seen_over, stat, states,
};
use crate::model::state;

#[test]
fn states_are_those_of_the_table_and_allow_these_actions() {
    let mut names = BTreeSet::new();
    for state in states() {
        let name = state.name();
        names.insert(name);
        assert_eq!(state.word(), name);
        assert_eq!(
            (
                state.is_running(),
                state.is_cleanable(),
                ending::is_needed(&state)
            ),
            (
                ["running", "suspect", "stranded"].contains(&name),
                ["stale", "leftover"].contains(&name),
                ["unresponsive", "orphaned"].contains(&name)
            ),
            "{state:?}"
        );
    }
    assert_eq!(names, state::table().map(|row| row.name).collect());
}

#[test]
fn shows_owners_with_their_name_if_they_have_one() {
    let owner = |name: &str| Owner {
        uid: UserId(7),
        name: Some(name.to_owned()),
    };
    assert_eq!(root().to_string(), "root (uid 0)");
    assert_eq!(owner("a\nb").to_string(), "a\\u{a}b (uid 7)");
    let nameless = Owner {
        name: None,
        ..owner("")
    };
    assert_eq!(nameless.to_string(), "uid 7");
}

#[test]
fn same_file_compares_device_and_inode() {
    let id = stat().id;
    let changed = (0, 1);
    for (other, is_same) in [
        (SocketId { changed, ..id }, true),
        (SocketId { inode: 8, ..id }, false),
        (SocketId { device: 2, ..id }, false),
    ] {
        assert_eq!(id.same_file(&other), is_same, "{other:?}");
    }
}

#[test]
fn sessions_at_stake_include_the_masters_own() {
    for (sessions, own_session, at_stake) in [
        (Some(2), false, Some(2)),
        (Some(2), true, Some(3)),
        (None, true, None),
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
fn title_is_hosts_or_destination_or_path() {
    let mut socket = in_state(State::Running);
    socket.hosts.push(HostAlias("db\n".to_owned()));
    assert_eq!(socket.title(), "web, db\\u{a}");
    socket.hosts.clear();
    assert_eq!(socket.title(), "u@h:22");
    socket.destination = None;
    assert_eq!(socket.title(), "/s/u@h-22");
}

fn finding(id: FindingId, evidence: &str) -> Finding {
    Finding::new(id, "/s/u@h-22", evidence, "do")
}

#[test]
fn is_a_problem_from_a_warning_on() {
    use FindingId::{InsecureMode, Stranded, Suspect};
    for (ids, worst, is_problem) in [
        (&[][..], None, false),
        (&[Suspect], Some(Severity::Info), false),
        (&[Suspect, InsecureMode], Some(Severity::Warning), true),
        (
            &[InsecureMode, Stranded, Suspect],
            Some(Severity::Error),
            true,
        ),
    ] {
        let mut socket = in_state(State::Running);
        socket.findings = ids.iter().map(|id| finding(*id, "seen")).collect();
        assert_eq!((socket.worst(), socket.is_problem()), (worst, is_problem));
    }
}

#[test]
fn only_the_age_of_network_facts_is_ignored() {
    let socket = Socket {
        findings: vec![
            finding(FindingId::Suspect, "40 s ago"),
            finding(FindingId::InsecureMode, "seen"),
        ],
        ..in_state(State::Suspect(Doubt::NoRoute))
    };
    type Change = fn(&mut Socket);
    let changes: [(Change, bool); 6] = [
        (|it| it.findings[0].evidence = "41 s ago".to_owned(), true),
        (|it| it.network = None, true),
        (|it| it.findings[0].remedy.push('x'), false),
        (|it| it.findings[1].evidence.push('x'), false),
        (|it| it.sessions = Some(3), false),
        (|it| it.state = State::Stale, false),
    ];
    for (at, (change, is_same)) in changes.iter().enumerate() {
        let mut after = socket.clone();
        change(&mut after);
        assert_eq!(socket.eq_ignoring_age(&after), *is_same, "change {at}");
    }
    let over = |heard| {
        let mut connection = connection();
        connection.numbers.last_ack_received = Duration::from_secs(heard);
        seen_over(vec![running()], [(MasterPid(4711), connection)].into())
    };
    let (now, later) = (over(40), over(41));
    assert_ne!(now, later);
    assert!(now.eq_ignoring_age(&later));
}

#[test]
fn snapshots_are_the_same_but_for_their_time() {
    let now = seen(vec![running()]);
    let later = Snapshot {
        at: at() + Duration::from_secs(60),
        ..now.clone()
    };
    assert!(now.eq_ignoring_age(&later));
    let changes: [fn(&mut Snapshot); 4] = [
        |it| it.sockets.clear(),
        |it| it.sockets[0].sessions = Some(9),
        |it| it.findings.push(finding(FindingId::SshMissing, "seen")),
        |it| it.asides.push(it.sockets[0].target()),
    ];
    for change in changes {
        let mut after = now.clone();
        change(&mut after);
        assert!(!now.eq_ignoring_age(&after), "{after:?}");
    }
}

#[test]
fn finds_targets_whose_path_file_and_listener_are_the_same() {
    let snapshot = seen(vec![running()]);
    let target = snapshot.sockets[0].target();
    assert_eq!(snapshot.find(&target), Some(&snapshot.sockets[0]));
    let changes: [fn(&mut Target); 4] = [
        |it| it.path = path("/s/other"),
        |it| it.id = None,
        |it| it.id.as_mut().unwrap().changed = (0, 0),
        |it| it.cookie = Some(Cookie(1)),
    ];
    for change in changes {
        let mut other = target.clone();
        change(&mut other);
        assert_eq!(snapshot.find(&other), None, "{other:?}");
    }
}
