//! Computes the edits from the drawn menu to the wanted menu.
//!
//! Pure: compares two lists of [`Entry`]. Two rules keep an open menu steady:
//!
//! - Rows are identified by their keys, so a row with a new text remains the same row.
//! - The intent of a row never changes, except to none: a row with another intent is a new row, so a click on the old
//!   one asks for the intent it was drawn with, or for nothing. The check mark shows the intent, so a row with another
//!   mark is a new row. A row that becomes enabled is a new row too: libdbusmenu-glib sends that change as a removed
//!   property, and Budgie reads only properties that are set.
//!
//! While the menu is open, only texts change and rows are disabled. The other edits wait until the menu is closed,
//! because panels draw an open menu incorrectly if rows are inserted or removed. If only the top menu may be open, the
//! rows of its submenus change too.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use crate::decide::intent::Intent;
use crate::present::menu::Entry;

/// One edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The path of indices from the top menu, valid after all earlier edits are applied.
    pub at: Vec<usize>,
    pub change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Not yet escaped.
    Label(String),
    Disable,
    /// Removes a row with everything below it.
    Remove,
    /// Inserts a row with everything below it.
    Insert(Entry),
}

/// The rows that may be inserted, removed and replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changeable {
    All,
    /// Rows of submenus only.
    BelowTop,
    None,
}

/// Returns the edits that turn the changeable rows of `drawn` into those of `wanted`.
pub fn edits(drawn: &[Entry], wanted: &[Entry], changeable: Changeable) -> Vec<Edit> {
    let mut plan = Plan::default();
    plan.menu(drawn, wanted, changeable);
    plan.edits
}

/// Applies an edit to the entries. Ignores a position that does not exist.
pub fn apply(entries: &mut Vec<Entry>, edit: &Edit) {
    let Some((&index, parents)) = edit.at.split_last() else {
        return;
    };
    let mut siblings = entries;
    for &parent in parents {
        let Some(Entry::Submenu { entries, .. }) = siblings.get_mut(parent) else {
            return;
        };
        siblings = entries;
    }
    if let Change::Insert(entry) = &edit.change {
        return siblings.insert(index.min(siblings.len()), entry.clone());
    }
    let Some(row) = siblings.get_mut(index) else {
        return;
    };
    match (&edit.change, row) {
        (
            Change::Label(new),
            Entry::Item { label, .. } | Entry::Check { label, .. } | Entry::Submenu { label, .. },
        ) => label.clone_from(new),
        (Change::Disable, Entry::Item { intent, .. } | Entry::Check { intent, .. }) => {
            *intent = None;
        }
        (Change::Remove, _) => drop(siblings.remove(index)),
        _ => {}
    }
}

#[derive(Default)]
struct Plan {
    /// The path of the menu that is compared.
    parents: Vec<usize>,
    edits: Vec<Edit>,
}

impl Plan {
    fn push(&mut self, index: usize, change: Change) {
        let at = self.parents.iter().copied().chain([index]).collect();
        self.edits.push(Edit { at, change });
    }

    fn menu(&mut self, drawn: &[Entry], wanted: &[Entry], changeable: Changeable) {
        if changeable == Changeable::All {
            return self.all_rows(drawn, wanted);
        }
        let places = places(wanted);
        for (index, (id, old)) in ids(drawn).zip(drawn).enumerate() {
            match places.get(&id).map(|place| &wanted[*place]) {
                Some(new) if can_stay(old, new) => {
                    let below = match changeable {
                        Changeable::BelowTop | Changeable::All => Changeable::All,
                        Changeable::None => Changeable::None,
                    };
                    self.row(index, old, new, below);
                }
                Some(_) => {}
                None => self.disable(index, old),
            }
        }
    }

    fn all_rows(&mut self, drawn: &[Entry], wanted: &[Entry]) {
        let kept = kept_rows(drawn, wanted);
        let (mut old, mut new, mut index) = (0, 0, 0);
        for (next_old, next_new) in kept.into_iter().chain([(drawn.len(), wanted.len())]) {
            for _ in old..next_old {
                self.push(index, Change::Remove);
            }
            for entry in &wanted[new..next_new] {
                self.push(index, Change::Insert(entry.clone()));
                index += 1;
            }
            if let (Some(before), Some(after)) = (drawn.get(next_old), wanted.get(next_new)) {
                self.row(index, before, after, Changeable::All);
            }
            (old, new, index) = (next_old + 1, next_new + 1, index + 1);
        }
    }

