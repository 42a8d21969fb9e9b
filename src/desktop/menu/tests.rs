//! Edits for given menus, and properties of the edits between any two menus.

use std::path::PathBuf;

use proptest::prelude::*;

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

fn submenu(key: &str, label: &str, entries: Vec<Entry>) -> Entry {
    Entry::Submenu {
        key: key.to_owned(),
        label: label.to_owned(),
        entries,
    }
}

fn check(key: &str, label: &str, checked: bool, intent: Option<Intent>) -> Entry {
    Entry::Check {
        key: key.to_owned(),
        label: label.to_owned(),
        checked,
        intent,
    }
}

#[test]
fn changed_mark_replaces_row_after_menu_closes() {
    let drawn = [check("clean", "Clean", false, copy("/on"))];
    let wanted = [check("clean", "Clean", true, copy("/off"))];
    let steps = [
        Edit::Remove { at: vec![0] },
        Edit::Insert {
            at: vec![0],
            entry: wanted[0].clone(),
        },
    ];
    assert_eq!(edits(&drawn, &wanted), steps);
    assert_eq!(edits_while_open(&drawn, &wanted), []);
}

#[test]
fn disables_marked_row_in_place() {
    let drawn = [check("clean", "Clean", true, copy("/off"))];
    let wanted = [check("clean", "Clean: no file", true, None)];
    let steps = [
        Edit::Label {
            at: vec![0],
            label: "Clean: no file".to_owned(),
        },
        Edit::Disable { at: vec![0] },
    ];
    assert_eq!(edits(&drawn, &wanted), steps);
    assert_eq!(edits_while_open(&drawn, &wanted), steps);
}

#[test]
fn equal_menus_need_no_edit() {
    let menu = [submenu(
        "web",
        "web",
        vec![item("copy", "Copy", copy("/a"))],
    )];
    assert_eq!(edits(&menu, &menu), []);
    assert_eq!(edits_while_open(&menu, &menu), []);
}

#[test]
fn sets_new_label_in_place() {
    let drawn = [submenu(
        "web",
        "web, 1 session",
        vec![item("copy", "Copy", copy("/a"))],
    )];
    let wanted = [submenu(
        "web",
        "web, 2 sessions",
        vec![item("copy", "Copy path", copy("/a"))],
    )];
    let steps = [
        Edit::Label {
            at: vec![0],
            label: "web, 2 sessions".to_owned(),
        },
        Edit::Label {
            at: vec![0, 0],
            label: "Copy path".to_owned(),
        },
    ];
    assert_eq!(edits(&drawn, &wanted), steps);
    assert_eq!(edits_while_open(&drawn, &wanted), steps);
}

#[test]
fn changed_intent_replaces_row() {
    let drawn = [item("copy", "Copy", copy("/old"))];
    let wanted = [item("copy", "Copy", copy("/new"))];
    assert_eq!(
        edits(&drawn, &wanted),
        [
            Edit::Remove { at: vec![0] },
            Edit::Insert {
                at: vec![0],
                entry: wanted[0].clone(),
            },
        ]
    );
    assert_eq!(edits_while_open(&drawn, &wanted), []);
}

#[test]
fn disables_in_place_and_enables_by_replacement() {
    let rows: [fn(Option<Intent>) -> Entry; 2] = [
        |intent| item("copy", "Copy", intent),
        |intent| check("copy", "Copy", true, intent),
    ];
    for row in rows {
        let (off, on) = ([row(None)], [row(copy("/a"))]);
        let replaced = [
            Edit::Remove { at: vec![0] },
            Edit::Insert {
                at: vec![0],
                entry: on[0].clone(),
            },
        ];
        assert_eq!(edits(&off, &on), replaced);
        assert_eq!(edits_while_open(&off, &on), []);
        let disabled = [Edit::Disable { at: vec![0] }];
        assert_eq!(edits(&on, &off), disabled);
        assert_eq!(edits_while_open(&on, &off), disabled);
    }
}

#[test]
fn edits_rows_below_open_top_menu() {
    let web = |label: &str, rows| submenu("web", label, rows);
    let drawn = [
        web(
            "web \u{2014} running",
            vec![
                item("check", "Check", copy("/a")),
                item("path", "/a", None),
                submenu("exit", "Exit", vec![item("now", "Now", copy("/a"))]),
            ],
        ),
        submenu("gone", "gone", vec![item("copy", "Copy", copy("/b"))]),
        check("clean", "Clean", false, copy("/on")),
    ];
    let wanted = [
        web(
            "web \u{2014} stale",
            vec![item("path", "/a", None), item("clean", "Clean", copy("/a"))],
        ),
        check("clean", "Clean", true, copy("/off")),
    ];
    assert_eq!(
        edits_below_top(&drawn, &wanted),
        [
            Edit::Label {
                at: vec![0],
                label: "web \u{2014} stale".to_owned(),
            },
            Edit::Remove { at: vec![0, 0] },
            Edit::Remove { at: vec![0, 1] },
            Edit::Insert {
                at: vec![0, 1],
                entry: item("clean", "Clean", copy("/a")),
            },
            Edit::Disable { at: vec![1, 0] },
        ]
    );
}

