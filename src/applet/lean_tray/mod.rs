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
use muxtray::desktop::menu::{Change, Changeable, edits};
use muxtray::engine::Order;
use muxtray::present::menu::{self, Icon, TrayView};
use tray_icon::menu::{MenuEvent, MenuId};
use tray_icon::{TrayIcon, TrayIconBuilder};

use crate::clipboard::{self, Tool};
use crate::drawn_menu::DrawnMenu;
use icons::Icons;
use supported_entries::supported_entries;
use text_viewer::Viewer;

pub(crate) const USES_XEMBED: bool = false;

/// There are no windows for questions; notifications ask.
pub(crate) const CAN_ASK: bool = false;

/// Returns whether texts can be shown.
pub(crate) fn can_show() -> bool {
    text_viewer::is_available()
}

/// Sends orders to the tray, from any thread. Ends the tray when dropped.
pub(crate) struct Orders {
    pending: PendingView,
    viewer: Viewer,
    events: Sender<TrayEvent>,
    _end: Sender<()>,
}

/// The latest view that is not drawn yet; a newer view replaces it.
type PendingView = Arc<Mutex<Option<TrayView>>>;

impl Orders {
    pub(crate) fn send(&self, order: Order) {
        match order {
            Order::Draw(view) => {
                if lock(&self.pending).replace(view).is_none() {
                    // The receiver is dropped only at the end, when nothing needs to be drawn.
                    let _ = self.events.send(TrayEvent::ViewPending);
                }
            }
            Order::ShowDetails { title, text } => self.viewer.show(title, text),
            Order::Ask(_) => {}
        }
    }
}

/// An event for the drawing thread.
enum TrayEvent {
    ViewPending,
    Clicked(MenuId),
}

/// The tray before the panel has its icon.
pub(crate) struct Tray {
    icons: Icons,
    pending: PendingView,
    viewer: Viewer,
    clicks: Sender<TrayEvent>,
    events: Receiver<TrayEvent>,
    end: Receiver<()>,
}

impl Tray {
    /// Prepares the tray; [`Tray::run`] adds the icon to the panel.
    pub(crate) fn open() -> Result<(Self, Orders), String> {
        let (clicks, events) = mpsc::channel();
        let (end_sender, end) = mpsc::channel();
        let tray = Self {
            icons: Icons::new()?,
            pending: PendingView::default(),
            viewer: Viewer::default(),
            clicks,
            events,
            end,
        };
        let orders = Orders {
            pending: Arc::clone(&tray.pending),
            viewer: tray.viewer.clone(),
            events: tray.clicks.clone(),
            _end: end_sender,
        };
        Ok((tray, orders))
    }

    /// Draws views and calls `send` with the intents of clicked rows, until [`Orders`] is dropped. The icon disappears
    /// when the program closes its bus connection.
    ///
    /// `send` is called on the drawing thread.
    pub(crate) fn run(self, send: impl Fn(Intent) + Send + 'static) {
        let (icons, pending) = (self.icons, self.pending);
        let (clicks, events) = (self.clicks, self.events);
        let draw = move || match Panel::open(icons, clicks) {
            Ok(mut panel) => {
                while let Ok(event) = events.recv() {
                    panel.handle(event, &pending, &send);
                }
            }
            Err(error) => {
                tracing::warn!("cannot make the tray icon: {error}; watching without an icon");
            }
        };
        let drawing = thread::Builder::new().name("tray".to_owned()).spawn(draw);
        if let Err(error) = drawing {
            tracing::warn!("no thread for the tray icon: {error}; watching without an icon");
        }
        // Returns when the sender is dropped.
        let _ = self.end.recv();
        self.viewer.close();
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
    fn open(icons: Icons, events: Sender<TrayEvent>) -> tray_icon::Result<Self> {
        let clipboard = Tool::find();
        let mut menu = DrawnMenu::new();
        let starting = supported_entries(menu::starting().menu, clipboard.is_some());
        for edit in edits(&[], &starting, Changeable::All) {
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
        let icon = icons.begin(builder, Icon::Idle).build()?;
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
                    (Some(text), Some(tool)) => tool.copy(text, drop),
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
        let wanted = supported_entries(view.menu, self.clipboard.is_some());
        let mut inserted = None;
        for edit in edits(self.menu.entries(), &wanted, Changeable::All) {
            if must_publish_before(&edit.change, &mut inserted) {
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

/// Returns whether the menu must be published before this change, because it inserts after a removal or removes after
/// an insertion; `inserted` is whether the last such change was an insertion.
///
/// The backend identifies rows by number. If the shape of the menu changes, it renumbers all rows and rejects the old
/// numbers; if the shape stays the same, a new row gets the number of the row it replaces. So a removal must be
/// published before an insertion replaces the row, or a click on the old row would act on the new one. A sequence of
/// only insertions or only removals never repeats a shape, so the backend may skip any state within it.
fn must_publish_before(change: &Change, inserted: &mut Option<bool>) -> bool {
    let inserts = match change {
        Change::Insert(_) => true,
        Change::Remove => false,
        Change::Label(_) | Change::Disable => return false,
    };
    inserted
        .replace(inserts)
        .is_some_and(|last| last != inserts)
}

fn lock(pending: &PendingView) -> std::sync::MutexGuard<'_, Option<TrayView>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishes_removed_row_before_its_replacement() {
        let insert = || Change::Insert(menu::starting().menu.remove(0));
        let relabel = || Change::Label("text".to_owned());
        let remove = || Change::Remove;
        for (changes, published_before) in [
            (vec![insert(), insert(), relabel(), insert()], vec![]),
            (vec![remove(), relabel(), remove()], vec![]),
            (vec![remove(), insert()], vec![1]),
            (
                vec![insert(), relabel(), remove(), remove(), insert()],
                vec![2, 4],
            ),
        ] {
            let mut inserted = None;
            let publishing: Vec<_> = (0..changes.len())
                .filter(|&index| must_publish_before(&changes[index], &mut inserted))
                .collect();
            assert_eq!(publishing, published_before, "{changes:?}");
        }
    }

    #[test]
    fn keeps_only_the_last_pending_view() {
        let (tray, orders) = Tray::open().unwrap();
        for summary in ["first", "second"] {
            orders.send(Order::Draw(TrayView {
                summary: summary.to_owned(),
                ..menu::starting()
            }));
        }
        assert!(matches!(tray.events.try_recv(), Ok(TrayEvent::ViewPending)));
        assert!(tray.events.try_recv().is_err());
        assert_eq!(lock(&tray.pending).take().unwrap().summary, "second");
    }
}
