//! From the menu that is drawn to the menu that is wanted, in the fewest steps that a person would notice.
//!
//! Pure: compares two lists of [`Entry`] and knows nothing of how a menu is drawn. Two rules keep a menu steady
//! under the pointer:
//!
//! - Rows are told apart by their keys, so a row whose text changed stays the row it was.
//! - The intent of a row never changes, except to none: a row with another intent is a new row, so a click on the old
//!   one asks for the intent it was drawn with, or for nothing. The check mark shows the intent, so a row with another
//!   mark is a new row. A row that becomes enabled is a new row too: libdbusmenu-glib sends that change as a removed
//!   property, and Budgie reads only properties that are set.
//!
//! While the menu is open, only [`edits_while_open`] are due: texts, and rows that can do nothing any more. The rest
//! waits until it is closed, as hosts draw an open menu wrong when rows come and go. If only the top menu may be open,
//! [`edits_below_top`] change the rows of its submenus.

use std::collections::HashMap;
use std::ops::Range;

use crate::decide::intent::Intent;
use crate::present::menu::Entry;

/// One step. Positions are indices from the top menu downwards, valid once all steps before it are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Give the row at this position another text.
    Label {
        /// Where.
        at: Vec<usize>,
        /// The text, not yet escaped.
        label: String,
    },
    /// Disable a row.
    Disable {
        /// Where.
        at: Vec<usize>,
    },
    /// Take the row away, with all below it.
    Remove {
        /// Where.
        at: Vec<usize>,
    },
    /// Put a row in, with all below it.
    Insert {
        /// Where it is to be found afterwards.
        at: Vec<usize>,
        /// What.
        entry: Entry,
    },
}

impl Edit {
    /// Whether rows come or go by it.
    #[must_use]
    pub const fn is_of_layout(&self) -> bool {
        matches!(self, Self::Remove { .. } | Self::Insert { .. })
    }
}

/// Every step from `drawn` to `wanted`.
#[must_use]
pub fn edits(drawn: &[Entry], wanted: &[Entry]) -> Vec<Edit> {
    let mut edits = Vec::new();
    whole(drawn, wanted, &mut Vec::new(), &mut edits);
    edits
}

/// The steps from `drawn` towards `wanted` that neither move a row nor give a click another meaning.
#[must_use]
pub fn edits_while_open(drawn: &[Entry], wanted: &[Entry]) -> Vec<Edit> {
    steps_while_open(drawn, wanted, Submenus::Open)
}

/// The steps from `drawn` towards `wanted` while all submenus are closed and the top menu may be open: all steps inside
/// the submenus, and in the top menu itself those of [`edits_while_open`].
#[must_use]
pub fn edits_below_top(drawn: &[Entry], wanted: &[Entry]) -> Vec<Edit> {
    steps_while_open(drawn, wanted, Submenus::Closed)
}

/// Takes one step on the list itself: what is drawn, once the step is drawn too. A position that does not exist is
/// left alone.
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

fn whole(drawn: &[Entry], wanted: &[Entry], parents: &mut Vec<usize>, edits: &mut Vec<Edit>) {
    let kept = common(drawn, wanted);
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
        words(&drawn[next_old], &wanted[next_new], index, parents, edits);
        if let (
            Entry::Submenu { entries: drawn, .. },
            Entry::Submenu {
                entries: wanted, ..
            },
        ) = (&drawn[next_old], &wanted[next_new])
        {
            parents.push(index);
            whole(drawn, wanted, parents, edits);
            parents.pop();
        }
        (old, new, index) = (next_old + 1, next_new + 1, index + 1);
    }
}

/// Whether the submenus of an open menu may be open too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Submenus {
    Open,
    Closed,
}

fn steps_while_open(drawn: &[Entry], wanted: &[Entry], submenus: Submenus) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut elsewhere = Elsewhere::new();
    note_submenus(wanted, &mut elsewhere);
    steady(
        drawn,
        wanted,
        submenus,
        &elsewhere,
        &mut Vec::new(),
        &mut edits,
    );
    edits
}

fn steady(
    drawn: &[Entry],
    wanted: &[Entry],
    submenus: Submenus,
    elsewhere: &Elsewhere<'_>,
    parents: &mut Vec<usize>,
    edits: &mut Vec<Edit>,
) {
    let twins = by_row(wanted);
    for (index, old) in drawn.iter().enumerate() {
        let Some(row) = row(old) else {
            continue;
        };
        match (old, twins.get(&row).copied()) {
            (Entry::Separator, _) => {}
            (
                Entry::Submenu {
                    entries: drawn,
                    key,
                    ..
                },
                twin,
            ) => {
                match twin.or_else(|| elsewhere.get(key.as_str()).copied().flatten()) {
                    Some(
                        new @ Entry::Submenu {
                            entries: wanted, ..
                        },
                    ) => {
                        let closed = submenus == Submenus::Closed;
                        // "Exit, closing 3 sessions" belongs to the row below it that closes three.
                        if closed || !means_something_else(drawn, wanted) {
                            words(old, new, index, parents, edits);
                        }
                        parents.push(index);
                        if closed {
                            whole(drawn, wanted, parents, edits);
                        } else {
                            steady(drawn, wanted, submenus, elsewhere, parents, edits);
                        }
                        parents.pop();
                    }
                    // Gone from the menu that is wanted, so nothing in it is true any more. It stays to be looked at.
                    Some(Entry::Separator | Entry::Item { .. } | Entry::Check { .. }) | None => {
                        disable(old, &mut position(parents, index), edits);
                    }
                }
            }
            (Entry::Item { .. } | Entry::Check { .. }, Some(new)) => {
                if same_meaning(old, new) {
                    words(old, new, index, parents, edits);
                }
            }
            (Entry::Item { .. } | Entry::Check { .. }, None) => {
                disable(old, &mut position(parents, index), edits);
            }
        }
    }
}

