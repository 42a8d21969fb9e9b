//! The menu as muda has drawn it: its rows, their intents, and the drawing of one edit.
//!
//! `muxtray::desktop::menu` computes the edits; each tray shows the menu on a panel.

use std::collections::HashMap;

use muxtray::decide::intent::Intent;
use muxtray::desktop::menu::{self, Edit};
use muxtray::desktop::menu_label;
use muxtray::present::menu::Entry;
use tray_icon::menu::{
    CheckMenuItem, IsMenuItem, Menu, MenuId, MenuItem, PredefinedMenuItem, Submenu,
};

/// The menu on the panel.
pub(crate) struct DrawnMenu {
    menu: Menu,
    rows: Vec<Row>,
    entries: Vec<Entry>,
    /// The intents of the rows. Ids are never reused, so a late click never gets the intent of a later row.
    intents: HashMap<MenuId, Intent>,
    next_id: u64,
}

enum Row {
    Separator(PredefinedMenuItem),
    Item(MenuItem),
    /// With the wanted check mark; a click may change the drawn one.
    Check(CheckMenuItem, bool),
    Submenu(Submenu, Vec<Row>),
}

impl Row {
    fn as_item(&self) -> &dyn IsMenuItem {
        match self {
            Self::Separator(item) => item,
            Self::Item(item) => item,
            Self::Check(item, _) => item,
            Self::Submenu(item, _) => item,
        }
    }
}

impl DrawnMenu {
    pub(crate) fn new() -> Self {
        Self {
            menu: Menu::new(),
            rows: Vec::new(),
            entries: Vec::new(),
            intents: HashMap::new(),
            next_id: 0,
        }
    }

    pub(crate) fn menu(&self) -> Menu {
        self.menu.clone()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the intent of a row that was just clicked, and undoes a change that the click made to its check mark:
    /// the mark changes when the action is done.
    pub(crate) fn clicked(&self, id: &MenuId) -> Option<&Intent> {
        restore_mark(&self.rows, id);
        self.intents.get(id)
    }

    pub(crate) fn draw(&mut self, edit: &Edit) {
        match edit {
            Edit::Label { at, label } => self.draw_label(at, label),
            Edit::Disable { at } => self.disable(at),
            Edit::Remove { at } => self.remove(at),
            Edit::Insert { at, entry } => self.insert(at, entry),
        }
        menu::apply(&mut self.entries, edit);
    }

    fn draw_label(&self, at: &[usize], text: &str) {
        match self.row(at) {
            Some(Row::Item(item)) => item.set_text(menu_label::escaped(text)),
            Some(Row::Check(item, _)) => item.set_text(menu_label::escaped(text)),
            Some(Row::Submenu(submenu, _)) => submenu.set_text(menu_label::escaped(text)),
            Some(Row::Separator(_)) | None => {}
        }
    }

    fn disable(&mut self, at: &[usize]) {
        let id = match self.row(at) {
            Some(Row::Item(item)) => {
                item.set_enabled(false);
                item.id().clone()
            }
            Some(Row::Check(item, _)) => {
                item.set_enabled(false);
                item.id().clone()
            }
            Some(Row::Separator(_) | Row::Submenu(..)) | None => return,
        };
        self.intents.remove(&id);
    }

    fn remove(&mut self, at: &[usize]) {
        let Some((&index, parents)) = at.split_last() else {
            return;
        };
        let Some((parent, siblings)) = self.siblings(parents) else {
            return;
        };
        if index >= siblings.len() {
            return;
        }
        let row = siblings.remove(index);
        match parent {
            Some(parent) => parent.remove_at(index),
            None => self.menu.remove_at(index),
        };
        self.forget(&row);
    }

    fn insert(&mut self, at: &[usize], entry: &Entry) {
        let Some((&index, parents)) = at.split_last() else {
            return;
        };
        let row = self.row_for(entry);
        let menu = self.menu.clone();
        let Some((parent, siblings)) = self.siblings(parents) else {
            return;
        };
        if index > siblings.len() {
            return;
        }
        let inserted = match parent {
            Some(parent) => parent.insert(row.as_item(), index),
            None => menu.insert(row.as_item(), index),
        };
        if let Err(error) = inserted {
            tracing::error!("cannot draw a row of the menu: {error}");
        }
        siblings.insert(index, row);
    }

    /// Makes a row with everything below it, not yet in a menu.
    fn row_for(&mut self, entry: &Entry) -> Row {
        match entry {
            Entry::Separator => Row::Separator(PredefinedMenuItem::separator()),
            Entry::Item { label, intent, .. } => {
                let id = self.id_for(intent.as_ref());
                let text = menu_label::escaped(label);
                Row::Item(MenuItem::with_id(id, text, intent.is_some(), None))
            }
            Entry::Check {
                label,
                checked,
                intent,
                ..
            } => {
                let id = self.id_for(intent.as_ref());
                let text = menu_label::escaped(label);
                let item = CheckMenuItem::with_id(id, text, intent.is_some(), *checked, None);
                Row::Check(item, *checked)
            }
            Entry::Submenu { label, entries, .. } => {
                let submenu = Submenu::new(menu_label::escaped(label), true);
                let rows: Vec<_> = entries.iter().map(|entry| self.row_for(entry)).collect();
                for row in &rows {
                    if let Err(error) = submenu.append(row.as_item()) {
                        tracing::error!("cannot draw a row of the menu: {error}");
                    }
                }
                Row::Submenu(submenu, rows)
            }
        }
    }

    /// Returns a new id and stores its intent.
    fn id_for(&mut self, intent: Option<&Intent>) -> MenuId {
        let id = MenuId::new(self.next_id.to_string());
        self.next_id += 1;
        if let Some(intent) = intent {
            self.intents.insert(id.clone(), intent.clone());
        }
        id
    }

    fn forget(&mut self, row: &Row) {
        match row {
            Row::Separator(_) => {}
            Row::Item(item) => {
                self.intents.remove(item.id());
            }
            Row::Check(item, _) => {
                self.intents.remove(item.id());
            }
            Row::Submenu(_, rows) => rows.iter().for_each(|row| self.forget(row)),
        }
    }

    fn row(&self, at: &[usize]) -> Option<&Row> {
        let (&index, parents) = at.split_last()?;
        let mut siblings = &self.rows;
        for &parent in parents {
            let Row::Submenu(_, rows) = siblings.get(parent)? else {
                return None;
            };
            siblings = rows;
        }
        siblings.get(index)
    }

    /// Returns the rows at the path `parents`, and their submenu, which is `None` at the top.
    fn siblings(&mut self, parents: &[usize]) -> Option<(Option<Submenu>, &mut Vec<Row>)> {
        let mut submenu = None;
        let mut siblings = &mut self.rows;
        for &parent in parents {
            let Row::Submenu(next, rows) = siblings.get_mut(parent)? else {
                return None;
            };
            submenu = Some(next.clone());
            siblings = rows;
        }
        Some((submenu, siblings))
    }
}

fn restore_mark(rows: &[Row], id: &MenuId) {
    for row in rows {
        match row {
            Row::Check(item, checked) if item.id() == id => item.set_checked(*checked),
            Row::Submenu(_, rows) => restore_mark(rows, id),
            Row::Separator(_) | Row::Item(_) | Row::Check(..) => {}
        }
    }
}