    fn row(&mut self, index: usize, old: &Entry, new: &Entry, below: Changeable) {
        let (Some(before), Some(after)) = (Row::of(old), Row::of(new)) else {
            return;
        };
        if let (
            Entry::Submenu { entries: drawn, .. },
            Entry::Submenu {
                entries: wanted, ..
            },
        ) = (old, new)
        {
            self.parents.push(index);
            self.menu(drawn, wanted, below);
            self.parents.pop();
        }
        if before.label != after.label {
            self.push(index, Change::Label(after.label.to_owned()));
        }
        if before.intent.is_some() && after.intent.is_none() {
            self.push(index, Change::Disable);
        }
    }

    /// Disables a row that the wanted menu does not have, and all rows below it; they stay visible.
    fn disable(&mut self, index: usize, entry: &Entry) {
        if let Entry::Submenu { entries, .. } = entry {
            self.parents.push(index);
            for (index, entry) in entries.iter().enumerate() {
                self.disable(index, entry);
            }
            self.parents.pop();
        } else if Row::of(entry).is_some_and(|row| row.intent.is_some()) {
            self.push(index, Change::Disable);
        }
    }
}

struct Row<'a> {
    key: &'a str,
    label: &'a str,
    checked: bool,
    intent: Option<&'a Intent>,
}

impl<'a> Row<'a> {
    /// `None` for a separator.
    fn of(entry: &'a Entry) -> Option<Self> {
        let (key, label, checked, intent) = match entry {
            Entry::Separator => return None,
            Entry::Item { key, label, intent } => (key, label, false, intent.as_ref()),
            Entry::Check {
                key,
                label,
                checked,
                intent,
            } => (key, label, *checked, intent.as_ref()),
            Entry::Submenu { key, label, .. } => (key, label, false, None),
        };
        Some(Self {
            key,
            label,
            checked,
            intent,
        })
    }
}

type RowId<'a> = (Discriminant<Entry>, &'a str);

/// The identities of rows: the keys, and for a separator that of the row before it.
fn ids(entries: &[Entry]) -> impl Iterator<Item = RowId<'_>> {
    let mut key = "";
    entries.iter().map(move |entry| {
        key = Row::of(entry).map_or(key, |row| row.key);
        (discriminant(entry), key)
    })
}

fn places(entries: &[Entry]) -> HashMap<RowId<'_>, usize> {
    ids(entries).zip(0..).collect()
}

/// Returns whether an edit in place turns the old row into the new one, which has the same identity.
fn can_stay(old: &Entry, new: &Entry) -> bool {
    match (Row::of(old), Row::of(new)) {
        (Some(old), Some(new)) => {
            old.checked == new.checked && (new.intent.is_none() || old.intent == new.intent)
        }
        _ => true,
    }
}

/// Returns the rows that stay, as pairs of increasing indices: a longest sequence, in O(n log n).
fn kept_rows(drawn: &[Entry], wanted: &[Entry]) -> Vec<(usize, usize)> {
    let places = places(wanted);
    let rows = ids(drawn).zip(drawn).enumerate();
    let stays = rows.filter_map(|(old, (id, entry))| {
        let new = *places.get(&id)?;
        can_stay(entry, &wanted[new]).then_some((old, new))
    });
    longest_increasing(&stays.collect::<Vec<_>>())
}

/// Returns a longest subsequence in which the second numbers increase too.
fn longest_increasing(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length the pair with the smallest second number that ends a subsequence of that length, and for each
    // pair its predecessor.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (place, (_, new)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|top| pairs[*top].1 < *new);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        if length < ends.len() {
            ends[length] = place;
        } else {
            ends.push(place);
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut last = ends.last().copied();
    while let Some(place) = last {
        run.push(pairs[place]);
        last = before[place];
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests;
