use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::model::control_path::ControlPath;
use crate::model::finding::Severity;
use crate::model::places::Managed;
use crate::model::samples::{observation, path, running, seen};
use crate::model::socket::{Connect, Observation, State};

fn socket(state: &str, name: u32, since: u32) -> Socket {
    let stale = Observation {
        connect: Some(Connect::Refused),
        ..observation()
    };
    let seen = seen(vec![if state == "running" { running() } else { stale }]);
    let mut socket = seen.sockets.into_iter().next().unwrap();
    socket.path = path(&format!("/s/{name:05}"));
    socket.since = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(since.into()));
    if state == "leftover" {
        socket.state = State::Leftover;
    }
    socket
}

/// The first by name is the youngest.
fn many(state: &str, number: u32) -> Vec<Socket> {
    (0..number)
        .map(|name| socket(state, name, 100_000 - name))
        .collect()
}

fn shown(rows: &[Row<'_>]) -> Vec<String> {
    let row = |row: &Row<'_>| match row {
        Row::One(socket) => socket.path.to_string(),
        Row::Fold(fold) => {
            let more = if fold.are_more { "more " } else { "" };
            format!("{} {more}{}", fold.sockets.len(), fold.category.state)
        }
    };
    rows.iter().map(row).collect()
}

#[test]
fn rows_and_folds_of_many_sockets() {
    let of_two_states = |leftovers: u32| {
        let leftovers = (50..50 + leftovers).map(|name| socket("leftover", name, 100_000));
        many("stale", 30).into_iter().chain(leftovers).collect()
    };
    let mut ranked = many("stale", 20);
    ranked[0].findings[0].severity = Severity::Error;
    for managed in &mut ranked[13..] {
        managed.managed_by = Some(Managed("ansible"));
    }
    for (sockets, count, rows_at) in [
        // At the limits nothing is folded.
        (
            [many("stale", 8), many("running", 12)].concat(),
            20,
            &[(7, "/s/00007"), (19, "/s/00011")][..],
        ),
        // The oldest have rows.
        (
            many("running", 200),
            OTHERS,
            &[(0, "/s/00189"), (10, "/s/00199"), (11, "189 more running")],
        ),
        // Problems use no row of masters.
        (
            [many("stale", 500), many("running", 12)].concat(),
            PROBLEMS + OTHERS,
            &[(7, "493 more stale"), (8, "/s/00000")],
        ),
        // A fold has at least two sockets.
        (
            of_two_states(1),
            PROBLEMS,
            &[(6, "/s/00050"), (7, "24 more stale")],
        ),
        (
            of_two_states(2),
            PROBLEMS,
            &[(6, "24 more stale"), (7, "2 leftover")],
        ),
        // First the highest severity, last other programs.
        (
            ranked,
            PROBLEMS,
            &[
                (0, "/s/00000"),
                (1, "/s/00007"),
                (6, "/s/00012"),
                (7, "13 more stale"),
            ],
        ),
    ] {
        let rows = shown(&rows(&sockets));
        assert_eq!(rows.len(), count, "{rows:?}");
        for (at, row) in rows_at {
            assert_eq!(rows[*at], *row, "{rows:?}");
        }
    }
}

#[test]
fn a_fold_lists_some_sockets_and_counts_the_others() {
    for (state, number, expected) in [
        ("running", 13, (2, 0)),
        ("running", 42, (31, 0)),
        ("running", 43, (30, 2)),
        ("running", 1000, (30, 959)),
        ("stale", 1000, (10, 983)),
    ] {
        let sockets = many(state, number);
        let rows = rows(&sockets);
        let Some(Row::Fold(fold)) = rows.last() else {
            panic!("no fold of {number}");
        };
        let (listed, unlisted) = fold.listed();
        assert!(listed.is_sorted_by_key(|socket| &socket.path));
        assert_eq!((listed.len(), unlisted), expected);
    }
}

fn any_socket() -> impl Strategy<Value = Socket> {
    let state = prop::sample::select(vec!["running", "stale", "leftover"]);
    (state, 0..100_000_u32, 0..50_u32, any::<bool>()).prop_map(|(state, name, since, managed)| {
        let managed_by = managed.then_some(Managed("kitty"));
        Socket {
            managed_by,
            ..socket(state, name, since)
        }
    })
}

/// In the order of a snapshot.
fn any_sockets() -> impl Strategy<Value = Vec<Socket>> {
    prop::collection::vec(any_socket(), 0..60).prop_map(|mut sockets| {
        sockets.sort_by_key(|socket| (!socket.is_problem(), socket.path.clone()));
        sockets.dedup_by_key(|socket| socket.path.clone());
        sockets
    })
}

fn with_a_row<'a>(rows: &[Row<'a>]) -> Vec<&'a Socket> {
    let one = |row: &Row<'a>| match row {
        Row::One(socket) => Some(*socket),
        Row::Fold(_) => None,
    };
    rows.iter().filter_map(one).collect()
}

proptest! {
    #[test]
    fn every_socket_is_in_one_row_and_the_rows_are_few(sockets in any_sockets()) {
        let rows = rows(&sockets);
        prop_assert!(rows.len() <= PROBLEMS + OTHERS);
        let mut all: Vec<&Socket> = with_a_row(&rows);
        for row in &rows {
            if let Row::Fold(fold) = row {
                prop_assert!(fold.sockets.len() > 1);
                prop_assert!(fold.sockets.iter().all(|socket| Category::of(socket) == fold.category));
                all.extend(&fold.sockets);
            }
        }
        all.sort_by_key(|socket| (!socket.is_problem(), &socket.path));
        prop_assert!(all.into_iter().eq(&sockets));
    }

    #[test]
    fn one_more_socket_moves_at_most_two_others(
        sockets in any_sockets(),
        place in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!sockets.is_empty());
        let gone = place.index(sockets.len());
        let mut fewer = sockets.clone();
        fewer.remove(gone);
        let paths = |sockets: &[Socket]| -> BTreeSet<ControlPath> {
            with_a_row(&rows(sockets)).into_iter().map(|socket| socket.path.clone()).collect()
        };
        let (before, after) = (paths(&fewer), paths(&sockets));
        let moved = before.symmetric_difference(&after).filter(|path| **path != sockets[gone].path);
        prop_assert!(moved.count() <= 2);
    }

    #[test]
    fn a_new_socket_displaces_none_once_there_is_a_fold(
        ages in prop::collection::vec(0..50_u32, OTHERS + 2..60),
        name in 0..120_u32,
    ) {
        let masters = ages.iter().zip(0..).map(|(age, name)| socket("running", name * 2, 1_000 - age));
        let mut masters: Vec<Socket> = masters.collect();
        let before = with_a_row(&rows(&masters)).into_iter().cloned().collect::<Vec<_>>();
        masters.push(socket("running", name * 2 + 1, 1_000));
        masters.sort_by_key(|socket| socket.path.clone());
        prop_assert!(with_a_row(&rows(&masters)).into_iter().eq(&before));
    }
}
