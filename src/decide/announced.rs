//! The notifications that are shown: one for each subject, or one summary if several subjects begin at once.

use std::collections::{BTreeMap, BTreeSet};

use super::notice::{Notice, NoticeKey};

/// The announced subjects by their keys: the state, in which the next subject with the same key differs, and the
/// notification.
pub(super) type Announced<K, V> = BTreeMap<K, (V, NoticeKey)>;

/// Takes the present subjects, each with its key and state. Returns the notifications that are over, and the one of the
/// subjects that begin. In the quiet time none begins.
pub(super) fn update<K: Ord + Clone, V: PartialEq + Clone, T>(
    announced: &mut Announced<K, V>,
    present: &[(K, V, T)],
    is_quiet: bool,
    notice: impl FnOnce(&[&T]) -> Notice,
) -> (Vec<NoticeKey>, Option<Notice>) {
    let before = shown(announced);
    let states: BTreeMap<&K, &V> = present.iter().map(|(key, state, _)| (key, state)).collect();
    announced.retain(|key, (state, _)| states.get(key).is_some_and(|present| *present == state));
    let is_new = |(key, ..): &&(K, V, T)| !is_quiet && !announced.contains_key(key);
    let new: Vec<&(K, V, T)> = present.iter().filter(is_new).collect();
    let subjects: Vec<&T> = new.iter().map(|(.., subject)| subject).collect();
    let notice = (!subjects.is_empty()).then(|| notice(&subjects));
    if let Some(notice) = &notice {
        let new = new
            .iter()
            .map(|(key, state, _)| (key.clone(), state.clone()));
        announced.extend(new.map(|(key, state)| (key, (state, notice.key.clone()))));
    }
    // A notification that is replaced need not be closed.
    let over = before.difference(&shown(announced)).cloned().collect();
    (over, notice)
}

fn shown<K, V>(announced: &Announced<K, V>) -> BTreeSet<NoticeKey> {
    announced
        .values()
        .map(|(_, notice)| notice.clone())
        .collect()
}
