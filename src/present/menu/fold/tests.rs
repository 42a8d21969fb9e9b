use std::ops::Range;
use std::time::{Duration, SystemTime};

use super::*;
use crate::model::finding::{FindingId, Severity};
use crate::model::places::Managed;
use crate::model::samples::{in_state, path};
use crate::model::socket::State;
use crate::present::menu::tests::{context, finding};

/// The first by name is the youngest.
pub(in crate::present::menu) fn many(state: &State, names: Range<u64>) -> Vec<Socket> {
    let is_problem = *state != State::Running;
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

#[test]
fn rows_and_folds_of_many_sockets() {
    let mut ranked = many(&State::Stale, 0..20);
    ranked[0].findings[0].severity = Severity::Error;
    for managed in &mut ranked[13..] {
        managed.managed_by = Some(Managed("ansible"));
    }
    let label = |entry: &Entry| match entry {
        Entry::Submenu { label, .. } => format!("{label}\n"),
        other => panic!("{other:?}"),
    };
    let menus = [
        // At the limits nothing is folded.
        [many(&State::Stale, 0..8), many(&State::Running, 0..12)].concat(),
        // The oldest have rows, and problems use no row of masters.
        [many(&State::Stale, 0..500), many(&State::Running, 0..200)].concat(),
        // A fold has at least two sockets, of one state.
        [many(&State::Leftover, 0..1), many(&State::Stale, 1..31)].concat(),
        [many(&State::Leftover, 0..2), many(&State::Stale, 2..32)].concat(),
        // First the highest severity, last other programs.
        ranked,
    ]
    .map(|sockets| {
        let rows = rows(&sockets, context());
        rows.iter().map(label).collect::<String>()
    });
    insta::assert_snapshot!(menus.join("\n"));
}

#[test]
fn a_new_socket_displaces_none() {
    let listed = |sockets: &[Socket]| {
        let sockets: Vec<&Socket> = sockets.iter().collect();
        let (listed, _) = split(&sockets, OTHERS);
        let paths = listed.iter().map(|socket| socket.path.clone());
        paths.collect::<Vec<_>>()
    };
    let mut masters = many(&State::Running, 0..30);
    let before = listed(&masters);
    let mut new = many(&State::Running, 30..31);
    new[0].since = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(200_000));
    masters.extend(new);
    assert_eq!(listed(&masters), before);
}
