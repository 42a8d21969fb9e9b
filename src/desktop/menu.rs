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
//! While the menu is open, [`edits_while_open`] only changes texts and disables rows. The other edits wait until the
//! menu is closed, because panels draw an open menu incorrectly if rows are inserted or removed. If only the top menu
//! may be open, [`edits_below_top`] also changes the rows of its submenus.

use std::collections::HashMap;
use std::ops::Range;

use crate::decide::intent::Intent;
use crate::present::menu::Entry;

/// One edit. `at` is the path of indices from the top menu, valid after all earlier edits are applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    Label {
        at: Vec<usize>,
        /// Not yet escaped.
        label: String,
    },
    Disable {
        at: Vec<usize>,
    },
    /// Removes a row with everything below it.
    Remove {
        at: Vec<usize>,
    },
    /// Inserts a row with everything below it.
    Insert {
        at: Vec<usize>,
        entry: Entry,
    },
}

impl Edit {
    /// Returns whether the edit inserts or removes a row.
    #[must_use]
    pub const fn changes_layout(&self) -> bool {
        matches!(self, Self::Remove { .. } | Self::Insert { .. })
    }
}

/// Returns the edits that turn `drawn` into `wanted`.
#[must_use]
pub fn edits(drawn: &[Entry], wanted: &[Entry]) -> Vec<Edit> {
    let mut edits = Vec::new();
    all_edits(drawn, wanted, &mut Vec::new(), &mut edits);
    edits
}

/// Returns the edits that keep all rows in place and give no row another intent.
#[must_use]
pub fn edits_while_open(drawn: &[Entry], wanted: &[Entry]) -> Vec<Edit> {
    steps_while_open(drawn, wanted, Submenus::Open)
}

/// Returns the edits for when all submenus are closed but the top menu may be open: all edits inside the submenus, and
/// those of [`edits_while_open`] in the top menu.
#[must_use]
pub fn edits_below_top(drawn: &[Entry], wanted: &[Entry]) -> Vec<Edit> {
    steps_while_open(drawn, wanted, Submenus::Closed)
}

/// Applies an edit to the entries. Ignores a position that does not exist.
pub fn apply(entries: &mut Vec<Entry>, edit: &Edit) {
    let (Edit::Label { at, .. }
    | Edit::Disable { at }
    | Edit::Remove { at }
    | Edit::Insert { at, .. }) = edit;
    let Some((&index, parents)) = at.split_last() else {
        return;
    };
    let mut siblings = entries;
    for &parent in parents {
        let Some(Entry::Submenu { entries, .. }) = siblings.get_mut(parent) else {
            return;
        };
        siblings = entries;
    }
    match edit {
        Edit::Insert { entry, .. } if index <= siblings.len() => {
            siblings.insert(index, entry.clone());
        }
        Edit::Remove { .. } if index < siblings.len() => {
            siblings.remove(index);
        }
        Edit::Label { label: new, .. } => {
            if let Some(
                Entry::Item { label, .. }
                | Entry::Check { label, .. }
                | Entry::Submenu { label, .. },
            ) = siblings.get_mut(index)
            {
                label.clone_from(new);
            }
        }
        Edit::Disable { .. } => {
            if let Some(Entry::Item { intent, .. } | Entry::Check { intent, .. }) =
                siblings.get_mut(index)
            {
                *intent = None;
            }
        }
        Edit::Insert { .. } | Edit::Remove { .. } => {}
    }
}

