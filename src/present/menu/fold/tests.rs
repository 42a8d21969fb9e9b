//! What has a row of its own and what is folded: cases, and what holds for any sockets.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::model::control_path::ControlPath;
use crate::model::finding::Severity;
use crate::model::places::Managed;
use crate::model::samples::{observation, path, running, seen};
use crate::model::socket::{Connect, Observation, State};

/// A socket of this name that is there since so many seconds after the epoch.
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

/// As many sockets of the state, the first by name the youngest.
fn many(state: &str, number: u32) -> Vec<Socket> {
    (0..number)
        .map(|name| socket(state, name, 100_000 - name))
        .collect()
}

/// The rows in a few words: names, and numbers of what is folded.
fn told(rows: &[Row<'_>]) -> Vec<String> {
    let row = |row: &Row<'_>| match row {
        Row::One(socket) => socket.path.to_string(),
        Row::Fold(fold) => {
            let more = if fold.are_more { "more " } else { "" };
            format!("{} {more}{}", fold.sockets.len(), fold.kind.state)
        }
    };
    rows.iter().map(row).collect()
}

#[test]
fn what_fits_is_not_folded() {
    let sockets = [many("stale", 8), many("running", 12)].concat();
    assert!(rows(&sockets).iter().all(|row| matches!(row, Row::One(_))));
}

#[test]
fn the_longest_running_keep_their_rows_in_the_order_of_names() {
    let told = told(&rows(&many("running", 200)));
    assert_eq!(told.len(), OTHERS);
    assert_eq!(told[0], "/s/00189");
    assert_eq!(told[10], "/s/00199");
    assert_eq!(told[11], "189 more running");
}

#[test]
fn problems_take_no_room_from_masters() {
    let masters = many("running", 12);
    let sockets = [many("stale", 500), masters].concat();
    let told = told(&rows(&sockets));
    assert_eq!(told.len(), PROBLEMS + OTHERS);
    assert_eq!(told[7], "493 more stale");
    assert_eq!(told[8], "/s/00000");
}

#[test]
fn each_state_has_a_fold_and_a_single_one_its_row() {
    let mut sockets = many("stale", 30);
    sockets.push(socket("leftover", 50, 100_000));
    let told_of = |sockets: &[Socket]| told(&rows(sockets))[6..].to_vec();
    assert_eq!(told_of(&sockets), ["/s/00050", "24 more stale"]);
    sockets.push(socket("leftover", 51, 100_000));
    assert_eq!(told_of(&sockets), ["24 more stale", "2 leftover"]);
}

#[test]
fn the_worse_come_first_and_other_programs_last() {
    let mut sockets = many("stale", 20);
    sockets[0].findings[0].severity = Severity::Error;
    for old in &mut sockets[13..] {
        old.managed_by = Some(Managed::Ansible);
    }
    let told = told(&rows(&sockets));
    assert_eq!(told[0], "/s/00000");
    assert_eq!(told[1], "/s/00007");
    assert_eq!(told[6], "/s/00012");
    assert_eq!(told[7], "13 more stale");
}

#[test]
fn a_fold_lists_some_and_counts_the_rest() {
    let listed = |state: &str, number: u32| {
        let sockets = many(state, number);
        let rows = rows(&sockets);
        let Some(Row::Fold(fold)) = rows.last() else {
            panic!("no fold of {number}");
        };
        let (listed, unlisted) = fold.listed();
        let sorted = listed.is_sorted_by_key(|socket| &socket.path);
        assert!(sorted && listed.len() + unlisted == fold.sockets.len());
        (listed.len(), unlisted)
    };
    assert_eq!(listed("running", 13), (2, 0));
    assert_eq!(listed("running", 42), (31, 0));
    assert_eq!(listed("running", 43), (30, 2));
    assert_eq!(listed("running", 1000), (30, 959));
    assert_eq!(listed("stale", 1000), (10, 983));
}

fn any_socket() -> impl Strategy<Value = Socket> {
    let state = prop::sample::select(vec!["running", "stale", "leftover"]);
    (state, 0..100_000_u32, 0..50_u32, any::<bool>()).prop_map(|(state, name, since, managed)| {
        let managed_by = managed.then_some(Managed::Kitty);
        Socket {
            managed_by,
            ..socket(state, name, since)
        }
    })
}

/// Sockets as a snapshot has them: each path once, problems first, then by name.
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
    fn every_socket_is_in_one_place_and_the_menu_is_short(sockets in any_sockets()) {
        let rows = rows(&sockets);
        prop_assert!(rows.len() <= PROBLEMS + OTHERS);
        let mut all: Vec<&Socket> = with_a_row(&rows);
        for row in &rows {
            if let Row::Fold(fold) = row {
                prop_assert!(fold.sockets.len() > 1);
                prop_assert!(fold.sockets.iter().all(|socket| Kind::of(socket) == fold.kind));
                all.extend(&fold.sockets);
            }
        }
        all.sort_by_key(|socket| (!socket.is_problem(), &socket.path));
        prop_assert!(all.into_iter().eq(&sockets));
    }

    #[test]
    fn one_socket_more_moves_at_most_two_others(
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
    fn a_newcomer_takes_no_row_once_there_is_a_fold(
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
