//! From the menu that is drawn to the menu that is wanted, in the fewest steps that a person would notice.
//!
//! Pure: compares two lists of [`Entry`] and knows nothing of how a menu is drawn. Two rules keep a menu steady
//! under the pointer:
//!
//! - Rows are told apart by their keys, so a row whose text changed stays the row it was.
//! - What a click does never changes in a row: a row that is to do something else is replaced by a new one. Whoever
//!   clicks the old one has clicked what it was drawn for, or nothing.
//!
//! While the menu is open, only [`edits_while_open`] are due: texts, and rows that can do nothing any more. The rest
//! waits until it is closed, as hosts draw an open menu wrong when rows come and go.

use crate::core::intent::Intent;
use crate::core::view::Entry;

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
    /// Let a disabled row do something, or disable a row. Never exchanges one intent for another.
    Intent {
        /// Where.
        at: Vec<usize>,
        /// What a click asks for from now on.
        intent: Option<Intent>,
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
    let mut edits = Vec::new();
    steady(drawn, wanted, &mut Vec::new(), &mut edits);
    edits
}

/// Takes one step on the list itself: what is drawn, once the step is drawn too. A position that does not exist is
/// left alone.
pub fn apply(entries: &mut Vec<Entry>, edit: &Edit) {
    let (Edit::Label { at, .. }
    | Edit::Intent { at, .. }
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
            if let Some(Entry::Item { label, .. } | Entry::Submenu { label, .. }) =
                siblings.get_mut(index)
            {
                label.clone_from(new);
            }
        }
        Edit::Intent { intent: new, .. } => {
            if let Some(Entry::Item { intent, .. }) = siblings.get_mut(index) {
                intent.clone_from(new);
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

fn steady(drawn: &[Entry], wanted: &[Entry], parents: &mut Vec<usize>, edits: &mut Vec<Edit>) {
    for (index, old) in drawn.iter().enumerate() {
        let twin = wanted.iter().find(|new| same_row(old, new));
        match (old, twin) {
            (Entry::Separator, _) => {}
            (Entry::Submenu { entries: drawn, .. }, Some(new)) => {
                if let Entry::Submenu {
                    entries: wanted, ..
                } = new
                {
                    // "Exit, closing 3 sessions" belongs to the row below it that closes three.
                    if !means_something_else(drawn, wanted) {
                        words(old, new, index, parents, edits);
                    }
                    parents.push(index);
                    steady(drawn, wanted, parents, edits);
                    parents.pop();
                }
            }
            (Entry::Item { intent: before, .. }, Some(new)) => {
                // A row that would begin to act waits too: it may have come under a pointer about to click.
                if let Entry::Item { intent: after, .. } = new
                    && (before == after || after.is_none())
                {
                    words(old, new, index, parents, edits);
                }
            }
            // Gone from the menu that is wanted, so nothing in it is true any more. The row stays to be looked at.
            (Entry::Item { .. } | Entry::Submenu { .. }, None) => {
                disable(old, &mut position(parents, index), edits);
            }
        }
    }
}

/// Whether a row in `drawn` itself, not further below, does something else in `wanted`.
fn means_something_else(drawn: &[Entry], wanted: &[Entry]) -> bool {
    drawn.iter().any(|old| {
        let twin = wanted.iter().find(|new| same_row(old, new));
        twin.is_some_and(|new| !same_meaning(old, new))
    })
}

/// Disables the row and all below it.
fn disable(entry: &Entry, at: &mut Vec<usize>, edits: &mut Vec<Edit>) {
    match entry {
        Entry::Separator | Entry::Item { intent: None, .. } => {}
        Entry::Item { .. } => edits.push(Edit::Intent {
            at: at.clone(),
            intent: None,
        }),
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
    if let (
        Entry::Item { label: before, .. } | Entry::Submenu { label: before, .. },
        Entry::Item { label: after, .. } | Entry::Submenu { label: after, .. },
    ) = (old, new)
        && before != after
    {
        edits.push(Edit::Label {
            at: position(parents, index),
            label: after.clone(),
        });
    }
    if let (Entry::Item { intent: before, .. }, Entry::Item { intent: after, .. }) = (old, new)
        && before != after
    {
        edits.push(Edit::Intent {
            at: position(parents, index),
            intent: after.clone(),
        });
    }
}

fn position(parents: &[usize], index: usize) -> Vec<usize> {
    parents.iter().copied().chain([index]).collect()
}

/// Whether both are the same row, whatever it says and whether or not it can be clicked.
fn same_row(old: &Entry, new: &Entry) -> bool {
    match (old, new) {
        (Entry::Separator, Entry::Separator) => true,
        (Entry::Item { key: old, .. }, Entry::Item { key: new, .. })
        | (Entry::Submenu { key: old, .. }, Entry::Submenu { key: new, .. }) => old == new,
        (Entry::Separator | Entry::Item { .. } | Entry::Submenu { .. }, _) => false,
    }
}

/// Whether the old row can become the new one where it stands.
fn same_meaning(old: &Entry, new: &Entry) -> bool {
    same_row(old, new)
        && match (old, new) {
            (
                Entry::Item {
                    intent: Some(old), ..
                },
                Entry::Item {
                    intent: Some(new), ..
                },
            ) => old == new,
            _ => true,
        }
}

/// The longest row of rows that can stay, as pairs of indices: a longest common subsequence, after the equal
/// beginning and end that nearly every change leaves.
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

    // length[i][j]: of the longest common subsequence of old[i..] and new[j..].
    let mut length = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            length[i][j] = if same_meaning(&old[i], &new[j]) {
                length[i + 1][j + 1] + 1
            } else {
                length[i + 1][j].max(length[i][j + 1])
            };
        }
    }

    let mut pairs: Vec<_> = (0..head).map(|index| (index, index)).collect();
    let (mut i, mut j) = (0, 0);
    while i < old.len() && j < new.len() {
        if same_meaning(&old[i], &new[j]) {
            pairs.push((head + i, head + j));
            (i, j) = (i + 1, j + 1);
        } else if length[i + 1][j] >= length[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs.extend((0..tail).map(|index| (head + old.len() + index, head + new.len() + index)));
    pairs
}

#[cfg(test)]
mod tests;
