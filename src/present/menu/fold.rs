//! The rows of the sockets. A menu of a thousand rows is slow to draw and to read, so of many sockets only some have a row
//! of their own, and the others of each state are in one submenu.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use tr::tr;

use super::entry::{Entry, shown_of};
use super::socket_rows::{RowContext, socket_key, socket_label, socket_rows};
use crate::model::socket::{Socket, State};
use crate::present::summary::PROBLEM_MARK;

/// The number of problems and of other sockets with rows of their own. The limits are separate, so that a new problem
/// moves no master.
const PROBLEMS: usize = 7;
const OTHERS: usize = 11;

/// The number of sockets in the submenu of a state.
const FOLDED: usize = 30;

/// Returns the rows of the sockets, problems first, otherwise in the order of the snapshot.
pub(super) fn rows(sockets: &[Socket], context: RowContext<'_>) -> Vec<Entry> {
    let (problems, others): (Vec<_>, Vec<_>) =
        sockets.iter().partition(|socket| socket.is_problem());
    let mut rows = Vec::new();
    for (sockets, limit) in [(problems, PROBLEMS), (others, OTHERS)] {
        let (listed, rest) = split(&sockets, limit);
        rows.extend(listed.into_iter().flat_map(|it| socket_rows(it, context)));
        let mut by_state: BTreeMap<&str, Vec<&Socket>> = BTreeMap::new();
        for socket in rest {
            by_state
                .entry(socket.state.name())
                .or_default()
                .push(socket);
        }
        rows.extend(
            by_state
                .into_values()
                .flat_map(|sockets| match sockets[..] {
                    [socket] => socket_rows(socket, context),
                    _ => vec![fold_menu(&sockets, context)],
                }),
        );
    }
    rows
}

/// Returns a row for sockets with the same state, and below it rows for some of them, which show details.
fn fold_menu(sockets: &[&Socket], context: RowContext<'_>) -> Entry {
    let first = sockets[0];
    let (n, state) = (sockets.len(), first.state.word());
    let mut label = tr!("{n} more {state}", n, state);
    let (mark, problem) = if first.is_problem() {
        (PROBLEM_MARK, "problem ")
    } else {
        ("\u{2026}", "")
    };
    if first.is_problem() && first.state == State::Running {
        label = tr!("{label}, with problems", label);
    }
    let (listed, rest) = split(sockets, FOLDED);
    let row = |socket: &Socket| Entry::Item {
        key: socket_key(socket),
        label: socket_label(socket, context.clock),
        intent: context.show(socket),
    };
    let mut entries: Vec<Entry> = listed.into_iter().map(row).collect();
    entries.extend(Entry::more(rest.len(), "muxtray list"));
    let key = format!("fold {problem}{}", first.state.name());
    Entry::submenu(key, format!("{mark} {label}"), entries)
}

/// Returns the sockets that are listed, and the others. The limit goes to the highest severity first, then to the user's
/// own sockets, then to the oldest ones, so that a new socket displaces none of the same rank.
fn split<'a>(sockets: &[&'a Socket], limit: usize) -> (Vec<&'a Socket>, Vec<&'a Socket>) {
    let mut ranked: Vec<usize> = (0..sockets.len()).collect();
    ranked.sort_by_cached_key(|index| {
        let socket = sockets[*index];
        let worst = Reverse(socket.worst().filter(|_| socket.is_problem()));
        (worst, socket.managed_by.is_some(), socket.since, *index)
    });
    ranked.truncate(shown_of(sockets.len(), limit));
    let listed: BTreeSet<usize> = ranked.into_iter().collect();
    let (listed, rest): (Vec<_>, Vec<_>) =
        (0..sockets.len()).partition(|index| listed.contains(index));
    let sockets = |indices: Vec<usize>| indices.into_iter().map(|index| sockets[index]).collect();
    (sockets(listed), sockets(rest))
}

#[cfg(test)]
pub(super) mod tests;
