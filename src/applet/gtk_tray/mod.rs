//! The tray with GTK and AppIndicator: supports every kind of panel, also those with XEmbed only, and has windows.
//!
//! It runs on the main thread, in the event loop of tao; other threads send events through its proxy. It never polls.

mod drawn_menu;
mod layout_updated;
mod open_menu;
mod registration;
mod top_menu;
mod widgets;
mod windows;

use std::path::Path;
use std::time::Instant;

use gtk::glib;
use gtk::prelude::*;
use muxtray::crash::contained;
use muxtray::decide::intent::Intent;
use muxtray::desktop::APP_ID;
use muxtray::desktop::menu::{Change, edits};
use muxtray::engine::Order;
use muxtray::present::menu::{Icon, TrayView};
use tao::event::Event;
use tao::event_loop::{ControlFlow, EventLoop, EventLoopBuilder, EventLoopProxy};
use tao::platform::run_return::EventLoopExtRunReturn as _;
use tray_icon::menu::{ContextMenu as _, Menu, MenuEvent, MenuId};
use tray_icon::{TrayIcon, TrayIconBuilder};

use crate::clipboard::{self, Tool};
use crate::private_directory::PrivateDirectory;
use crate::{icon_theme, icons};
use drawn_menu::DrawnMenu;
use layout_updated::Submenus;
use open_menu::OpenMenu;
use widgets::Widgets;
use windows::Windows;

pub(crate) const USES_XEMBED: bool = true;

/// Questions have a window: it needs no notification daemon, and no buttons in notifications.
pub(crate) const CAN_ASK: bool = true;

pub(crate) const fn can_show() -> bool {
    true
}

/// Sends orders to the tray, from any thread. Ends the tray when dropped.
pub(crate) struct Orders(EventLoopProxy<TrayEvent>);

impl Orders {
    pub(crate) fn send(&self, order: Order) {
        send_event(&self.0, TrayEvent::Ordered(order));
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        send_event(&self.0, TrayEvent::End);
    }
}

/// An event for the main thread.
#[derive(Debug)]
enum TrayEvent {
    Ordered(Order),
    End,
    Clicked(MenuId),
    NotCopied(String),
    /// A button of a question was pressed.
    Answered(Intent),
    MenuOpened,
    MenuClosed,
    /// Whether the top menu is open now. Not every panel reports it.
    TopMenu(bool),
    PlasmaStarted,
    RedrawDue,
}

pub(crate) struct Tray {
    events: EventLoop<TrayEvent>,
    panel: Panel,
    // Dropped after the icon, which uses files in it.
    _directory: PrivateDirectory,
}

/// Logs the warnings of libayatana-appindicator at debug level: since 0.5.94 it prints a deprecation at each start.
fn quiet_deprecation() {
    glib::log_set_handler(
        Some("libayatana-appindicator"),
        glib::LogLevels::LEVEL_WARNING,
        false,
        false,
        |_, _, text| tracing::debug!("libayatana-appindicator: {text}"),
    );
}

impl Tray {
    /// Adds an icon with an empty menu to the panel. Call it once, on the main thread.
    /// Without a panel it succeeds: the icon appears when a panel starts.
    pub(crate) fn open() -> Result<(Self, Orders), String> {
        // tao panics if there is no display, so GTK is initialised first. Panels show the application name in the
        // tooltip.
        glib::set_application_name("muxtray");
        // Wayland desktops find the icon of a window by the name of its desktop file.
        glib::set_prgname(Some(APP_ID));
        quiet_deprecation();
        gtk::init().map_err(|_| {
            "no display to show the tray icon on (neither DISPLAY nor WAYLAND_DISPLAY leads to one); \
             `muxtray run --no-tray` works without"
        })?;
        let events = EventLoopBuilder::<TrayEvent>::with_user_event().build();
        let directory = PrivateDirectory::new("icons-")
            .and_then(|directory| icon_theme::write(directory.path()).map(|()| directory))
            .map_err(|error| {
                format!("cannot write the tray icon to a directory of its own: {error}")
            })?;

        let menu = DrawnMenu::new();
        let root = menu.menu();
        let proxy = events.create_proxy();
        let widgets = Widgets::new(root.gtk_context_menu(), move |submenu| {
            report_visibility(&proxy, submenu);
        });
        let icon = make_icon(root, directory.path())?;
        // Until the first view.
        set_visible(&icon, false);

        let proxy = events.create_proxy();
        MenuEvent::set_event_handler(Some(move |event: MenuEvent| {
            send_event(&proxy, TrayEvent::Clicked(event.id));
        }));
        let orders = Orders(events.create_proxy());
        let tray = Self {
            panel: Panel {
                proxy: events.create_proxy(),
                icon,
                look: Icon::Idle,
                is_shown: false,
                menu,
                widgets,
                pending_view: None,
                submenus: Submenus::default(),
                open_menu: OpenMenu::default(),
                redraw_due: None,
                windows: Windows::default(),
            },
            events,
            _directory: directory,
        };
        Ok((tray, orders))
    }

