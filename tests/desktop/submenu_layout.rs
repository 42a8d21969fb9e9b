//! The menu in a panel that reads no more than it has to: the rows it has read are up to date after a change.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use crate::desktop::{Desktop, Layout, MENU, Parts, Row, TrayIcon, end, lab, row};
use crate::support::{PATIENCE, look_for, wait_until};
use futures_lite::future::block_on;
use zbus::OwnedVariant;

const CLEAN: &[&str] = &["Settings", "Clean stale sockets automatically"];
const STALE: &[&str] = &["Notify about", "Stale control socket"];

type Properties = HashMap<String, OwnedVariant>;

/// The arguments of `ItemsPropertiesUpdated`: the set and the removed properties.
type Updated = (Vec<(i32, Properties)>, Vec<(i32, Vec<String>)>);

/// A panel that reads the menu as Plasma 6.3 does (plasma-workspace, libdbusmenuqt/dbusmenuimporter.cpp): the top level
/// at once, a submenu when it is opened for the first time, and one level again only where `LayoutUpdated` names it.
/// Of the properties it takes those that are set and not those that were removed, as Budgie 10.9 does
/// (panel/applets/tray/DBusMenu.vala).
struct Panel<'a> {
    icon: TrayIcon<'a>,
    signals: Receiver<(Instant, zbus::Message)>,
    rows: HashMap<i32, (Properties, Vec<i32>)>,
    /// Submenus that were read at their opening: the next signal for one of them is ignored.
    read_at_opening: HashSet<i32>,
}

impl<'a> Panel<'a> {
    fn new(desktop: &'a Desktop<'_>, icon: TrayIcon<'a>) -> Self {
        let mut panel = Self {
            icon,
            signals: menu_signals(desktop),
            rows: HashMap::from([(0, Default::default())]),
            read_at_opening: HashSet::new(),
        };
        panel.read(0);
        panel
    }

    /// Reads one level. A row that is gone meanwhile has none.
    fn read(&mut self, parent: i32) {
        let Ok((_, _, below)) = self.icon.layout(parent, 1) else {
            return;
        };
        let below: Vec<Layout> = below
            .into_iter()
            .map(|row| row.try_into().unwrap())
            .collect();
        let ids = below.iter().map(|row| row.0).collect();
        if let Some((_, rows)) = self.rows.get_mut(&parent) {
            *rows = ids;
            for (id, properties, _) in below {
                self.rows.entry(id).or_default().0.extend(properties);
            }
        }
    }

    /// Follows the signals that have come.
    fn follow(&mut self) {
        while let Ok((_, message)) = self.signals.try_recv() {
            if let Some(parent) = layout_updated(&message)
                && !self.read_at_opening.remove(&parent)
            {
                self.read(parent);
            }
            for (id, properties) in properties_set(&message) {
                if let Some((known, _)) = self.rows.get_mut(&id) {
                    known.extend(properties);
                }
            }
        }
    }

    fn shown(&self, id: i32) -> Row {
        let (properties, below) = &self.rows[&id];
        let mut shown = row((id, properties.clone(), Vec::new())).unwrap();
        shown.rows = below.iter().map(|&id| self.shown(id)).collect();
        shown
    }

    /// Waits until the panel shows the row that these labels lead to, and it is like this. The submenus on the way
    /// must have been opened.
    #[track_caller]
    fn wait_for(&mut self, labels: &[&str], like: impl Fn(&Row) -> bool) -> Row {
        let found = look_for(PATIENCE, || {
            self.follow();
            let menu = self.shown(0);
            let found = labels
                .iter()
                .try_fold(&menu, |row, label| row.find(label))?;
            like(found).then(|| found.clone())
        });
        found.unwrap_or_else(|| panic!("{labels:?} in {:#?}", self.shown(0)))
    }

    /// Opens the submenus that these labels lead to, one after the other.
    #[track_caller]
    fn open(&mut self, labels: &[&str]) {
        for depth in 1..=labels.len() {
            let id = self.wait_for(&labels[..depth], |_| true).id;
            self.icon.try_call("AboutToShow", &id).unwrap();
            if self.rows[&id].1.is_empty() {
                self.read_at_opening.insert(id);
                self.read(id);
            }
        }
    }
}

/// The signals of the menu, starting now.
fn menu_signals(desktop: &Desktop<'_>) -> Receiver<(Instant, zbus::Message)> {
    desktop.overhear(&[&format!("type='signal',interface='{MENU}'")])
}

/// The row whose submenu the message reports; 0 for the whole menu.
fn layout_updated(message: &zbus::Message) -> Option<i32> {
    let is_report = message.header().member()? == "LayoutUpdated";
    is_report.then(|| message.body().deserialize::<(u32, i32)>().unwrap().1)
}

/// The properties that the message sets, by the ids of the rows.
fn properties_set(message: &zbus::Message) -> Vec<(i32, Properties)> {
    let header = message.header();
    let is_update = header
        .member()
        .is_some_and(|member| member == "ItemsPropertiesUpdated");
    let (set, _): Updated = if is_update {
        message.body().deserialize().unwrap()
    } else {
        Updated::default()
    };
    set
}