#[test]
fn inserts_one_row_between_two() {
    let drawn = [item("a", "a", None), Entry::Separator, item("c", "c", None)];
    let mut wanted = drawn.to_vec();
    wanted.insert(1, item("b", "b", None));
    assert_eq!(
        edits(&drawn, &wanted),
        [Edit::Insert {
            at: vec![1],
            entry: item("b", "b", None),
        }]
    );
    assert_eq!(edits(&wanted, &drawn), [Edit::Remove { at: vec![1] }]);
}

#[test]
fn disables_removed_rows_while_open() {
    let drawn = [
        submenu("web", "web", vec![item("copy", "Copy", copy("/a"))]),
        item("quit", "Quit", Some(Intent::Quit)),
    ];
    let wanted = [item("quit", "Quit", Some(Intent::Quit))];
    assert_eq!(
        edits_while_open(&drawn, &wanted),
        [Edit::Disable { at: vec![0, 0] }]
    );
}

#[test]
fn submenu_label_waits_if_its_row_has_another_intent() {
    let web = |sessions: u32| {
        let exit = submenu(
            "exit",
            &format!("Exit, closing {sessions}"),
            vec![item("now", "Exit now", copy(&format!("/{sessions}")))],
        );
        [submenu("web", &format!("web, {sessions}"), vec![exit])]
    };
    assert_eq!(
        edits_while_open(&web(3), &web(4)),
        [Edit::Label {
            at: vec![0],
            label: "web, 4".to_owned(),
        }]
    );
}

#[test]
fn moved_submenu_stays_enabled_while_open() {
    let web = |label: &str| submenu("web", label, vec![item("copy", "Copy", copy("/a"))]);
    let drawn = [web("web"), submenu("fold", "2 more", Vec::new())];
    let wanted = [submenu("fold", "3 more", vec![web("web, 1 session")])];
    let labels = |labels: [(usize, &str); 2]| {
        labels.map(|(index, label)| Edit::Label {
            at: vec![index],
            label: label.to_owned(),
        })
    };
    assert_eq!(
        edits_while_open(&drawn, &wanted),
        labels([(0, "web, 1 session"), (1, "3 more")])
    );
    // If two rows have the key, neither is taken for the moved one.
    let doubled = [submenu("fold", "3 more", vec![web("web"), web("web")])];
    let off = Edit::Disable { at: vec![0, 0] };
    assert!(edits_while_open(&drawn, &doubled).contains(&off));
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
        ("a-b-c", "a-c", 2),
        ("a-b-c", "a-x-b-c", 2),
        ("abc", "xyz", 6),
        ("", "ab", 2),
    ] {
        let taken = edits(&menu(drawn), &menu(wanted)).len();
        assert_eq!(taken, steps, "{drawn} to {wanted}");
    }
}

/// A row for each number; some are separators, some have rows below.
fn many(numbers: &[u16]) -> Vec<Entry> {
    let row = |number: &u16| {
        let key = number.to_string();
        match number % 7 {
            0 => Entry::Separator,
            1 => submenu(&key, &key, vec![item("copy", &key, copy(&key))]),
            _ => item(&key, &key, copy(&key)),
        }
    };
    numbers.iter().map(row).collect()
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let key = "[a-d]";
    let leaf = prop_oneof![
        1 => Just(Entry::Separator),
        6 => (key, "[xy]", prop::option::of("/[pq]")).prop_map(|(key, label, path)| Entry::Item {
            key,
            label,
            intent: path.map(|path| Intent::Copy(PathBuf::from(path))),
        }),
        3 => (key, "[xy]", any::<bool>(), prop::option::of("/[pq]"))
            .prop_map(|(key, label, checked, path)| check(&key, &label, checked, path.and_then(|path| copy(&path)))),
    ];
    leaf.prop_recursive(2, 24, 5, move |inner| {
        (key, "[xy]", prop::collection::vec(inner, 0..5)).prop_map(|(key, label, entries)| {
            Entry::Submenu {
                key,
                label,
                entries,
            }
        })
    })
}

