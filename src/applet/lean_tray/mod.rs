//! The tray without GTK: an item and a menu on the session bus, for panels that support StatusNotifierItem.
//!
//! It needs no display and has no windows. It copies and shows texts with other programs if they are installed.
//!
//! It implements org.kde.StatusNotifierItem and com.canonical.dbusmenu itself. The crate ksni drops the reports of opened
//! and closed menus, and gives all rows new ids when one is inserted, so panels close an open submenu.
//!
//! A message to the bus waits until the bus takes it. So a separate thread sends them, and neither the engine nor the
//! exit of the program waits for it.

mod answers;
mod bus;
mod drawn_menu;
mod open_menu;
mod supported_entries;
mod text_viewer;

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use muxtray::decide::intent::Intent;
use muxtray::desktop::menu::edits;
use muxtray::engine::Order;
use muxtray::present::menu::{Entry, Icon, TrayView};
use zbus::Message;
use zbus::message::Type;

use crate::clipboard::{self, Tool};
use crate::icon_theme;
use crate::private_directory::PrivateDirectory;
use bus::{Bus, is_start_of_panel};
use drawn_menu::{DrawnMenu, Properties, TOP};
use open_menu::OpenMenu;
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
            Order::Copy(text) => {
                if let Some(tool) = Tool::find() {
                    tool.copy(text, drop);
                }
            }
            Order::Ask(_) => {}
        }
    }
}

/// An event for the drawing thread.
enum TrayEvent {
    ViewPending,
    Message(Message),
}

/// The tray before the panel has its icon.
pub(crate) struct Tray {
    pending: PendingView,
    viewer: Viewer,
    sender: Sender<TrayEvent>,
    events: Receiver<TrayEvent>,
    end: Receiver<()>,
}

impl Tray {
    /// Prepares the tray; [`Tray::run`] adds the icon to the panel.
    pub(crate) fn open() -> Result<(Self, Orders), String> {
        let (sender, events) = mpsc::channel();
        let (end_sender, end) = mpsc::channel();
        let tray = Self {
            pending: PendingView::default(),
            viewer: Viewer::default(),
            sender,
            events,
            end,
        };
        let orders = Orders {
            pending: Arc::clone(&tray.pending),
            viewer: tray.viewer.clone(),
            events: tray.sender.clone(),
            _end: end_sender,
        };
        Ok((tray, orders))
    }

