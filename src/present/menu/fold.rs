//! Chooses the sockets that have a row of their own in the menu; the others of a state are folded into one row.
//!
//! A menu of a thousand rows is slow to draw and to read. The choice keeps rows in place:
//!
//! - Problems and other sockets have separate limits, so a new problem moves no master.
//! - The limit goes to the highest severity first, then to the user's own sockets, then to the oldest ones, so that a
//!   new socket displaces none of the same rank.
//! - Sockets with a row stand in the order of the snapshot.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::socket::Socket;

/// Rows for problems, including folds. More states than that have one fold each.
const PROBLEMS: usize = 8;

/// Rows for other sockets, including folds. With the rest of the menu they fit a small screen.
const OTHERS: usize = 12;

/// Sockets in the submenu of a fold. Problems of one state usually have the same cause, but a master is looked for by
/// its name.
const LISTED_PROBLEMS: usize = 10;
const LISTED_OTHERS: usize = 30;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row<'a> {
    One(&'a Socket),
    Fold(Fold<'a>),
}

/// At least two sockets of one category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fold<'a> {
    pub(super) category: Category,
    /// In the order of the snapshot.
    pub(super) sockets: Vec<&'a Socket>,
    /// Whether other sockets of the category have a row of their own.
    pub(super) are_more: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Category {
    pub(super) is_problem: bool,
    pub(super) state: &'static str,
}

impl Category {
    fn of(socket: &Socket) -> Self {
        Self {
            is_problem: socket.is_problem(),
            state: socket.state.name(),
        }
    }
}

impl<'a> Fold<'a> {
    /// The word for the state, translated.
    pub(super) fn word(&self) -> String {
        let first = self.sockets.first();
        first.map_or_else(String::new, |socket| socket.state.word())
    }

    /// Returns the sockets in the submenu, in the order of the snapshot, and the number of the others.
    pub(super) fn listed(&self) -> (Vec<&'a Socket>, usize) {
        let room = if self.category.is_problem {
            LISTED_PROBLEMS
        } else {
            LISTED_OTHERS
        };
        // The row "1 more" would be as long as that one.
        if self.sockets.len() <= room + 1 {
            return (self.sockets.clone(), 0);
        }
        let listed: BTreeSet<usize> = ranked(&self.sockets).into_iter().take(room).collect();
        let listed: Vec<_> = listed.iter().map(|index| self.sockets[*index]).collect();
        let unlisted = self.sockets.len() - listed.len();
        (listed, unlisted)
    }
}

/// Returns the rows of sockets in the order of the snapshot, problems first.
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
    let categories: Vec<Category> = sockets.iter().map(|socket| Category::of(socket)).collect();
    let mut rest: BTreeMap<Category, usize> = BTreeMap::new();
    for category in &categories {
        *rest.entry(*category).or_default() += 1;
    }
    let mut own: BTreeSet<usize> = BTreeSet::new();
    for index in ranked(sockets) {
        // A row of its own uses one of the limit, unless it replaces the fold of which it is the last socket.
        let ends_a_fold = rest.get(&categories[index]) == Some(&1);
        if own.len() + rest.len() + usize::from(!ends_a_fold) > room {
            break;
        }
        own.insert(index);
        if ends_a_fold {
            rest.remove(&categories[index]);
        } else {
            rest.entry(categories[index])
                .and_modify(|count| *count -= 1);
        }
    }
    // A fold of one socket would save no row.
    let is_alone = |index: &usize| rest.get(&categories[*index]) == Some(&1);
    let (shown, hidden): (Vec<_>, Vec<_>) =
        (0..sockets.len()).partition(|index| own.contains(index) || is_alone(index));

    let mut rows: Vec<_> = shown
        .iter()
        .map(|index| Row::One(sockets[*index]))
        .collect();
    let mut folds: Vec<Fold<'a>> = Vec::new();
    for index in hidden {
        match folds
            .iter_mut()
            .find(|fold| fold.category == categories[index])
        {
            Some(fold) => fold.sockets.push(sockets[index]),
            None => folds.push(Fold {
                category: categories[index],
                sockets: vec![sockets[index]],
                are_more: shown
                    .iter()
                    .any(|shown| categories[*shown] == categories[index]),
            }),
        }
    }
    rows.extend(folds.into_iter().map(Row::Fold));
    rows
}

/// Returns the indices of the sockets in the order in which they get a row.
fn ranked(sockets: &[&Socket]) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..sockets.len()).collect();
    indices.sort_by_cached_key(|index| {
        let socket = sockets[*index];
        let worst = Reverse(socket.worst().filter(|_| socket.is_problem()));
        (worst, socket.managed_by.is_some(), socket.since, *index)
    });
    indices
}

#[cfg(test)]
mod tests;
