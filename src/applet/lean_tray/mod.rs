//! The tray without GTK: an item and a menu on the session bus, for panels that support StatusNotifierItem.
//!
//! It needs no display and has no windows. It copies and shows texts with other programs if they are installed, and
//! opens its menu on a right click only. The panel does not report an open menu to it, so if rows are inserted or
//! removed then, the panel closes the open submenu.
//!
//! The ksni backend of tray-icon runs on its own threads. A call into it waits for the bus, for ever if a panel does
//! not answer. So a separate thread makes these calls, and neither the engine nor the exit of the program waits for it.

mod icons;
mod supported_entries;
mod text_viewer;

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use muxtray::decide::intent::Intent;
use muxtray::desktop::menu::{Edit, edits};
use muxtray::present::menu::{self, Icon, TrayView};
use tray_icon::menu::{MenuEvent, MenuId};
use tray_icon::{TrayIcon, TrayIconBuilder};

use crate::clipboard::{self, Tool};
use crate::drawn_menu::DrawnMenu;
use crate::order::Order;
use icons::Icons;
use supported_entries::supported_entries;
use text_viewer::Viewer;

/// Returns whether texts can be shown.
pub(crate) fn can_show() -> bool {
    text_viewer::is_available()
}

/// Sends orders to the tray, from any thread.
pub(crate) struct Orders {
    pending: PendingView,
    viewer: Viewer,
    events: Sender<TrayEvent>,
    /// Dropped with the orders, so the tray also ends if the engine ends without [`Order::End`].
    end: Sender<()>,
}

/// The latest view that is not drawn yet; a newer view replaces it.
type PendingView = Arc<Mutex<Option<TrayView>>>;

impl Orders {
    pub(crate) fn send(&self, order: Order) {
        // The receivers are dropped only at the end, when nothing needs to be drawn.
        match order {
            Order::Draw(view) => {
                let waiting = lock(&self.pending).replace(view);
                if waiting.is_none() {
                    let _ = self.events.send(TrayEvent::ViewPending);
                }
            }
            Order::ShowDetails { title, text } => self.viewer.show(title, text),
            Order::End => {
                let _ = self.end.send(());
            }
        }
    }
}

/// An event for the drawing thread.
enum TrayEvent {
    ViewPending,
    Clicked(MenuId),
}

#[derive(Debug, thiserror::Error)]
#[error("cannot make the tray icon: {0}")]
pub(crate) struct TrayError(String);

/// The tray before the panel has its icon.
pub(crate) struct Tray {
    icons: Icons,
    pending: PendingView,
    viewer: Viewer,
    events: (Sender<TrayEvent>, Receiver<TrayEvent>),
    end: (Sender<()>, Receiver<()>),
}

impl Tray {
    /// Prepares the tray; [`Tray::run`] adds the icon to the panel.
    ///
    /// # Errors
    /// If a built-in icon is not a valid PNG.
    pub(crate) fn open() -> Result<Self, TrayError> {
        Ok(Self {
            icons: Icons::new().map_err(TrayError)?,
            pending: PendingView::default(),
            viewer: Viewer::default(),
            events: mpsc::channel(),
            end: mpsc::channel(),
        })
    }

    #[must_use]
    pub(crate) fn orders(&self) -> Orders {
        Orders {
            pending: Arc::clone(&self.pending),
            viewer: self.viewer.clone(),
            events: self.events.0.clone(),
            end: self.end.0.clone(),
        }
    }

    /// Draws views and calls `send` with the intents of clicked rows, until [`Order::End`]. The icon disappears when
    /// the program closes its bus connection.
    ///
    /// `send` is called on the drawing thread.
    pub(crate) fn run(self, send: impl Fn(Intent) + Send + 'static) {
        let Self {
            icons,
            pending,
            viewer,
            events: (sender, events),
            end: (own_end, end),
        } = self;
        drop(own_end);
        let draw = move || match Panel::open(icons, sender) {
            Ok(mut panel) => {
                while let Ok(event) = events.recv() {
                    panel.handle(event, &pending, &send);
                }
            }
            Err(error) => tracing::warn!("{error}; watching without an icon"),
        };
        let drawing = thread::Builder::new().name("tray".to_owned()).spawn(draw);
        if let Err(error) = drawing {
            tracing::warn!("no thread for the tray icon: {error}; watching without an icon");
        }
        // Returns on the order, and also if all senders are dropped.
        let _ = end.recv();
        viewer.close();
    }
}

/// The icon and menu on the panel, owned by the drawing thread.
struct Panel {
    icon: TrayIcon,
    icons: Icons,
    look: Icon,
    menu: DrawnMenu,
    clipboard: Option<Tool>,
}