    /// Draws views and calls `send` with the intents of clicked rows, until [`Orders`] is dropped. Removes the icon
    /// before it returns.
    ///
    /// Intents that copy text and [`Intent::About`] are handled here. `send` is called on this thread and must not
    /// block.
    pub(crate) fn run(self, send: impl Fn(Intent) + 'static) {
        let Self {
            mut events,
            mut panel,
            _directory,
        } = self;
        registration::register_if_missing();
        let proxy = events.create_proxy();
        top_menu::watch(move |is_open| send_event(&proxy, TrayEvent::TopMenu(is_open)));
        let proxy = events.create_proxy();
        layout_updated::after_plasma_start(move || send_event(&proxy, TrayEvent::PlasmaStarted));
        events.run_return(move |event, _, control| {
            *control = ControlFlow::Wait;
            match event {
                Event::UserEvent(TrayEvent::End) => *control = ControlFlow::Exit,
                Event::UserEvent(event) => panel.handle(event, &send),
                _ => {}
            }
        });
        windows::keep_clipboard();
    }
}

fn make_icon(menu: Menu, directory: &Path) -> Result<TrayIcon, String> {
    let builder = TrayIconBuilder::new()
        .with_id("muxtray")
        .with_native_icon(icons::named(Icon::Idle))
        .with_temp_dir_path(directory)
        .with_menu(Box::new(menu));
    // tray-icon panics if the library is missing.
    let icon = contained(|| builder.build()).ok_or(
        "the library libayatana-appindicator3.so.1 cannot be loaded; install libayatana-appindicator3-1 \
         (Debian, Ubuntu), libayatana-appindicator-gtk3 (Fedora) or libayatana-appindicator (Arch)",
    )?;
    icon.map_err(|error| format!("cannot make the tray icon: {error}"))
}

/// The icon and menu on the panel, and the windows.
struct Panel {
    proxy: EventLoopProxy<TrayEvent>,
    icon: TrayIcon,
    look: Icon,
    is_shown: bool,
    menu: DrawnMenu,
    widgets: Widgets,
    /// The view that is not fully drawn yet because a menu is open.
    pending_view: Option<TrayView>,
    submenus: Submenus,
    open_menu: OpenMenu,
    /// When drawing the rest is tried next.
    redraw_due: Option<Instant>,
    windows: Windows,
}

impl Panel {
    fn draw(&mut self, view: TrayView) {
        if self.look != view.icon {
            match self.icon.set_native_icon(Some(icons::named(view.icon))) {
                Ok(()) => self.look = view.icon,
                Err(error) => tracing::warn!("cannot change the tray icon: {error}"),
            }
        }
        if self.is_shown != view.is_shown {
            self.is_shown = view.is_shown;
            set_visible(&self.icon, view.is_shown);
        }
        self.pending_view = Some(view);
        self.draw_pending();
    }

    /// Draws the part of the pending view that may change now, and schedules the rest.
    fn draw_pending(&mut self) {
        let Some(view) = &self.pending_view else {
            return;
        };
        let open = self.widgets.has_open_submenu();
        let now = Instant::now();
        let (changeable, wait) = self.open_menu.changeable(open, now);
        if wait.is_none() {
            self.widgets.hide_submenus();
        }
        let edits = edits(self.menu.entries(), &view.menu, changeable);
        for edit in &edits {
            self.menu.draw(edit);
            self.widgets.follow(edit);
        }
        let changes_layout = |change| matches!(change, &Change::Remove | &Change::Insert(_));
        if edits.iter().any(|edit| changes_layout(&edit.change)) {
            self.submenus.report();
        }
        if self.menu.entries() == view.menu {
            self.pending_view = None;
        } else if let Some(wait) = wait {
            self.schedule_redraw(now + wait);
        }
    }

