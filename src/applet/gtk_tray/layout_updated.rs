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

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use gtk::gio::{self, BusNameWatcherFlags, DBusConnection};
use gtk::glib::{self, MainContext, Priority, Variant, prelude::*};

use super::registration::call;

/// The object path that AppIndicator derives from the title "tray-icon tray app muxtray".
pub(super) const MENU_PATH: &str = "/org/ayatana/NotificationItem/tray_icon_tray_app_muxtray/Menu";

pub(super) const INTERFACE: &str = "com.canonical.dbusmenu";

const PLASMA: &str = "org.kde.plasmashell";

/// Time for Plasma's panel to read the top level of the menu.
const PLASMA_START: Duration = Duration::from_secs(5);

/// Time for Plasma to read the top level again, which adds the new submenus.
const TOP_LEVEL: Duration = Duration::from_millis(300);

/// The ids of the rows of each submenu, by the id of the submenu.
type Rows = BTreeMap<i32, Vec<i32>>;

/// The submenus that have been reported.
#[derive(Clone, Default)]
pub(super) struct Submenus(Rc<Reports>);

#[derive(Default)]
struct Reports {
    reported: RefCell<Rows>,
    is_reporting: Cell<bool>,
    /// Rows were inserted or removed since the menu was read.
    is_outdated: Cell<bool>,
}

impl Submenus {
    /// Reports the submenus that have changed rows since the last report, when the event loop is idle: one report for
    /// all edits in this iteration of the loop.
    pub(super) fn report(&self) {
        self.0.is_outdated.set(true);
        if self.0.is_reporting.replace(true) {
            return;
        }
        let reports = Rc::clone(&self.0);
        let report = async move {
            while reports.is_outdated.take() {
                if let Err(error) = reports.report().await {
                    tracing::debug!("cannot report changed submenus to the panel: {error}");
                }
            }
            reports.is_reporting.set(false);
        };
        MainContext::default().spawn_local_with_priority(Priority::DEFAULT_IDLE, report);
    }

    pub(super) fn report_all(&self) {
        self.0.reported.borrow_mut().clear();
        self.report();
    }
}

impl Reports {
    async fn report(&self) -> Result<(), glib::Error> {
        // AppIndicator uses the same connection.
        let connection = gio::bus_get_future(gio::BusType::Session).await?;
        let name = connection.unique_name().unwrap_or_default();
        let all = (0_i32, -1_i32, ["children-display"].as_slice()).to_variant();
        let menu = (name.as_str(), MENU_PATH);
        let reply = call(&connection, menu, INTERFACE, "GetLayout", &all).await?;
        let revision = reply.child_value(0);
        let mut submenus = Rows::new();
        note_submenus(&reply.child_value(1), &mut submenus);
        let (changed, new) = changes(&self.reported.borrow(), &submenus);
        self.reported.replace(submenus);
        // Plasma ignores the first signal for a submenu that it read on opening (`m_idsRefreshedByAboutToShow`), and
        // merges two signals in a row.
        emit(&connection, &revision, &changed)?;
        emit(&connection, &revision, &changed)?;
        if !new.is_empty() {
            glib::timeout_future(TOP_LEVEL).await;
            emit(&connection, &revision, &new)?;
        }
        Ok(())
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

/// Returns the submenus with changed rows, and the new submenus.
fn changes(reported: &Rows, submenus: &Rows) -> (Vec<i32>, Vec<i32>) {
    let different = submenus
        .iter()
        .filter(|(id, rows)| reported.get(id) != Some(rows));
    different
        .map(|(id, _)| id)
        .partition(|id| reported.contains_key(id))
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
        assert_eq!(changes(&reported, &submenus), (vec![4], vec![9]));
    }
}