impl Panel {
    /// Registers the icon with every panel, including later ones; waits for the bus.
    fn open(icons: Icons, events: Sender<TrayEvent>) -> Result<Self, TrayError> {
        let clipboard = Tool::find();
        let mut menu = DrawnMenu::new();
        for edit in edits(
            &[],
            &supported_entries(menu::starting().menu, clipboard.is_some()),
        ) {
            menu.draw(&edit);
        }
        // The backend calls this handler, so it must not block.
        MenuEvent::set_event_handler(Some(move |event: MenuEvent| {
            let _ = events.send(TrayEvent::Clicked(event.id));
        }));
        let builder = TrayIconBuilder::new()
            .with_id("muxtray")
            .with_title("muxtray")
            .with_menu(Box::new(menu.menu()));
        let icon = icons
            .begin(builder, Icon::Idle)
            .build()
            .map_err(|error| TrayError(error.to_string()))?;
        Ok(Self {
            icon,
            icons,
            look: Icon::Idle,
            menu,
            clipboard,
        })
    }

    fn handle(&mut self, event: TrayEvent, pending: &PendingView, send: &impl Fn(Intent)) {
        match event {
            TrayEvent::ViewPending => {
                let view = lock(pending).take();
                if let Some(view) = view {
                    self.draw(view);
                }
            }
            TrayEvent::Clicked(id) => match self.menu.clicked(&id) {
                Some(intent) => match (clipboard::text_to_copy(intent), self.clipboard) {
                    (Some(text), Some(tool)) => tool.copy(text, |_, copied| {
                        if let Err(error) = copied {
                            tracing::warn!("not on the clipboard: {error}");
                        }
                    }),
                    (Some(_), None) => {}
                    (None, _) => send(intent.clone()),
                },
                None => tracing::debug!("a click on a row that is no longer there"),
            },
        }
    }

    fn draw(&mut self, view: TrayView) {
        if self.look != view.icon {
            match self.icons.show(&self.icon, view.icon) {
                Ok(()) => self.look = view.icon,
                Err(error) => tracing::warn!("cannot change the tray icon: {error}"),
            }
        }
        let mut changes = DirectionChanges::default();
        for edit in edits(
            self.menu.entries(),
            &supported_entries(view.menu, self.clipboard.is_some()),
        ) {
            if changes.changes_at(&edit) {
                self.publish(&view.summary);
            }
            self.menu.draw(&edit);
        }
        self.publish(&view.summary);
    }

    /// Publishes the menu and the tooltip on the bus, and waits until that is done: setting the tooltip publishes both.
    fn publish(&mut self, tooltip: &str) {
        if let Err(error) = self.icon.set_tooltip(Some(tooltip)) {
            tracing::warn!("cannot change the tray icon: {error}");
        }
    }
}

/// Finds the edits at which insertions change to removals, or removals to insertions.
///
/// The backend identifies rows by number. If the shape of the menu changes, it renumbers all rows and rejects the old
/// numbers; if the shape stays the same, a new row gets the number of the row it replaces. So a removal must be
/// published before an insertion replaces the row, or a click on the old row would act on the new one. A sequence of
/// only insertions or only removals never repeats a shape, so the backend may skip any state within it.
#[derive(Default)]
struct DirectionChanges(Option<Direction>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Inserting,
    Removing,
}

impl DirectionChanges {
    /// Returns whether the menu must be published before this edit.
    fn changes_at(&mut self, edit: &Edit) -> bool {
        let direction = match edit {
            Edit::Insert { .. } => Direction::Inserting,
            Edit::Remove { .. } => Direction::Removing,
            Edit::Label { .. } | Edit::Disable { .. } => return false,
        };
        self.0
            .replace(direction)
            .is_some_and(|last| last != direction)
    }
}

fn lock(pending: &PendingView) -> std::sync::MutexGuard<'_, Option<TrayView>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(at: usize) -> Edit {
        Edit::Insert {
            at: vec![at],
            entry: menu::starting().menu.remove(0),
        }
    }

    fn remove(at: usize) -> Edit {
        Edit::Remove { at: vec![at] }
    }

    fn relabel(at: usize) -> Edit {
        Edit::Label {
            at: vec![at],
            label: "text".to_owned(),
        }
    }

    #[test]
    fn publishes_removed_row_before_its_replacement() {
        for (edits, published_before) in [
            (vec![insert(0), insert(1), relabel(0), insert(2)], vec![]),
            (vec![remove(0), relabel(0), remove(0)], vec![]),
            (vec![remove(0), insert(0)], vec![1]),
            (
                vec![insert(0), relabel(1), remove(2), remove(2), insert(2)],
                vec![2, 4],
            ),
        ] {
            let mut changes = DirectionChanges::default();
            let changing: Vec<_> = (0..edits.len())
                .filter(|&index| changes.changes_at(&edits[index]))
                .collect();
            assert_eq!(changing, published_before, "{edits:?}");
        }
    }

    #[test]
    fn keeps_only_the_last_pending_view() {
        let tray = Tray::open().unwrap();
        let orders = tray.orders();
        for summary in ["first", "second"] {
            orders.send(Order::Draw(TrayView {
                summary: summary.to_owned(),
                ..menu::starting()
            }));
        }
        assert!(matches!(
            tray.events.1.try_recv(),
            Ok(TrayEvent::ViewPending)
        ));
        assert!(tray.events.1.try_recv().is_err());
        assert_eq!(lock(&tray.pending).take().unwrap().summary, "second");
    }
}
