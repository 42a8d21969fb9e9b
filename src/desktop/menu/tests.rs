//! Edits for given menus, and properties of the edits between any two menus.

use std::path::PathBuf;

use proptest::prelude::*;

use super::Change::{Disable, Insert, Label, Remove};
use super::*;

fn copy(path: &str) -> Option<Intent> {
    Some(Intent::Copy(PathBuf::from(path)))
}

fn item(key: &str, label: &str, intent: Option<Intent>) -> Entry {
    Entry::Item {
        key: key.to_owned(),
        label: label.to_owned(),
        intent,
    }
}

fn submenu(label: &str, entries: Vec<Entry>) -> Entry {
    Entry::Submenu {
        key: label.split(' ').next().unwrap().to_owned(),
        label: label.to_owned(),
        entries,
    }
}

fn check(label: &str, checked: bool, intent: Option<Intent>) -> Entry {
    Entry::Check {
        key: "clean".to_owned(),
        label: label.to_owned(),
        checked,
        intent,
    }
}

fn at(at: &[usize], change: Change) -> Edit {
    let at = at.to_vec();
    Edit { at, change }
}

fn label(text: &str) -> Change {
    Label(text.to_owned())
}

/// Compares the edits of a closed and of an open menu.
#[test]
fn changed_row_is_edited_in_place_or_replaced_after_the_menu_closes() {
    let web = |label: &str, rows: &[Entry]| submenu(label, rows.to_vec());
    let off = || item("copy", "Copy", None);
    let on = || item("copy", "Copy", copy("/a"));
    let replaced = |by: Entry| vec![at(&[0], Remove), at(&[0], Insert(by))];
    for (drawn, wanted, closed, open) in [
        (on(), on(), vec![], vec![]),
        (
            web("web 1", &[on()]),
            web("web 2", &[item("copy", "Copy path", copy("/a"))]),
            vec![at(&[0, 0], label("Copy path")), at(&[0], label("web 2"))],
            vec![at(&[0, 0], label("Copy path")), at(&[0], label("web 2"))],
        ),
        (
            on(),
            item("copy", "Copy", copy("/new")),
            replaced(item("copy", "Copy", copy("/new"))),
            vec![],
        ),
        (
            on(),
            off(),
            vec![at(&[0], Disable)],
            vec![at(&[0], Disable)],
        ),
        (off(), on(), replaced(on()), vec![]),
        (
            check("Clean", false, copy("/on")),
            check("Clean", true, copy("/off")),
            replaced(check("Clean", true, copy("/off"))),
            vec![],
        ),
        (
            check("Clean", true, copy("/off")),
            check("Clean: no file", true, None),
            vec![at(&[0], label("Clean: no file")), at(&[0], Disable)],
            vec![at(&[0], label("Clean: no file")), at(&[0], Disable)],
        ),
        (
            web("web", &[on(), off()]),
            on(),
            replaced(on()),
            vec![at(&[0, 0], Disable)],
        ),
    ] {
        let (drawn, wanted) = ([drawn], [wanted]);
        assert_eq!(edits(&drawn, &wanted, Changeable::All), closed);
        assert_eq!(edits(&drawn, &wanted, Changeable::None), open);
    }
}

#[test]
fn edits_rows_below_open_top_menu() {
    let path = || item("path", "/a", None);
    let clean = || item("clean", "Clean", copy("/a"));
    let drawn = [
        submenu("web 1", vec![item("check", "Check", copy("/a")), path()]),
        submenu("gone", vec![item("copy", "Copy", copy("/b"))]),
        check("Clean", false, copy("/on")),
    ];
    let wanted = [
        submenu("web 2", vec![path(), clean()]),
        check("Clean", true, copy("/off")),
    ];
    assert_eq!(
        edits(&drawn, &wanted, Changeable::BelowTop),
        [
            at(&[0, 0], Remove),
            at(&[0, 1], Insert(clean())),
            at(&[0], label("web 2")),
            at(&[1, 0], Disable),
        ]
    );
}