#[test]
fn opened_submenu_of_a_dead_master_offers_clean() {
    let Some(lab) = lab("opened_submenu_of_a_dead_master_offers_clean") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let mut master = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["\u{25cf} web"]);
    let mut panel = Panel::new(&desktop, icon);
    panel.open(&["\u{25cf} web"]);
    panel.wait_for(&["\u{25cf} web", "Check"], |row| row.enabled);
    master.kill();
    panel.wait_for(&["\u{25b2} web"], |row| {
        row.find("Check").is_none() && row.find("Clean").is_some_and(|clean| clean.enabled)
    });
    end(applet);
}

#[test]
fn opened_submenu_shows_a_switched_mark() {
    let Some(lab) = lab("opened_submenu_shows_a_switched_mark") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_mark(CLEAN, false);
    let mut panel = Panel::new(&desktop, icon);
    for (labels, before) in [(CLEAN, false), (STALE, true)] {
        panel.open(&labels[..labels.len() - 1]);
        panel.wait_for(labels, |row| row.checked == Some(before));
        panel.icon.click(labels);
        panel.wait_for(labels, |row| row.checked == Some(!before));
    }
    end(applet);
}

#[test]
fn row_that_becomes_enabled_is_not_grey() {
    let Some(lab) = lab("row_that_becomes_enabled_is_not_grey") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_mark(CLEAN, false);
    let mut panel = Panel::new(&desktop, icon);
    panel.open(&CLEAN[..1]);
    lab.write_muxtray_config("clean_automatically = perhaps\n");
    panel.wait_for(CLEAN, |row| !row.enabled);
    lab.write_muxtray_config("clean_automatically = false\n");
    panel.wait_for(CLEAN, |row| row.enabled);
    end(applet);
}

#[test]
fn plasma_is_sent_every_submenu_when_it_starts() {
    let Some(lab) = lab("plasma_is_sent_every_submenu_when_it_starts") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let signals = menu_signals(&desktop);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    let settings = icon.wait_for_row(&CLEAN[..1]).id;
    let wait_for_signal = |what| {
        wait_until(what, PATIENCE, || {
            signals
                .try_iter()
                .any(|(_, message)| layout_updated(&message) == Some(settings))
        });
    };
    // The lean tray reports submenus when their parent has been read, and once to each reader.
    icon.layout(0, 1).unwrap();
    wait_for_signal("a new submenu is reported");
    let address = desktop.bus_address();
    let plasma = block_on(zbus::connection::Builder::address(address.as_str()).build()).unwrap();
    block_on(plasma.request_name("org.kde.plasmashell")).unwrap();
    icon.asked_by(&plasma).layout(0, 1).unwrap();
    wait_for_signal("it is reported to Plasma");
    end(applet);
}

#[cfg(not(feature = "lean-tray"))]
#[test]
fn rows_wait_until_the_top_menu_is_closed() {
    let name = "rows_wait_until_the_top_menu_is_closed";
    let Some(lab) = lab(name) else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["no masters"]);
    // As Plasma and GNOME do.
    let report = |event: &str| {
        let event = (0, event, zbus::Variant::from(0), 0_u32);
        icon.try_call("Event", &event).unwrap();
    };
    report("opened");
    let _master = lab.master("web");
    icon.wait_for_row(&["1 master"]);
    assert!(icon.menu().unwrap().find("\u{25cf} web").is_none());
    report("closed");
    icon.wait_for_row(&["\u{25cf} web"]);
    end(applet);
}

#[cfg(feature = "lean-tray")]
#[test]
fn open_menu_keeps_its_rows_until_it_is_closed_or_opened_again() {
    let Some(lab) = lab("open_menu_keeps_its_rows_until_it_is_closed_or_opened_again") else {
        return;
    };
    let desktop = Desktop::new(&lab, Parts::ALL);
    let _web = lab.master("web");
    let applet = desktop.muxtray_run(&[]);
    let icon = desktop.tray_icon(applet.pid());
    let report = |id: i32, event: &str| {
        let event = (id, event, zbus::Variant::from(0), 0_u32);
        icon.try_call("Event", &event).unwrap();
    };
    let web = icon.wait_for_row(&["\u{25cf} web"]);
    report(0, "opened");
    report(web.id, "opened");
    let mut db = lab.master("db");
    icon.wait_for_row(&["2 masters"]);
    let shown = icon.menu().unwrap();
    assert_eq!(shown.find("\u{25cf} web"), Some(&web));
    assert_eq!(shown.find("\u{25cf} db"), None, "{shown:#?}");
    report(web.id, "closed");
    report(0, "closed");
    let db_id = icon.wait_for_row(&["\u{25cf} db"]).id;

    // Other panels report neither the top menu nor every end of a submenu.
    report(db_id, "opened");
    db.kill();
    let stale = icon.wait_for_row(&["\u{25b2} db"]);
    assert_eq!(stale.id, db_id);
    assert_eq!(stale.find("Clean"), None, "{stale:#?}");
    icon.try_call("AboutToShow", &0).unwrap();
    let again = icon.menu().unwrap();
    let stale = again.find("\u{25b2} db").unwrap();
    assert!(stale.find("Clean").is_some(), "{again:#?}");
    end(applet);
}
