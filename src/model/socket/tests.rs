use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::decide::ending;
use crate::model::network::Doubt;
use crate::model::samples::{
    at, connection, in_state, path, root, running, seen, seen_over, states,
};
use crate::model::state;

#[test]
fn states_are_those_of_the_table_and_allow_these_actions() {
    let mut names = BTreeSet::new();
    for state in states() {
        let name = state.name();
        names.insert(name);
        assert_eq!(state.word(), name);
        for (is_allowed, states) in [
            (state.is_running(), &["running", "suspect", "stranded"][..]),
            (state.is_cleanable(), &["stale", "leftover"]),
            (ending::is_needed(&state), &["unresponsive", "orphaned"]),
        ] {
            assert_eq!(is_allowed, states.contains(&name), "{state:?}");
        }
    }
    assert_eq!(names, state::table().map(|row| row.name).collect());
}

#[test]
fn shows_owners_with_their_name_if_they_have_one() {
    for (name, shown) in [
        (Some("root"), "root (uid 0)"),
        (Some("a\nb"), "a\\u{a}b (uid 0)"),
        (None, "uid 0"),
    ] {
        let name = name.map(str::to_owned);
        assert_eq!(Owner { name, ..root() }.to_string(), shown);
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
    let (info, warning, error) = (Severity::Info, Severity::Warning, Severity::Error);
    for (ids, worst, is_problem) in [
        (&[][..], None, false),
        (&[Suspect], Some(info), false),
        (&[Suspect, InsecureMode], Some(warning), true),
        (&[InsecureMode, Stranded, Suspect], Some(error), true),
    ] {
        let mut socket = in_state(State::Running);
        socket.findings = ids.iter().map(|id| finding(*id, "seen")).collect();
        assert_eq!((socket.worst(), socket.is_problem()), (worst, is_problem));
    }
}

#[test]
fn known_processes_end_with_an_event() {
    for (sessions, clients, forwarded, without_event) in [
        (Some(0), None, Some(0), false),
        (None, None, None, false),
        (Some(1), None, Some(0), true),
        (Some(1), Some(Clients(vec![None])), Some(0), true),
        (Some(0), Some(Clients::default()), Some(1), true),
        (Some(0), Some(Clients::default()), Some(0), false),
    ] {
        let socket = Socket {
            sessions,
            clients,
            forwarded,
            ..in_state(State::Running)
        };
        assert_eq!(socket.changes_without_event(), without_event);
    }
}

#[test]
fn only_the_time_and_the_age_of_network_facts_are_ignored() {
    let mut now = seen(vec![running()]);
    now.sockets[0].state = State::Suspect(Doubt::NoRoute);
    now.sockets[0].findings = vec![
        finding(FindingId::Suspect, "40 s ago"),
        finding(FindingId::InsecureMode, "seen"),
    ];
    type Change = fn(&mut Snapshot);
    let changes: [(Change, bool); 10] = [
        (|it| it.at = at() + Duration::from_secs(60), true),
        (
            |it| it.sockets[0].findings[0].evidence = "41 s ago".to_owned(),
            true,
        ),
        (|it| it.sockets[0].network = None, true),
        (|it| it.sockets[0].findings[0].remedy.push('x'), false),
        (|it| it.sockets[0].findings[1].evidence.push('x'), false),
        (|it| it.sockets[0].sessions = Some(3), false),
        (|it| it.sockets[0].state = State::Stale, false),
        (|it| it.sockets.clear(), false),
        (
            |it| it.findings.push(finding(FindingId::SshMissing, "seen")),
            false,
        ),
        (|it| it.asides.push(it.sockets[0].target()), false),
    ];
    for (number, (change, is_same)) in changes.iter().enumerate() {
        let mut after = now.clone();
        change(&mut after);
        assert_eq!(now.eq_ignoring_age(&after), *is_same, "change {number}");
    }
    let over = |heard| {
        let mut connection = connection();
        connection.numbers.last_ack_received = Duration::from_secs(heard);
        seen_over(vec![running()], [(MasterPid(4711), connection)].into())
    };
    let (now, later) = (over(40), over(41));
    assert!(now != later && now.eq_ignoring_age(&later));
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

#[test]
fn worst_is_the_highest_severity_of_sockets_and_other_findings() {
    use Severity::{Error, Info, Warning};
    let finding = |severity: &Severity| {
        Finding::new(FindingId::Stale, "/s/a", "seen", "do").with_severity(*severity)
    };
    for (of_socket, others, worst) in [
        (&[][..], &[][..], None),
        (&[Info], &[], Some(Info)),
        (&[], &[Warning, Info], Some(Warning)),
        (&[Error], &[Warning], Some(Error)),
        (&[Warning, Info], &[Error, Info], Some(Error)),
    ] {
        let mut snapshot = seen(vec![running()]);
        snapshot.sockets[0].findings = of_socket.iter().map(finding).collect();
        snapshot.findings = others.iter().map(finding).collect();
        assert_eq!(snapshot.worst(), worst);
    }
}