#[test]
fn reordered_rows_need_fewest_edits() {
    let menu = |keys: &str| -> Vec<Entry> {
        let row = |key: char| match key {
            '-' => Entry::Separator,
            key => item(&key.to_string(), "", None),
        };
        keys.chars().map(row).collect()
    };
    for (drawn, wanted, steps) in [
        ("abcde", "bcdea", 2),
        ("abcde", "edcba", 8),
        ("a-c", "ab-c", 3),
        ("a-b-c", "a-c", 2),
        ("a-b-c", "a-x-b-c", 2),
        ("abc", "xyz", 6),
        ("", "ab", 2),
    ] {
        let taken = edits(&menu(drawn), &menu(wanted), Changeable::All).len();
        assert_eq!(taken, steps, "{drawn} to {wanted}");
    }
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let intent = || prop::option::of("/[pq]").prop_map(|path| path.and_then(|path| copy(&path)));
    let leaf = prop_oneof![
        1 => Just(Entry::Separator),
        6 => ("[a-d]", "[xy]", intent()).prop_map(|(key, label, intent)| item(&key, &label, intent)),
        3 => ("[xy]", any::<bool>(), intent())
            .prop_map(|(label, checked, intent)| check(&label, checked, intent)),
    ];
    leaf.prop_recursive(2, 24, 5, move |inner| {
        ("[a-d] [xy]", prop::collection::vec(inner, 0..5))
            .prop_map(|(label, entries)| submenu(&label, entries))
    })
}

fn any_menu() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec(any_entry(), 0..7)
}

fn edited(drawn: &[Entry], wanted: &[Entry], changeable: Changeable) -> Vec<Entry> {
    let mut menu = drawn.to_vec();
    for edit in edits(drawn, wanted, changeable) {
        apply(&mut menu, &edit);
    }
    menu
}

/// The intents of all rows, and `None` for those that cannot be clicked.
fn intents(entries: &[Entry]) -> Vec<Option<&Intent>> {
    let of_row = |entry| {
        let mut found = vec![Row::of(entry).and_then(|row| row.intent)];
        if let Entry::Submenu { entries, .. } = entry {
            found.extend(intents(entries));
        }
        found
    };
    entries.iter().flat_map(of_row).collect()
}

proptest! {
    #[test]
    fn edits_turn_any_menu_into_any_other(drawn in any_menu(), wanted in any_menu()) {
        prop_assert_eq!(edited(&drawn, &wanted, Changeable::All), wanted);
    }

    #[test]
    fn open_top_menu_keeps_rows_and_updates_submenus(drawn in any_menu(), wanted in any_menu()) {
        let menu = edited(&drawn, &wanted, Changeable::BelowTop);
        prop_assert!(ids(&menu).eq(ids(&drawn)));
        for (before, after) in drawn.iter().zip(&menu).filter_map(|(one, other)| Row::of(one).zip(Row::of(other))) {
            prop_assert!(after.intent.is_none() || after.intent == before.intent);
        }
        let places = places(&wanted);
        for (id, entry) in ids(&menu).zip(&menu) {
            if let (Entry::Submenu { .. }, Some(place)) = (entry, places.get(&id)) {
                prop_assert_eq!(entry, &wanted[*place]);
            }
        }
        prop_assert_eq!(edited(&menu, &wanted, Changeable::All), wanted);
    }

    #[test]
    fn open_menu_keeps_rows_and_adds_no_intent(drawn in any_menu(), wanted in any_menu()) {
        let menu = edited(&drawn, &wanted, Changeable::None);
        let (before, after) = (intents(&drawn), intents(&menu));
        prop_assert_eq!(before.len(), after.len());
        for (before, after) in before.into_iter().zip(after) {
            prop_assert!(after.is_none() || after == before);
        }
        prop_assert_eq!(edited(&menu, &wanted, Changeable::All), wanted);
    }
}
