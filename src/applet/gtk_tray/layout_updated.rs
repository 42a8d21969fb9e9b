//! Reports submenus with changed rows to the panel.
//!
//! libdbusmenu-glib sends `LayoutUpdated` for the whole menu only (18.10, server.c, `layout_update_idle`). Plasma then
//! reads the top level and only those submenus that it has never read (plasma-workspace 6.3,
//! libdbusmenuqt/dbusmenuimporter.cpp, `slotGetLayoutFinished`); the others keep their old rows. If the signal has the
//! id of a submenu, Plasma reads that submenu. New submenus are reported too, and all submenus after Plasma has
//! started: if Plasma reads a submenu only when it is opened, it positions the submenu before its size is known, off
//! the screen.
//!
//! Only libdbusmenu has the ids, so the menu is read over the bus.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use gtk::gio::{self, BusNameWatcherFlags, Cancellable, DBusCallFlags, DBusConnection};
use gtk::glib::{self, Variant, prelude::*};

/// The object path that AppIndicator derives from the title "tray-icon tray app muxtray".
const MENU_PATH: &str = "/org/ayatana/NotificationItem/tray_icon_tray_app_muxtray/Menu";

const INTERFACE: &str = "com.canonical.dbusmenu";

const PLASMA: &str = "org.kde.plasmashell";

/// Time for Plasma's panel to read the top level of the menu.
const PLASMA_START: Duration = Duration::from_secs(5);

/// Time for Plasma to read the top level again, which adds the new submenus.
const TOP_LEVEL: Duration = Duration::from_millis(300);

/// Timeout of a bus call, in milliseconds.
const LIMIT: i32 = 10_000;

/// The submenus that have been reported.
#[derive(Clone, Default)]
pub(super) struct Submenus(Rc<RefCell<Reported>>);

#[derive(Default)]
struct Reported {
    submenus: Rows,
    reading: Reading,
}

/// The ids of the rows of each submenu, by the id of the submenu.
type Rows = BTreeMap<i32, Vec<i32>>;

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Reading {
    #[default]
    No,
    Yes,
    /// Rows were inserted or removed since it began.
    Outdated,
}

impl Submenus {
    /// Reports the submenus that have changed rows since the last report, when the event loop is idle.
    pub(super) fn report(&self) {
        let reading = &mut self.0.borrow_mut().reading;
        if *reading != Reading::No {
            *reading = Reading::Outdated;
            return;
        }
        *reading = Reading::Yes;
        let submenus = self.clone();
        // One report for all edits in this iteration of the loop.
        glib::idle_add_local_once(move || submenus.read());
    }

    pub(super) fn report_all(&self) {
        self.0.borrow_mut().submenus.clear();
        self.report();
    }

    fn read(self) {
        // AppIndicator uses the same connection.
        gio::bus_get(
            gio::BusType::Session,
            Cancellable::NONE,
            move |connection| match connection {
                Ok(connection) => self.read_from(&connection),
                Err(error) => self.end(&error),
            },
        );
    }

    fn read_from(self, connection: &DBusConnection) {
        let all = (0_i32, -1_i32, ["children-display"].as_slice()).to_variant();
        let sender = connection.clone();
        connection.call(
            connection.unique_name().as_deref(),
            MENU_PATH,
            INTERFACE,
            "GetLayout",
            Some(&all),
            None,
            DBusCallFlags::NO_AUTO_START,
            LIMIT,
            Cancellable::NONE,
            move |reply| match reply.and_then(|reply| self.send(&sender, &reply)) {
                Ok(()) => self.end_reading(),
                Err(error) => self.end(&error),
            },
        );
    }

    fn send(&self, connection: &DBusConnection, reply: &Variant) -> Result<(), glib::Error> {
        let revision = reply.child_value(0);
        let mut submenus = Rows::new();
        note_submenus(&reply.child_value(1), &mut submenus);
        let Changes { changed, new } = changes(&self.0.borrow().submenus, &submenus);
        self.0.borrow_mut().submenus = submenus;
        // Plasma ignores the first signal for a submenu that it read on opening (`m_idsRefreshedByAboutToShow`), and
        // merges two signals in a row.
        emit(connection, &revision, &changed)?;
        emit(connection, &revision, &changed)?;
        if !new.is_empty() {
            let connection = connection.clone();
            glib::timeout_add_local_once(TOP_LEVEL, move || {
                if let Err(error) = emit(&connection, &revision, &new) {
                    log(&error);
                }
            });
        }
        Ok(())
    }