    /// Draws views and calls `send` with the intents of clicked rows, until [`Orders`] is dropped. The icon disappears
    /// when the program closes its bus connection.
    ///
    /// `send` is called on the drawing thread.
    pub(crate) fn run(self, send: impl Fn(Intent) + Send + 'static) {
        let directory = PrivateDirectory::new("icons-").and_then(|directory| {
            icon_theme::write(directory.path())?;
            Ok(directory)
        });
        let icons = match &directory {
            Ok(directory) => directory.path().display().to_string(),
            Err(error) => {
                tracing::warn!("cannot write the tray icon to a directory of its own: {error}");
                String::new()
            }
        };
        let (sender, events, pending) = (self.sender, self.events, self.pending);
        let take = move |message| sender.send(TrayEvent::Message(message)).is_ok();
        let draw = move || match Bus::open(take) {
            Ok(bus) => Panel::new(bus, icons, send).run(&events, &pending),
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
struct Panel<F> {
    bus: Bus,
    send: F,
    /// The directory of the icons.
    icons: String,
    look: Icon,
    is_shown: bool,
    is_registered: bool,
    summary: String,
    menu: DrawnMenu,
    /// Counts the changes of the layout.
    revision: u32,
    /// The view that is not fully drawn yet because the menu is open.
    pending_view: Option<TrayView>,
    open_menu: OpenMenu,
    /// When drawing the rest is tried next.
    redraw_due: Option<Instant>,
    /// Submenus that have been reported, each to one reader.
    reported: HashSet<(String, i32)>,
    /// The menu of which a panel reads one level now.
    read_level: Option<i32>,
    clipboard: Option<Tool>,
}

impl<F: Fn(Intent)> Panel<F> {
    fn new(bus: Bus, icons: String, send: F) -> Self {
        Self {
            bus,
            send,
            icons,
            look: Icon::Idle,
            is_shown: false,
            is_registered: false,
            summary: String::new(),
            menu: DrawnMenu::default(),
            revision: 0,
            pending_view: None,
            open_menu: OpenMenu::default(),
            redraw_due: None,
            reported: HashSet::new(),
            read_level: None,
            clipboard: Tool::find(),
        }
    }

    const fn status(&self) -> &'static str {
        // A panel hides an icon that is passive; Plasma puts it behind its arrow.
        if self.is_shown { "Active" } else { "Passive" }
    }

    fn run(mut self, events: &Receiver<TrayEvent>, pending: &PendingView) {
        loop {
            let event = match self.redraw_due {
                None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => events.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match event {
                Ok(TrayEvent::ViewPending) => {
                    let view = lock(pending).take();
                    view.into_iter().for_each(|view| self.draw(view));
                }
                Ok(TrayEvent::Message(message)) => self.handle(&message),
                Err(RecvTimeoutError::Timeout) => self.draw_pending(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn draw(&mut self, view: TrayView) {
        if self.look != view.icon {
            self.look = view.icon;
            self.bus.item_signal("NewIcon");
        }
        if self.is_shown != view.is_shown {
            self.is_shown = view.is_shown;
            self.bus.status_signal(self.status());
        }
        if self.summary != view.summary {
            self.summary.clone_from(&view.summary);
            self.bus.item_signal("NewToolTip");
        }
        self.pending_view = Some(TrayView {
            menu: supported_entries(view.menu, self.clipboard.is_some()),
            ..view
        });
        self.draw_pending();
        // A panel reads the icon when it is registered.
        if !self.is_registered {
            self.is_registered = true;
            self.bus.register();
        }
    }

    /// Draws the part of the pending view that may change now, and schedules the rest.
    fn draw_pending(&mut self) {
        self.redraw_due = None;
        let Some(view) = self.pending_view.take() else {
            return;
        };
        let (changeable, later) = self.open_menu.changeable(Instant::now());
        let changes = self
            .menu
            .draw(&edits(self.menu.entries(), &view.menu, changeable));
        if !changes.properties.is_empty() {
            self.report_properties(&changes.properties);
        }
        if !changes.layouts.is_empty() {
            self.revision += 1;
            let ids: HashSet<i32> = self.menu.all_ids().into_iter().collect();
            self.reported.retain(|(_, id)| ids.contains(id));
            changes
                .layouts
                .into_iter()
                .for_each(|id| self.report_layout(id));
        }
        if self.menu.entries() != view.menu {
            self.pending_view = Some(view);
            self.redraw_due = later;
        }
    }

    fn report_properties(&self, set: &[(i32, Properties)]) {
        let removed = Vec::<(i32, Vec<String>)>::new();
        self.bus
            .menu_signal("ItemsPropertiesUpdated", &(set, removed));
    }

    /// Reports that rows directly below this one were inserted or removed.
    ///
    /// Plasma ignores the first signal for a submenu that it read on opening (plasma-workspace 6.3,
    /// libdbusmenuqt/dbusmenuimporter.cpp, `m_idsRefreshedByAboutToShow`), and merges two signals in a row.
    fn report_layout(&self, id: i32) {
        for _ in 0..if id == TOP { 1 } else { 2 } {
            self.bus.menu_signal("LayoutUpdated", &(self.revision, id));
        }
    }

    /// Reports the submenus of a menu that Plasma has read: it reads one level at a time. If it reads a submenu only when
    /// it is opened, it positions the submenu before its size is known, off the screen.
    fn report_submenus(&mut self, reader: &str, id: i32) {
        for submenu in self.menu.submenus(id) {
            if self.reported.insert((reader.to_owned(), submenu)) {
                self.report_layout(submenu);
            }
        }
    }

    fn handle(&mut self, message: &Message) {
        if is_start_of_panel(message) {
            self.open_menu = OpenMenu::default();
            self.reported.clear();
            if self.is_registered {
                self.bus.register();
            }
            self.draw_pending();
        } else if message.message_type() == Type::MethodCall {
            self.answer(message);
        }
    }

    /// Draws the whole view, because the menu is not shown yet.
    fn top_menu_opens(&mut self) {
        self.open_menu = OpenMenu::default();
        self.draw_pending();
    }

    /// Handles what the user does to a row or menu. Returns `None` if there is no such row.
    fn event(&mut self, id: i32, name: &str) -> Option<()> {
        let entry = self.menu.find_entry(id);
        if id != TOP {
            entry?;
        }
        match name {
            "opened" => {
                if id == TOP {
                    self.top_menu_opens();
                } else {
                    (self.send)(Intent::Scan);
                }
                self.open_menu.opened(id, Instant::now());
            }
            "closed" => {
                self.open_menu.closed(id, Instant::now());
                self.draw_pending();
            }
            "clicked" => self.click(id),
            _ => {}
        }
        Some(())
    }

    fn click(&mut self, id: i32) {
        let entry = self.menu.find_entry(id);
        if let Some(Entry::Check { checked, .. }) = entry {
            // Plasma changes the mark by itself, but the setting changes it.
            let mark = HashMap::from([("toggle-state", i32::from(*checked).into())]);
            self.report_properties(&[(id, mark)]);
        }
        if let Some(intent) = entry.and_then(drawn_menu::intent) {
            match (clipboard::text_to_copy(intent), self.clipboard) {
                (Some(text), Some(tool)) => tool.copy(text, drop),
                (Some(_), None) => {}
                (None, _) => (self.send)(intent.clone()),
            }
        }
        // A click closes the menu, which GTK panels do not report.
        self.open_menu = OpenMenu::default();
        self.draw_pending();
    }
}

fn lock(pending: &PendingView) -> std::sync::MutexGuard<'_, Option<TrayView>> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use muxtray::present::menu;

    use super::*;

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
