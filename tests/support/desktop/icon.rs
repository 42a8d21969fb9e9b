//! The tray icon as a panel sees it: its menu, read and clicked over `com.canonical.dbusmenu`.

use std::collections::HashMap;

use futures_lite::future::block_on;
use zbus::{Connection, OwnedVariant, fdo};

use super::bus::property;
use crate::support::{PATIENCE, look_for};

pub(crate) struct TrayIcon<'a> {
    pub(super) connection: &'a Connection,
    pub(super) owner: String,
    pub(super) path: String,
}

/// One row of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its id; a row that replaces it has another.
    pub(crate) id: i32,
    /// Its text without mnemonics; empty for a separator.
    pub(crate) label: String,
    pub(crate) enabled: bool,
    /// The state of its check mark; `None` for a row without one.
    pub(crate) checked: Option<bool>,
    /// The rows of its submenu.
    pub(crate) rows: Vec<Row>,
}

impl Row {
    /// The row below this one with this label, which may be followed by a state, a count or a reason: "▲ web" finds "▲
    /// web — stale", but "no masters" does not find "no masters, 1 problem", which is another summary.
    pub(crate) fn find(&self, label: &str) -> Option<&Self> {
        self.rows.iter().find(|row| {
            row.label.strip_prefix(label).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(' ') || rest.starts_with(": ")
            })
        })
    }
}

/// A row in `com.canonical.dbusmenu.GetLayout`: id, properties, rows below.
pub(crate) type Layout = (i32, HashMap<String, OwnedVariant>, Vec<OwnedVariant>);

const ITEM: &str = "org.kde.StatusNotifierItem";
pub(crate) const MENU: &str = "com.canonical.dbusmenu";

impl TrayIcon<'_> {
    /// Returns the same icon through another connection, so that its menu can be read without the panel.
    pub(crate) fn asked_by<'a>(&self, connection: &'a Connection) -> TrayIcon<'a> {
        TrayIcon {
            connection,
            owner: self.owner.clone(),
            path: self.path.clone(),
        }
    }

    fn menu_path(&self) -> Option<String> {
        let path = property(self.connection, &self.owner, &self.path, ITEM, "Menu")?;
        let path = zbus::OwnedObjectPath::try_from(path).ok()?;
        Some(path.as_str().to_owned())
    }

    /// Returns the status that the panel reads: `Active`, or `Passive` for a hidden icon.
    pub(crate) fn status(&self) -> Option<String> {
        let status = property(self.connection, &self.owner, &self.path, ITEM, "Status")?;
        status.try_into().ok()
    }

    /// The whole menu; `None` while it is being changed.
    pub(crate) fn menu(&self) -> Option<Row> {
        self.menu_path()?;
        row(self.layout(0, -1).ok()?)
    }

    /// A row and this many levels below it; -1 for all.
    pub(crate) fn layout(&self, id: i32, depth: i32) -> zbus::Result<Layout> {
        let reply = self.try_call("GetLayout", &(id, depth, Vec::<&str>::new()))?;
        let (_, layout): (u32, Layout) = reply.body().deserialize()?;
        Ok(layout)
    }

    /// Waits until the menu has the row at this path of labels, each given by its beginning.
    #[track_caller]
    pub(crate) fn wait_for_row(&self, labels: &[&str]) -> Row {
        let mut last = None;
        let found = look_for(PATIENCE, || {
            last = self.menu();
            labels
                .iter()
                .try_fold(last.as_ref()?, |row, label| row.find(label))
                .cloned()
        });
        found.unwrap_or_else(|| panic!("no {labels:?} in {last:#?}"))
    }

    /// Waits until the row at this path of labels is checked or not.
    #[track_caller]
    pub(crate) fn wait_for_mark(&self, labels: &[&str], checked: bool) {
        let found = look_for(PATIENCE, || {
            let menu = self.menu()?;
            let row = labels
                .iter()
                .try_fold(&menu, |row, label| row.find(label))?;
            (row.checked == Some(checked)).then_some(())
        });
        found.unwrap_or_else(|| panic!("not {checked}: {labels:?} in {:#?}", self.menu()));
    }

    /// Clicks the row at this path of labels, as a panel does: opens each submenu first, and looks a row up again if it
    /// was replaced meanwhile.
    #[track_caller]
    pub(crate) fn click(&self, labels: &[&str]) {
        let clicked = look_for(PATIENCE, || match self.open_and_click(labels) {
            Err(zbus::Error::FDO(error)) if matches!(*error, fdo::Error::InvalidArgs(_)) => None,
            done => Some(done),
        });
        clicked
            .unwrap_or_else(|| panic!("{labels:?} is drawn anew without end"))
            .unwrap_or_else(|error| panic!("{labels:?}: {error}"));
    }

    #[track_caller]
    fn open_and_click(&self, labels: &[&str]) -> zbus::Result<()> {
        let row = self.wait_for_row(labels);
        assert!(row.enabled, "{labels:?} cannot be clicked: {row:?}");
        for depth in 0..labels.len() {
            let parent = if depth == 0 {
                0
            } else {
                self.wait_for_row(&labels[..depth]).id
            };
            let _: bool = self
                .try_call("AboutToShow", &parent)?
                .body()
                .deserialize()?;
        }
        self.try_click(&row)
    }

    /// Clicks a row by its id, although the row may have been replaced.
    pub(crate) fn try_click(&self, row: &Row) -> zbus::Result<()> {
        let event = (row.id, "clicked", zbus::Variant::from(0), 0_u32);
        self.try_call("Event", &event).map(drop)
    }

    pub(crate) fn try_call<B>(&self, method: &str, body: &B) -> zbus::Result<zbus::Message>
    where
        B: serde::Serialize + zbus::Type,
    {
        let menu = self.menu_path().expect("the icon has a menu");
        block_on(self.connection.call_method(
            Some(self.owner.as_str()),
            menu.as_str(),
            Some(MENU),
            method,
            body,
        ))
    }
}

pub(crate) fn row((id, properties, below): Layout) -> Option<Row> {
    let text = |name: &str| -> Option<String> { properties.get(name)?.clone().try_into().ok() };
    let enabled = properties
        .get("enabled")
        .and_then(|enabled| bool::try_from(enabled.clone()).ok())
        .unwrap_or(true);
    let checked = (text("toggle-type").as_deref() == Some("checkmark")).then(|| {
        let state = properties.get("toggle-state");
        state.and_then(|state| i32::try_from(state.clone()).ok()) == Some(1)
    });
    // An underscore marks the mnemonic; a doubled one is an underscore.
    let label = text("label")
        .unwrap_or_default()
        .replace("__", "\0")
        .replace('_', "")
        .replace('\0', "_");
    let rows = below
        .into_iter()
        .map(|variant| row(Layout::try_from(variant).ok()?))
        .collect::<Option<_>>()?;
    Some(Row {
        id,
        label,
        enabled,
        checked,
        rows,
    })
}