fn any_menu() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec(any_entry(), 0..7)
}

/// The positions of all rows and the intents of those that can be clicked.
fn shape(entries: &[Entry], at: &mut Vec<usize>, rows: &mut Vec<(Vec<usize>, Option<Intent>)>) {
    for (index, entry) in entries.iter().enumerate() {
        at.push(index);
        match entry {
            Entry::Separator => rows.push((at.clone(), None)),
            Entry::Item { intent, .. } | Entry::Check { intent, .. } => {
                rows.push((at.clone(), intent.clone()));
            }
            Entry::Submenu { entries, .. } => {
                rows.push((at.clone(), None));
                shape(entries, at, rows);
            }
        }
        at.pop();
    }
}

proptest! {
    #[test]
    fn edits_turn_any_menu_into_any_other(drawn in any_menu(), wanted in any_menu()) {
        let mut menu = drawn.clone();
        for edit in edits(&drawn, &wanted) {
            apply(&mut menu, &edit);
        }
        prop_assert_eq!(menu, wanted);
    }

    #[test]
    fn edits_of_a_thousand_rows(
        drawn in Just((0..1000).collect::<Vec<u16>>()).prop_shuffle(),
        wanted in prop::sample::subsequence((500..1500).collect::<Vec<u16>>(), 0..=1000).prop_shuffle(),
    ) {
        let (mut menu, wanted) = (many(&drawn), many(&wanted));
        let steps = edits(&menu, &wanted);
        prop_assert!(steps.len() <= menu.len() + wanted.len());
        for edit in &steps {
            apply(&mut menu, edit);
        }
        prop_assert_eq!(menu, wanted);
    }

    #[test]
    fn intent_of_a_row_changes_only_to_none(drawn in any_menu(), wanted in any_menu()) {
        let mut menu = drawn.clone();
        for edit in edits(&drawn, &wanted) {
            let mut rows = Vec::new();
            shape(&menu, &mut Vec::new(), &mut rows);
            apply(&mut menu, &edit);
            if let Edit::Disable { at } = &edit {
                let mut after = Vec::new();
                shape(&menu, &mut Vec::new(), &mut after);
                prop_assert!(after.contains(&(at.clone(), None)));
                rows.iter_mut().filter(|row| row.0 == *at).for_each(|row| row.1 = None);
                prop_assert_eq!(rows, after);
            }
        }
    }

    #[test]
    fn open_top_menu_keeps_rows_and_updates_submenus(drawn in any_menu(), wanted in any_menu()) {
        let mut menu = drawn.clone();
        for edit in edits_below_top(&drawn, &wanted) {
            apply(&mut menu, &edit);
        }
        prop_assert_eq!(menu.len(), drawn.len());
        for (before, after) in drawn.iter().zip(&menu) {
            prop_assert_eq!(row(before), row(after));
            prop_assert!(intent(after).is_none() || intent(after) == intent(before));
        }
        let counterparts = by_row(&wanted);
        for entry in &menu {
            let counterpart = row(entry).and_then(|row| counterparts.get(&row));
            if let (Entry::Submenu { .. }, Some(counterpart)) = (entry, counterpart) {
                prop_assert_eq!(entry, *counterpart);
            }
        }
        for edit in edits(&menu.clone(), &wanted) {
            apply(&mut menu, &edit);
        }
        prop_assert_eq!(menu, wanted);
    }

    #[test]
    fn open_menu_keeps_rows_and_adds_no_intent(drawn in any_menu(), wanted in any_menu()) {
        let mut menu = drawn.clone();
        for edit in edits_while_open(&drawn, &wanted) {
            apply(&mut menu, &edit);
        }
        let (mut before, mut after) = (Vec::new(), Vec::new());
        shape(&drawn, &mut Vec::new(), &mut before);
        shape(&menu, &mut Vec::new(), &mut after);
        prop_assert_eq!(before.len(), after.len());
        for ((old_at, old), (new_at, new)) in before.into_iter().zip(after) {
            prop_assert_eq!(old_at, new_at);
            prop_assert!(new.is_none() || new == old);
        }
    }

    #[test]
    fn closed_menu_gets_remaining_edits(drawn in any_menu(), wanted in any_menu()) {
        let mut menu = drawn.clone();
        for edit in edits_while_open(&drawn, &wanted) {
            apply(&mut menu, &edit);
        }
        for edit in edits(&menu.clone(), &wanted) {
            apply(&mut menu, &edit);
        }
        prop_assert_eq!(menu, wanted);
    }
}