    fn end(&self, error: &glib::Error) {
        log(error);
        self.end_reading();
    }

    fn end_reading(&self) {
        let reading = std::mem::take(&mut self.0.borrow_mut().reading);
        if reading == Reading::Outdated {
            self.report();
        }
    }
}

/// Calls `then` when Plasma's panel has read the menu, each time either of them starts.
pub(super) fn after_plasma_start(then: impl Fn() + Clone + Send + Sync + 'static) {
    gio::bus_watch_name(
        gio::BusType::Session,
        PLASMA,
        BusNameWatcherFlags::NONE,
        move |_, _, _| {
            glib::timeout_add_once(PLASMA_START, then.clone());
        },
        |_, _| {},
    );
}

/// Collects the submenus of a row in a `GetLayout` reply: `(ia{sv}av)`, the id, properties and child rows.
fn note_submenus(row: &Variant, submenus: &mut Rows) {
    let below: Vec<Variant> = row
        .child_value(2)
        .iter()
        .filter_map(|row| row.as_variant())
        .collect();
    let id = |row: &Variant| row.child_value(0).get::<i32>();
    let properties = glib::VariantDict::new(Some(&row.child_value(1)));
    if let Some(id_of_row @ 1..) = id(row)
        && properties.contains("children-display")
    {
        submenus.insert(id_of_row, below.iter().filter_map(id).collect());
    }
    for row in &below {
        note_submenus(row, submenus);
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    changed: Vec<i32>,
    new: Vec<i32>,
}

fn changes(reported: &Rows, submenus: &Rows) -> Changes {
    let mut changes = Changes::default();
    for (&id, rows) in submenus {
        match reported.get(&id) {
            None => changes.new.push(id),
            Some(before) if before != rows => changes.changed.push(id),
            Some(_) => {}
        }
    }
    changes
}

fn emit(connection: &DBusConnection, revision: &Variant, ids: &[i32]) -> Result<(), glib::Error> {
    ids.iter().try_for_each(|id| {
        let arguments = Variant::tuple_from_iter([revision.clone(), id.to_variant()]);
        connection.emit_signal(
            None,
            MENU_PATH,
            INTERFACE,
            "LayoutUpdated",
            Some(&arguments),
        )
    })
}

fn log(error: &glib::Error) {
    tracing::debug!("cannot report changed submenus to the panel: {error}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i32, rows: Option<Vec<Variant>>) -> Variant {
        let properties = glib::VariantDict::new(None);
        if rows.is_some() {
            properties.insert("children-display", "submenu");
        }
        let below: Vec<Variant> = rows.unwrap_or_default();
        Variant::tuple_from_iter([id.to_variant(), properties.end(), below.to_variant()])
    }

    #[test]
    fn collects_rows_of_submenus_without_top_menu() {
        let inner = row(4, Some(vec![row(5, None)]));
        let outer = row(2, Some(vec![row(3, None), inner]));
        let layout = row(0, Some(vec![row(1, None), outer, row(6, Some(Vec::new()))]));
        let mut submenus = Rows::new();
        note_submenus(&layout, &mut submenus);
        let expected = [(2, vec![3, 4]), (4, vec![5]), (6, vec![])];
        assert_eq!(submenus, Rows::from(expected));
    }

    #[test]
    fn finds_changed_and_new_submenus() {
        let reported = Rows::from([(2, vec![3, 4]), (4, vec![5]), (6, vec![7])]);
        let submenus = Rows::from([(2, vec![3, 4]), (4, vec![8]), (9, vec![10])]);
        let expected = Changes {
            changed: vec![4],
            new: vec![9],
        };
        assert_eq!(changes(&reported, &submenus), expected);
    }
}