/// Submenus by their keys, for one that the wanted menu has in another place, as when it came into a fold or out of
/// it; `None` for a key that several have.
type Elsewhere<'a> = HashMap<&'a str, Option<&'a Entry>>;

fn note_submenus<'a>(entries: &'a [Entry], submenus: &mut Elsewhere<'a>) {
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
    // The first of a key counts.
    let rows = entries.iter().rev();
    rows.filter_map(|entry| Some((row(entry)?, entry)))
        .collect()
}

/// Whether a row in `drawn` itself, not further below, does something else in `wanted`.
fn means_something_else(drawn: &[Entry], wanted: &[Entry]) -> bool {
    let twins = by_row(wanted);
    drawn.iter().any(|old| {
        let twin = row(old).and_then(|row| twins.get(&row));
        twin.is_some_and(|new| !same_meaning(old, new))
    })
}

/// Disables the row and all below it.
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

/// The differences of two rows that are the same row, but for what is below them.
fn words(old: &Entry, new: &Entry, index: usize, parents: &[usize], edits: &mut Vec<Edit>) {
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

/// Whether the old row can become the new one where it stands.
fn same_meaning(old: &Entry, new: &Entry) -> bool {
    row(old) == row(new)
        && mark(old) == mark(new)
        && intent(new).is_none_or(|intent_of_new| intent(old) == Some(intent_of_new))
}

/// The rows that can stay, as pairs of indices, both growing: the equal beginning and end that nearly every change
/// leaves, and what can stay of the rest.
fn common(drawn: &[Entry], wanted: &[Entry]) -> Vec<(usize, usize)> {
    let head = drawn
        .iter()
        .zip(wanted)
        .take_while(|(old, new)| same_meaning(old, new))
        .count();
    let (old, new) = (&drawn[head..], &wanted[head..]);
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(old, new)| same_meaning(old, new))
        .count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);

    let mut pairs: Vec<_> = (0..head).map(|index| (index, index)).collect();
    let rest = common_of_rest(old, new);
    pairs.extend(rest.into_iter().map(|(old, new)| (head + old, head + new)));
    pairs.extend((0..tail).map(|index| (head + old.len() + index, head + new.len() + index)));
    pairs
}

/// A longest run of rows that are told apart by their keys, and between two of those as many lines as both have. Where
/// siblings share a key fewer may stay than could.
///
/// The time it takes grows little faster than the menus do, whatever they are.
fn common_of_rest(drawn: &[Entry], wanted: &[Entry]) -> Vec<(usize, usize)> {
    let places: HashMap<Row<'_>, usize> = wanted
        .iter()
        .enumerate()
        .filter_map(|(place, entry)| Some((row(entry)?, place)))
        .collect();
    let stays = |(old, entry): (usize, &Entry)| {
        let new = *places.get(&row(entry)?)?;
        same_meaning(entry, &wanted[new]).then_some((old, new))
    };
    let rows: Vec<_> = drawn.iter().enumerate().filter_map(stays).collect();

    let mut pairs = Vec::new();
    let (mut old, mut new) = (0, 0);
    let the_end = (drawn.len(), wanted.len());
    for (next_old, next_new) in growing(&rows).into_iter().chain([the_end]) {
        let lines = separators(drawn, old..next_old).zip(separators(wanted, new..next_new));
        pairs.extend(lines);
        pairs.push((next_old, next_new));
        (old, new) = (next_old + 1, next_new + 1);
    }
    pairs.pop();
    pairs
}

/// What tells a row from its siblings; a line has nothing.
type Row<'a> = (Kind, &'a str);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Item,
    Check,
    Submenu,
}

fn row(entry: &Entry) -> Option<Row<'_>> {
    match entry {
        Entry::Separator => None,
        Entry::Item { key, .. } => Some((Kind::Item, key)),
        Entry::Check { key, .. } => Some((Kind::Check, key)),
        Entry::Submenu { key, .. } => Some((Kind::Submenu, key)),
    }
}

fn separators(entries: &[Entry], range: Range<usize>) -> impl Iterator<Item = usize> {
    range.filter(|index| matches!(entries[*index], Entry::Separator))
}

/// Of pairs whose first numbers grow, as many as can stay so that the second ones grow too: a longest increasing
/// subsequence, by the piles of patience sorting.
fn growing(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // Of all that end a growing run of a length, the pair with the least second number; each remembers its run.
    let mut piles: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (place, (_, new)) in pairs.iter().enumerate() {
        let pile = piles.partition_point(|top| pairs[*top].1 < *new);
        before.push(pile.checked_sub(1).map(|shorter| piles[shorter]));
        if pile < piles.len() {
            piles[pile] = place;
        } else {
            piles.push(place);
        }
    }
    let mut run = Vec::with_capacity(piles.len());
    let mut last = piles.last().copied();
    while let Some(place) = last {
        run.push(pairs[place]);
        last = before[place];
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests;