fn all_edits(drawn: &[Entry], wanted: &[Entry], parents: &mut Vec<usize>, edits: &mut Vec<Edit>) {
    let kept = kept_rows(drawn, wanted);
    let mut kept = kept.iter().peekable();
    let (mut old, mut new, mut index) = (0, 0, 0);
    loop {
        let (next_old, next_new) = kept
            .peek()
            .map_or((drawn.len(), wanted.len()), |&&(old, new)| (old, new));
        for _ in old..next_old {
            edits.push(Edit::Remove {
                at: position(parents, index),
            });
        }
        for entry in &wanted[new..next_new] {
            edits.push(Edit::Insert {
                at: position(parents, index),
                entry: entry.clone(),
            });
            index += 1;
        }
        if kept.next().is_none() {
            return;
        }
        row_edits(&drawn[next_old], &wanted[next_new], index, parents, edits);
        if let (
            Entry::Submenu { entries: drawn, .. },
            Entry::Submenu {
                entries: wanted, ..
            },
        ) = (&drawn[next_old], &wanted[next_new])
        {
            parents.push(index);
            all_edits(drawn, wanted, parents, edits);
            parents.pop();
        }
        (old, new, index) = (next_old + 1, next_new + 1, index + 1);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Submenus {
    Open,
    Closed,
}

fn steps_while_open(drawn: &[Entry], wanted: &[Entry], submenus: Submenus) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut submenus_by_key = SubmenusByKey::new();
    note_submenus(wanted, &mut submenus_by_key);
    steady_edits(
        drawn,
        wanted,
        submenus,
        &submenus_by_key,
        &mut Vec::new(),
        &mut edits,
    );
    edits
}

fn steady_edits(
    drawn: &[Entry],
    wanted: &[Entry],
    submenus: Submenus,
    submenus_by_key: &SubmenusByKey<'_>,
    parents: &mut Vec<usize>,
    edits: &mut Vec<Edit>,
) {
    let counterparts = by_row(wanted);
    for (index, old) in drawn.iter().enumerate() {
        let Some(row) = row(old) else {
            continue;
        };
        match (old, counterparts.get(&row).copied()) {
            (Entry::Separator, _) => {}
            (
                Entry::Submenu {
                    entries: drawn,
                    key,
                    ..
                },
                counterpart,
            ) => {
                match counterpart.or_else(|| submenus_by_key.get(key.as_str()).copied().flatten()) {
                    Some(
                        new @ Entry::Submenu {
                            entries: wanted, ..
                        },
                    ) => {
                        let closed = submenus == Submenus::Closed;
                        // "Exit, closing 3 sessions" must match the row below it that closes three.
                        if closed || !has_changed_intent(drawn, wanted) {
                            row_edits(old, new, index, parents, edits);
                        }
                        parents.push(index);
                        if closed {
                            all_edits(drawn, wanted, parents, edits);
                        } else {
                            steady_edits(drawn, wanted, submenus, submenus_by_key, parents, edits);
                        }
                        parents.pop();
                    }
                    // The wanted menu has no such submenu, so its rows are disabled; they stay visible.
                    Some(Entry::Separator | Entry::Item { .. } | Entry::Check { .. }) | None => {
                        disable(old, &mut position(parents, index), edits);
                    }
                }
            }
            (Entry::Item { .. } | Entry::Check { .. }, Some(new)) => {
                if can_stay(old, new) {
                    row_edits(old, new, index, parents, edits);
                }
            }
            (Entry::Item { .. } | Entry::Check { .. }, None) => {
                disable(old, &mut position(parents, index), edits);
            }
        }
    }
}

/// Finds submenus that moved, for example into "3 more". `None` if several submenus have the key.
type SubmenusByKey<'a> = HashMap<&'a str, Option<&'a Entry>>;

fn note_submenus<'a>(entries: &'a [Entry], submenus: &mut SubmenusByKey<'a>) {
    for entry in entries {
        if let Entry::Submenu { key, entries, .. } = entry {
            submenus
                .entry(key)
                .and_modify(|known| *known = None)
                .or_insert(Some(entry));
            note_submenus(entries, submenus);
        }
    }
}

fn by_row(entries: &[Entry]) -> HashMap<Row<'_>, &Entry> {
    // The first row with a key wins.
    let rows = entries.iter().rev();
    rows.filter_map(|entry| Some((row(entry)?, entry)))
        .collect()
}

/// Returns whether a direct child of `drawn` has another intent in `wanted`.
fn has_changed_intent(drawn: &[Entry], wanted: &[Entry]) -> bool {
    let counterparts = by_row(wanted);
    drawn.iter().any(|old| {
        let counterpart = row(old).and_then(|row| counterparts.get(&row));
        counterpart.is_some_and(|new| !can_stay(old, new))
    })
}

fn disable(entry: &Entry, at: &mut Vec<usize>, edits: &mut Vec<Edit>) {
    match entry {
        Entry::Separator | Entry::Item { intent: None, .. } | Entry::Check { intent: None, .. } => {
        }
        Entry::Item { .. } | Entry::Check { .. } => edits.push(Edit::Disable { at: at.clone() }),
        Entry::Submenu { entries, .. } => {
            for (index, entry) in entries.iter().enumerate() {
                at.push(index);
                disable(entry, at, edits);
                at.pop();
            }
        }
    }
}

