//! The menu as com.canonical.dbusmenu describes it: rows with ids and properties. Pure.
//!
//! A row keeps its id while it exists, and no id is used twice, so a late click never gets the intent of a later row.

use std::collections::{BTreeSet, HashMap};

use muxtray::decide::intent::Intent;
use muxtray::desktop::menu::{self, Change, Edit};
use muxtray::desktop::menu_label::shown;
use muxtray::present::menu::Entry;
use zbus::Variant;

/// The id of the menu itself.
pub(super) const TOP: i32 = 0;

pub(super) type Properties = HashMap<&'static str, Variant<'static>>;

/// A row with those below it, as `GetLayout` returns it.
pub(super) type Layout = (i32, Properties, Vec<Variant<'static>>);

#[derive(Default)]
pub(super) struct DrawnMenu {
    entries: Vec<Entry>,
    ids: Vec<RowId>,
    last_id: i32,
}

/// The id of a row and of those below it.
struct RowId {
    id: i32,
    below: Vec<RowId>,
}

/// The changes to report to the panel.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) properties: Vec<(i32, Properties)>,
    /// The menus in which rows were inserted or removed.
    pub(super) layouts: BTreeSet<i32>,
}

impl DrawnMenu {
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn draw(&mut self, edits: &[Edit]) -> Changes {
        let mut changes = Changes::default();
        for edit in edits {
            if self.draw_ids(edit, &mut changes).is_none() {
                tracing::error!("cannot draw a row of the menu: {edit:?}");
            }
            menu::apply(&mut self.entries, edit);
        }
        changes
    }

    /// Returns `None` if there is no such row.
    fn draw_ids(&mut self, edit: &Edit, changes: &mut Changes) -> Option<()> {
        let (&index, parents) = edit.at.split_last()?;
        let (mut parent, mut rows) = (TOP, &mut self.ids);
        for &index in parents {
            let row = rows.get_mut(index)?;
            (parent, rows) = (row.id, &mut row.below);
        }
        match &edit.change {
            Change::Insert(entry) => {
                rows.insert(index, new_row(entry, &mut self.last_id));
                changes.layouts.insert(parent);
            }
            Change::Remove => {
                rows.remove(index);
                changes.layouts.insert(parent);
            }
            Change::Label(label) => {
                let label = HashMap::from([("label", shown(label).into())]);
                changes.properties.push((rows.get(index)?.id, label));
            }
            Change::Disable => {
                let disabled = HashMap::from([("enabled", false.into())]);
                changes.properties.push((rows.get(index)?.id, disabled));
            }
        }
        Some(())
    }

    /// Returns the row with this id and `depth` levels below it; all levels if `depth` is negative.
    pub(super) fn layout(&self, id: i32, depth: i32, names: &[String]) -> Option<Layout> {
        if id == TOP {
            let properties = chosen(top_properties(), names);
            return Some((
                id,
                properties,
                layouts(&self.entries, &self.ids, depth, names),
            ));
        }
        let (entry, row) = self.find(id)?;
        Some(layout(entry, row, depth, names))
    }

    /// Returns the properties with these names, or all if there are no names.
    pub(super) fn properties(&self, id: i32, names: &[String]) -> Option<Properties> {
        let (_, properties, _) = self.layout(id, 0, names)?;
        Some(properties)
    }

    /// The ids of all rows, and of the menu itself.
    pub(super) fn all_ids(&self) -> Vec<i32> {
        let mut ids = vec![TOP];
        push_ids(&self.ids, &mut ids);
        ids
    }

    /// Returns the submenus directly below this row.
    pub(super) fn submenus(&self, id: i32) -> Vec<i32> {
        let rows = match self.find(id) {
            Some((_, row)) => &row.below,
            None => &self.ids,
        };
        let submenus = rows.iter().filter(|row| !row.below.is_empty());
        submenus.map(|row| row.id).collect()
    }

    pub(super) fn find_entry(&self, id: i32) -> Option<&Entry> {
        self.find(id).map(|(entry, _)| entry)
    }

    fn find(&self, id: i32) -> Option<(&Entry, &RowId)> {
        find(&self.entries, &self.ids, id)
    }
}

/// Returns the request of a click on this entry.
pub(super) fn intent(entry: &Entry) -> Option<&Intent> {
    match entry {
        Entry::Item { intent, .. } | Entry::Check { intent, .. } => intent.as_ref(),
        Entry::Separator | Entry::Submenu { .. } => None,
    }
}

fn new_row(entry: &Entry, last_id: &mut i32) -> RowId {
    *last_id += 1;
    let id = *last_id;
    let below = below(entry).iter().map(|entry| new_row(entry, last_id));
    RowId {
        id,
        below: below.collect(),
    }
}

fn below(entry: &Entry) -> &[Entry] {
    match entry {
        Entry::Submenu { entries, .. } => entries,
        Entry::Separator | Entry::Item { .. } | Entry::Check { .. } => &[],
    }
}

fn find<'a>(entries: &'a [Entry], ids: &'a [RowId], id: i32) -> Option<(&'a Entry, &'a RowId)> {
    entries.iter().zip(ids).find_map(|(entry, row)| {
        if row.id == id {
            Some((entry, row))
        } else {
            find(below(entry), &row.below, id)
        }
    })
}

