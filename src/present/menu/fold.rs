//! Which sockets have a row of their own in the menu, and which are folded into one row for each state.
//!
//! Nobody reads a menu of a thousand rows, and drawing it takes long. What is folded is chosen so that rows keep still:
//!
//! - Problems and masters have room of their own each, so a problem that comes or goes moves no master.
//! - Room goes to what is worse, then to the user's own before other programs', then to what has been there longest:
//!   a newcomer takes nobody's place that matters as much.
//! - What has a row stands in the order of the snapshot, and what is folded is counted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::socket::Socket;

/// Rows for problems, folds included; more only where more states than that are to be folded.
const PROBLEMS: usize = 8;

/// Rows for everything else, folds included. With the rest of the menu that is as much as a small screen shows.
const OTHERS: usize = 12;

/// Sockets that a fold lists; of more it gives the number. Many problems of one kind mostly have one cause and one
/// remedy, but a master is looked for by its name.
const LISTED_PROBLEMS: usize = 10;
const LISTED_OTHERS: usize = 30;

/// A row of the menu: one socket, or those of one kind that have no row of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row<'a> {
    One(&'a Socket),
    Fold(Fold<'a>),
}

/// Sockets of one kind in one row, at least two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fold<'a> {
    pub(super) kind: Kind,
    /// All of them, in the order of the snapshot.
    pub(super) sockets: Vec<&'a Socket>,
    /// Whether others of the kind have rows of their own.
    pub(super) are_more: bool,
}

/// What is folded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) is_problem: bool,
    /// The state's name.
    pub(super) state: &'static str,
}

impl Kind {
    fn of(socket: &Socket) -> Self {
        Self {
            is_problem: socket.is_problem(),
            state: socket.state.name(),
        }
    }
}

impl<'a> Fold<'a> {
    /// The state of all of them, for a person.
    pub(super) fn word(&self) -> String {
        let first = self.sockets.first();
        first.map_or_else(String::new, |socket| socket.state.word())
    }

    /// Those that the fold lists, in the order of the snapshot, and how many it does not.
    pub(super) fn listed(&self) -> (Vec<&'a Socket>, usize) {
        let room = if self.kind.is_problem {
            LISTED_PROBLEMS
        } else {
            LISTED_OTHERS
        };
        // A line that stands for one would take the room of that one.
        if self.sockets.len() <= room + 1 {
            return (self.sockets.clone(), 0);
        }
        let listed: BTreeSet<usize> = ranked(&self.sockets).into_iter().take(room).collect();
        let listed: Vec<_> = listed.iter().map(|index| self.sockets[*index]).collect();
        let unlisted = self.sockets.len() - listed.len();
        (listed, unlisted)
    }
}

/// The rows for these sockets, which stand in the order of the snapshot: problems first.
pub(super) fn rows(sockets: &[Socket]) -> Vec<Row<'_>> {
    let (problems, others): (Vec<_>, Vec<_>) =
        sockets.iter().partition(|socket| socket.is_problem());
    let mut rows = folded(&problems, PROBLEMS);
    rows.extend(folded(&others, OTHERS));
    rows
}

fn folded<'a>(sockets: &[&'a Socket], room: usize) -> Vec<Row<'a>> {
    if sockets.len() <= room {
        return sockets.iter().map(|socket| Row::One(socket)).collect();
    }
    let kinds: Vec<Kind> = sockets.iter().map(|socket| Kind::of(socket)).collect();
    let mut rest: BTreeMap<Kind, usize> = BTreeMap::new();
    for kind in &kinds {
        *rest.entry(*kind).or_default() += 1;
    }
    let mut own: BTreeSet<usize> = BTreeSet::new();
    for index in ranked(sockets) {
        // Who gets a row of his own takes one from the room, and leaves a fold or, as its last one, ends it.
        let ends_a_fold = rest.get(&kinds[index]) == Some(&1);
        if own.len() + rest.len() + usize::from(!ends_a_fold) > room {
            break;
        }
        own.insert(index);
        if ends_a_fold {
            rest.remove(&kinds[index]);
        } else {
            rest.entry(kinds[index]).and_modify(|count| *count -= 1);
        }
    }
    // A fold of one would be a row in the place of a row.
    let is_alone = |index: &usize| rest.get(&kinds[*index]) == Some(&1);
    let (shown, hidden): (Vec<_>, Vec<_>) =
        (0..sockets.len()).partition(|index| own.contains(index) || is_alone(index));

    let mut rows: Vec<_> = shown
        .iter()
        .map(|index| Row::One(sockets[*index]))
        .collect();
    let mut folds: Vec<Fold<'a>> = Vec::new();
    for index in hidden {
        match folds.iter_mut().find(|fold| fold.kind == kinds[index]) {
            Some(fold) => fold.sockets.push(sockets[index]),
            None => folds.push(Fold {
                kind: kinds[index],
                sockets: vec![sockets[index]],
                are_more: shown.iter().any(|shown| kinds[*shown] == kinds[index]),
            }),
        }
    }
    rows.extend(folds.into_iter().map(Row::Fold));
    rows
}

/// The places of the sockets in the order in which they are given room.
fn ranked(sockets: &[&Socket]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..sockets.len()).collect();
    places.sort_by_cached_key(|place| {
        let socket = sockets[*place];
        let worst = Reverse(socket.worst().filter(|_| socket.is_problem()));
        (worst, socket.managed_by.is_some(), socket.since, *place)
    });
    places
}

#[cfg(test)]
mod tests;