/// Adds the edits to the label and intent of a row that stays.
fn row_edits(old: &Entry, new: &Entry, index: usize, parents: &[usize], edits: &mut Vec<Edit>) {
    if let Some(after) = label(new)
        && label(old) != Some(after)
    {
        edits.push(Edit::Label {
            at: position(parents, index),
            label: after.to_owned(),
        });
    }
    if intent(old).is_some() && intent(new).is_none() {
        edits.push(Edit::Disable {
            at: position(parents, index),
        });
    }
}

fn label(entry: &Entry) -> Option<&str> {
    match entry {
        Entry::Separator => None,
        Entry::Item { label, .. } | Entry::Check { label, .. } | Entry::Submenu { label, .. } => {
            Some(label)
        }
    }
}

fn intent(entry: &Entry) -> Option<&Intent> {
    match entry {
        Entry::Separator | Entry::Submenu { .. } => None,
        Entry::Item { intent, .. } | Entry::Check { intent, .. } => intent.as_ref(),
    }
}

fn mark(entry: &Entry) -> Option<bool> {
    match entry {
        Entry::Separator | Entry::Item { .. } | Entry::Submenu { .. } => None,
        Entry::Check { checked, .. } => Some(*checked),
    }
}

fn position(parents: &[usize], index: usize) -> Vec<usize> {
    parents.iter().copied().chain([index]).collect()
}

/// Returns whether an edit in place turns the old row into the new one.
fn can_stay(old: &Entry, new: &Entry) -> bool {
    row(old) == row(new)
        && mark(old) == mark(new)
        && intent(new).is_none_or(|intent_of_new| intent(old) == Some(intent_of_new))
}

/// Returns the rows that stay, as pairs of increasing indices. Nearly every change leaves an equal beginning and end;
/// [`kept_rows_between`] compares the rest.
fn kept_rows(drawn: &[Entry], wanted: &[Entry]) -> Vec<(usize, usize)> {
    let head = drawn
        .iter()
        .zip(wanted)
        .take_while(|(old, new)| can_stay(old, new))
        .count();
    let (old, new) = (&drawn[head..], &wanted[head..]);
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(old, new)| can_stay(old, new))
        .count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);

    let mut pairs: Vec<_> = (0..head).map(|index| (index, index)).collect();
    let rest = kept_rows_between(old, new);
    pairs.extend(rest.into_iter().map(|(old, new)| (head + old, head + new)));
    pairs.extend((0..tail).map(|index| (head + old.len() + index, head + new.len() + index)));
    pairs
}

/// Keeps a longest sequence of rows with keys, and as many separators as both menus have between two of them. If
/// siblings share a key, it may keep fewer rows than possible.
///
/// It takes O(n log n) time.
fn kept_rows_between(drawn: &[Entry], wanted: &[Entry]) -> Vec<(usize, usize)> {
    let places: HashMap<Row<'_>, usize> = wanted
        .iter()
        .enumerate()
        .filter_map(|(place, entry)| Some((row(entry)?, place)))
        .collect();
    let stays = |(old, entry): (usize, &Entry)| {
        let new = *places.get(&row(entry)?)?;
        can_stay(entry, &wanted[new]).then_some((old, new))
    };
    let rows: Vec<_> = drawn.iter().enumerate().filter_map(stays).collect();

    let mut pairs = Vec::new();
    let (mut old, mut new) = (0, 0);
    let end = (drawn.len(), wanted.len());
    for (next_old, next_new) in longest_increasing(&rows).into_iter().chain([end]) {
        let lines = separators(drawn, old..next_old).zip(separators(wanted, new..next_new));
        pairs.extend(lines);
        pairs.push((next_old, next_new));
        (old, new) = (next_old + 1, next_new + 1);
    }
    pairs.pop();
    pairs
}

/// Identifies a row among its siblings; separators have no identity.
type Row<'a> = (RowKind, &'a str);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum RowKind {
    Item,
    Check,
    Submenu,
}

fn row(entry: &Entry) -> Option<Row<'_>> {
    match entry {
        Entry::Separator => None,
        Entry::Item { key, .. } => Some((RowKind::Item, key)),
        Entry::Check { key, .. } => Some((RowKind::Check, key)),
        Entry::Submenu { key, .. } => Some((RowKind::Submenu, key)),
    }
}

fn separators(entries: &[Entry], range: Range<usize>) -> impl Iterator<Item = usize> {
    range.filter(|index| matches!(entries[*index], Entry::Separator))
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
