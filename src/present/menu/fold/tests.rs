use std::time::{Duration, SystemTime};

use super::*;
use crate::model::finding::FindingId;
use crate::model::finding::Severity;
use crate::model::places::Managed;
use crate::model::samples::{in_state, path};
use crate::model::socket::State;
use crate::present::menu::tests::finding;

/// The first by name is the youngest.
fn many(state: State, names: std::ops::Range<u64>) -> Vec<Socket> {
    let is_problem = state != State::Running;
    let socket = |name| Socket {
        path: path(&format!("/s/{name:05}")),
        since: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(100_000 - name)),
        findings: Vec::from_iter(is_problem.then(|| finding(FindingId::Stale, "/s"))),
        hosts: Vec::new(),
        destination: None,
        sessions: None,
        ..in_state(state.clone())
    };
    names.map(socket).collect()
}

fn label(entry: &Entry) -> &str {
    match entry {
        Entry::Submenu { label, .. } => label,
        _ => "",
    }
}

#[test]
fn rows_and_folds_of_many_sockets() {
    let mut ranked = many(State::Stale, 0..20);
    ranked[0].findings[0].severity = Severity::Error;
    for managed in &mut ranked[13..] {
        managed.managed_by = Some(Managed("ansible"));
    }
    for (sockets, count, rows_at) in [
        // At the limits nothing is folded.
        (
            [many(State::Stale, 0..8), many(State::Running, 0..12)].concat(),
            20,
            &[(7, "/s/00007"), (19, "/s/00011")][..],
        ),
        // The oldest have rows.
        (
            many(State::Running, 0..200),
            12,
            &[(0, "/s/00189"), (10, "/s/00199"), (11, "189 more running")],
        ),
        // Problems use no row of masters.
        (
            [many(State::Stale, 0..500), many(State::Running, 0..12)].concat(),
            20,
            &[(7, "493 more stale"), (8, "/s/00000")],
        ),
        // A fold has at least two sockets, of one state.
        (
            [many(State::Leftover, 0..1), many(State::Stale, 1..31)].concat(),
            9,
            &[(6, "/s/00030"), (7, "/s/00000"), (8, "23 more stale")],
        ),
        (
            [many(State::Leftover, 0..2), many(State::Stale, 2..32)].concat(),
            9,
            &[(7, "2 more leftover"), (8, "23 more stale")],
        ),
        // First the highest severity, last other programs.
        (
            ranked,
            8,
            &[
                (0, "/s/00000"),
                (1, "/s/00007"),
                (6, "/s/00012"),
                (7, "13 more stale"),
            ],
        ),
    ] {
        let rows = rows(&sockets, &Answers::new());
        let rows: Vec<&str> = rows.iter().map(label).collect();
        assert_eq!(rows.len(), count, "{rows:?}");
        for (at, row) in rows_at {
            assert!(rows[*at].contains(row), "{at} {row}: {rows:?}");
        }
    }
}

#[test]
fn a_fold_lists_some_sockets_and_counts_the_others() {
    for (state, number, listed, unlisted) in [
        (State::Running, 42, 31, 0),
        (State::Running, 43, 30, 2),
        (State::Stale, 1000, 10, 983),
    ] {
        let rows = rows(&many(state, 0..number), &Answers::new());
        let Some(Entry::Submenu { entries, .. }) = rows.last() else {
            panic!("no fold of {number}");
        };
        let sockets = entries
            .iter()
            .map(label)
            .filter(|label| label.contains("/s/"));
        let more = more(unlisted, "muxtray list");
        assert!(sockets.clone().is_sorted());
        assert_eq!(sockets.count(), listed);
        assert_eq!(entries.last().filter(|_| unlisted > 0), more.as_ref());
    }
}

#[test]
fn a_new_socket_displaces_none_and_one_that_ends_only_adds_a_row() {
    let listed = |sockets: &[Socket]| -> BTreeSet<String> {
        let (listed, _) = split(&sockets.iter().collect::<Vec<_>>(), OTHERS);
        listed
            .iter()
            .map(|socket| socket.path.to_string())
            .collect()
    };
    let masters = many(State::Running, 0..30);
    let before = listed(&masters);
    for gone in 0..masters.len() {
        let mut fewer = masters.clone();
        let gone = fewer.remove(gone).path.to_string();
        let added = usize::from(before.contains(&gone));
        assert_eq!(listed(&fewer).difference(&before).count(), added, "{gone}");
    }
    let younger = many(State::Running, 30..31)
        .into_iter()
        .map(|socket| Socket {
            since: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(200_000)),
            ..socket
        });
    assert_eq!(
        listed(&masters.into_iter().chain(younger).collect::<Vec<_>>()),
        before
    );
}
