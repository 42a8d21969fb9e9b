//! The menu as muda has drawn it, and the drawing of one edit.
//!
//! `muxtray::desktop::menu` computes the edits; each tray shows the menu on a panel.

use muxtray::decide::intent::Intent;
use muxtray::desktop::menu::{self, Change, Edit};
use muxtray::desktop::menu_label::escaped;
use muxtray::present::menu::Entry;
use tray_icon::menu::{
    CheckMenuItem, IsMenuItem, Menu, MenuId, MenuItem, MenuItemKind, PredefinedMenuItem, Submenu,
};

/// The menu on the panel. Ids of muda are never reused, so a late click never gets the intent of a later row.
pub(crate) struct DrawnMenu {
    menu: Menu,
    entries: Vec<Entry>,
}

impl DrawnMenu {
    pub(crate) fn new() -> Self {
        Self {
            menu: Menu::new(),
            entries: Vec::new(),
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
        clicked(&self.menu.items(), &self.entries, id)
    }

    pub(crate) fn draw(&mut self, edit: &Edit) {
        if self.draw_change(edit).is_none() {
            tracing::error!("cannot draw a row of the menu: {edit:?}");
        }
        menu::apply(&mut self.entries, edit);
    }

    /// Returns `None` if there is no such row.
    fn draw_change(&self, edit: &Edit) -> Option<()> {
        let (&index, parents) = edit.at.split_last()?;
        let mut parent: Option<Submenu> = None;
        let mut rows = self.menu.items();
        for &index in parents {
            let submenu = rows.get(index)?.as_submenu()?.clone();
            rows = submenu.items();
            parent = Some(submenu);
        }
        match (&edit.change, parent) {
            (Change::Insert(entry), Some(parent)) => parent.insert(&*row(entry), index).ok()?,
            (Change::Insert(entry), None) => self.menu.insert(&*row(entry), index).ok()?,
            (Change::Remove, Some(parent)) => drop(parent.remove_at(index)?),
            (Change::Remove, None) => drop(self.menu.remove_at(index)?),
            (Change::Label(label), _) => match rows.get(index)? {
                MenuItemKind::MenuItem(item) => item.set_text(escaped(label)),
                MenuItemKind::Check(item) => item.set_text(escaped(label)),
                MenuItemKind::Submenu(item) => item.set_text(escaped(label)),
                MenuItemKind::Predefined(_) | MenuItemKind::Icon(_) => return None,
            },
            (Change::Disable, _) => match rows.get(index)? {
                MenuItemKind::MenuItem(item) => item.set_enabled(false),
                MenuItemKind::Check(item) => item.set_enabled(false),
                MenuItemKind::Submenu(_) | MenuItemKind::Predefined(_) | MenuItemKind::Icon(_) => {
                    return None;
                }
            },
        }
        Some(())
    }
}

fn clicked<'a>(rows: &[MenuItemKind], entries: &'a [Entry], id: &MenuId) -> Option<&'a Intent> {
    rows.iter()
        .zip(entries)
        .find_map(|(row, entry)| match (row, entry) {
            (MenuItemKind::Submenu(submenu), Entry::Submenu { entries, .. }) => {
                clicked(&submenu.items(), entries, id)
            }
            (MenuItemKind::MenuItem(item), Entry::Item { intent, .. }) if item.id() == id => {
                intent.as_ref()
            }
            (
                MenuItemKind::Check(item),
                Entry::Check {
                    checked, intent, ..
                },
            ) if item.id() == id => {
                item.set_checked(*checked);
                intent.as_ref()
            }
            _ => None,
        })
}

/// Makes a row with everything below it, not yet in a menu.
fn row(entry: &Entry) -> Box<dyn IsMenuItem> {
    match entry {
        Entry::Separator => Box::new(PredefinedMenuItem::separator()),
        Entry::Item { label, intent, .. } => {
            Box::new(MenuItem::new(escaped(label), intent.is_some(), None))
        }
        Entry::Check {
            label,
            checked,
            intent,
            ..
        } => Box::new(CheckMenuItem::new(
            escaped(label),
            intent.is_some(),
            *checked,
            None,
        )),
        Entry::Submenu { label, entries, .. } => {
            let submenu = Submenu::new(escaped(label), true);
            for entry in entries {
                if let Err(error) = submenu.append(&*row(entry)) {
                    tracing::error!("cannot draw a row of the menu: {error}");
                }
            }
            Box::new(submenu)
        }
    }
}