fn push_ids(rows: &[RowId], ids: &mut Vec<i32>) {
    for row in rows {
        ids.push(row.id);
        push_ids(&row.below, ids);
    }
}

fn layout(entry: &Entry, row: &RowId, depth: i32, names: &[String]) -> Layout {
    let below = layouts(below(entry), &row.below, depth, names);
    (row.id, chosen(properties(entry), names), below)
}

fn layouts(
    entries: &[Entry],
    ids: &[RowId],
    depth: i32,
    names: &[String],
) -> Vec<Variant<'static>> {
    if depth == 0 {
        return Vec::new();
    }
    let rows = entries.iter().zip(ids);
    rows.map(|(entry, row)| Variant::new(layout(entry, row, depth - 1, names)))
        .collect()
}

fn chosen(mut properties: Properties, names: &[String]) -> Properties {
    properties.retain(|property, _| names.is_empty() || names.iter().any(|name| name == property));
    properties
}

fn top_properties() -> Properties {
    HashMap::from([("children-display", "submenu".into())])
}

/// Every property is set, also those with their default: Budgie ignores a property that is removed.
fn properties(entry: &Entry) -> Properties {
    let row = |label: &str, enabled: bool| -> Properties {
        HashMap::from([("label", shown(label).into()), ("enabled", enabled.into())])
    };
    match entry {
        Entry::Separator => HashMap::from([("type", "separator".into())]),
        Entry::Item { label, intent, .. } => row(label, intent.is_some()),
        Entry::Check {
            label,
            checked,
            intent,
            ..
        } => {
            let mut properties = row(label, intent.is_some());
            properties.insert("toggle-type", "checkmark".into());
            properties.insert("toggle-state", i32::from(*checked).into());
            properties
        }
        Entry::Submenu { label, .. } => {
            let mut properties = row(label, true);
            properties.extend(top_properties());
            properties
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muxtray::desktop::menu::{Changeable, edits};

    fn item(key: &str, label: &str, intent: Option<Intent>) -> Entry {
        Entry::Item {
            key: key.to_owned(),
            label: label.to_owned(),
            intent,
        }
    }

    fn submenu(key: &str, entries: Vec<Entry>) -> Entry {
        Entry::Submenu {
            key: key.to_owned(),
            label: key.to_owned(),
            entries,
        }
    }

    fn draw(menu: &mut DrawnMenu, wanted: &[Entry], changeable: Changeable) -> Changes {
        menu.draw(&edits(&menu.entries, wanted, changeable))
    }

    #[test]
    fn rows_keep_their_ids_and_new_rows_get_new_ids() {
        let mut menu = DrawnMenu::default();
        let check = || item("check", "Check", Some(Intent::CheckAll));
        let web = submenu("web", vec![check(), item("path", "a_b", None)]);
        let all = draw(
            &mut menu,
            &[item("summary", "1 master", None), web.clone()],
            Changeable::All,
        );
        assert_eq!(all.layouts, BTreeSet::from([TOP]));
        assert_eq!(menu.all_ids(), [0, 1, 2, 3, 4]);
        assert_eq!((menu.submenus(TOP), menu.submenus(2)), (vec![2], vec![]));

        let db = submenu("db", vec![check()]);
        let summary = item("summary", "2 masters", None);
        let held_back = draw(
            &mut menu,
            &[summary.clone(), db.clone(), web],
            Changeable::None,
        );
        assert!(held_back.layouts.is_empty());
        let renamed = HashMap::from([("label", "2 masters".into())]);
        assert_eq!(held_back.properties, [(1, renamed)]);

        let web = submenu("web", vec![check()]);
        let later = draw(&mut menu, &[summary, db, web], Changeable::All);
        assert_eq!(later.layouts, BTreeSet::from([TOP, 2]));
        assert_eq!(menu.all_ids(), [0, 1, 5, 6, 2, 3]);
        assert!(menu.find_entry(4).is_none());
        assert_eq!(menu.find_entry(6).and_then(intent), Some(&Intent::CheckAll));
    }

    #[test]
    fn layout_has_as_many_levels_and_properties_as_asked_for() {
        let mut menu = DrawnMenu::default();
        let wanted = [submenu("web", vec![item("path", "a_b\0", None)])];
        draw(&mut menu, &wanted, Changeable::All);
        let path = (
            2,
            HashMap::from([
                ("label", Variant::from("a\u{2cd}b\u{fffd}")),
                ("enabled", false.into()),
            ]),
            Vec::new(),
        );
        assert_eq!(menu.layout(2, -1, &[]), Some(path.clone()));
        let web = menu.properties(1, &[]).unwrap();
        for (depth, below) in [
            (-1, vec![Variant::new(path.clone())]),
            (1, vec![Variant::new(path)]),
            (0, vec![]),
        ] {
            let layout = menu.layout(1, depth, &[]);
            assert_eq!(layout, Some((1, web.clone(), below)), "{depth}");
        }
        let label = ["label".to_owned()];
        let label = menu.properties(1, &label).unwrap();
        assert_eq!(label, HashMap::from([("label", "web".into())]));
        assert!(menu.layout(3, -1, &[]).is_none());
    }
}