    /// Schedules a redraw, unless an earlier one is scheduled.
    fn schedule_redraw(&mut self, due: Instant) {
        if self.redraw_due.is_none_or(|scheduled| due < scheduled) {
            self.redraw_due = Some(due);
            let proxy = self.proxy.clone();
            let wait = due.saturating_duration_since(Instant::now());
            glib::timeout_add_local_once(wait, move || send_event(&proxy, TrayEvent::RedrawDue));
        }
    }

    /// A Wayland compositor accepts a clipboard only from the program with the input focus, but the panel owns the
    /// menu. wl-copy works around that; if it is missing, a window shows the text with a Copy button.
    fn copy(&mut self, text: String) {
        if !windows::is_wayland() {
            return windows::set_clipboard(&text);
        }
        let Some(tool) = Tool::find() else {
            return self.windows.show_to_copy(&text);
        };
        let proxy = self.proxy.clone();
        tool.copy(text, move |text| {
            send_event(&proxy, TrayEvent::NotCopied(text));
        });
    }

    fn handle(&mut self, event: TrayEvent, send: &impl Fn(Intent)) {
        tracing::trace!("tray event: {event:?}");
        match event {
            TrayEvent::Ordered(Order::Draw(view)) => self.draw(view),
            TrayEvent::Ordered(Order::ShowDetails { title, text }) => {
                self.windows.show_details(&title, &text);
            }
            TrayEvent::Ordered(Order::Copy(text)) => self.copy(text),
            TrayEvent::Ordered(Order::Ask(notice)) => {
                let proxy = self.proxy.clone();
                let answer = move |intent| send_event(&proxy, TrayEvent::Answered(intent));
                self.windows.ask(notice, answer);
            }
            TrayEvent::Answered(intent) => send(intent),
            // `run` handles it.
            TrayEvent::End => {}
            TrayEvent::Clicked(id) => {
                match self.menu.clicked(&id) {
                    Some(Intent::About) => self.windows.show_about(),
                    Some(intent) => match clipboard::text_to_copy(intent) {
                        Some(text) => self.copy(text),
                        None => send(intent.clone()),
                    },
                    None => tracing::debug!("a click on a row that is no longer there"),
                }
                // A click closes the menu, which Xfce's panel does not report.
                self.open_menu = OpenMenu::default();
                self.widgets.hide_submenus();
                self.draw_pending();
            }
            TrayEvent::NotCopied(text) => self.windows.show_to_copy(&text),
            TrayEvent::MenuOpened => {
                self.open_menu.opened(Instant::now());
                send(Intent::Scan);
            }
            TrayEvent::MenuClosed => {
                if !self.widgets.has_open_submenu() {
                    self.open_menu.closed(Instant::now());
                    self.draw_pending();
                }
            }
            TrayEvent::TopMenu(true) => {
                self.open_menu.top_opened(Instant::now());
                send(Intent::Scan);
            }
            TrayEvent::TopMenu(false) => {
                self.widgets.hide_submenus();
                self.open_menu.top_closed(Instant::now());
                self.draw_pending();
            }
            TrayEvent::PlasmaStarted => self.submenus.report_all(),
            TrayEvent::RedrawDue => {
                self.redraw_due = None;
                self.draw_pending();
            }
        }
    }
}

/// A panel hides an icon that is not visible (status Passive); Plasma puts it behind its arrow.
fn set_visible(icon: &TrayIcon, is_visible: bool) {
    if let Err(error) = icon.set_visible(is_visible) {
        tracing::warn!("cannot show or hide the tray icon: {error}");
    }
}

/// Sends an event when a submenu is shown or hidden, which AppIndicator does when the panel reports it.
fn report_visibility(proxy: &EventLoopProxy<TrayEvent>, submenu: &gtk::Menu) {
    let opened = proxy.clone();
    submenu.connect_show(move |_| send_event(&opened, TrayEvent::MenuOpened));
    let closed = proxy.clone();
    submenu.connect_hide(move |_| send_event(&closed, TrayEvent::MenuClosed));
}

fn send_event(proxy: &EventLoopProxy<TrayEvent>, event: TrayEvent) {
    // The loop ends only at exit, when nothing needs to be drawn.
    let _ = proxy.send_event(event);
}
