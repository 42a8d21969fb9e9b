//! The tray on GTK and AppIndicator: works on every kind of panel, those that only know XEmbed too, and has windows.
//!
//! All of it lives on the main thread, in tao's event loop; other threads speak to it through the loop's proxy. Idle,
//! it sleeps: nothing here polls.

mod icon_theme;
mod layout_updated;
mod open_menu;
mod registration;
mod widgets;
mod windows;

use std::time::Instant;

use gtk::glib;
use gtk::prelude::*;
use muxtray::crash::contained;
use muxtray::decide::intent::Intent;
use muxtray::desktop::menu::{Edit, edits, edits_below_top, edits_while_open};
use muxtray::present::menu::{Icon, TrayView};
use tao::event::Event;
use tao::event_loop::{ControlFlow, EventLoop, EventLoopBuilder, EventLoopProxy};
use tao::platform::run_return::EventLoopExtRunReturn as _;
use tray_icon::menu::{ContextMenu as _, MenuEvent, MenuId};
use tray_icon::{TrayIcon, TrayIconBuilder};

use crate::clipboard::{self, Tool};
use crate::drawn_menu::DrawnMenu;
use crate::private_directory::PrivateDirectory;
use crate::{Order, icons};
use layout_updated::Submenus;
use open_menu::Changeable;
use open_menu::Patience;
use widgets::Widgets;
use windows::Windows;

/// Whether there are windows to show a text in.
pub(crate) const fn can_show() -> bool {
    true
}

/// Gives the tray its orders, from any thread.
pub(crate) struct Orders(EventLoopProxy<News>);

impl Orders {
    /// Gives one; returns at once.
    pub(crate) fn give(&self, order: Order) {
        hear(&self.0, News::Ordered(order));
    }
}

/// Who gives orders has ended, if without a word: nothing would ever be drawn again.
impl Drop for Orders {
    fn drop(&mut self) {
        self.give(Order::End);
    }
}

/// What wakes the event loop.
#[derive(Debug)]
enum News {
    Ordered(Order),
    Clicked(MenuId),
    NotCopied(String),
    MenuOpened,
    MenuClosed,
    PlasmaStarted,
    Alarm,
}

/// Why there is no tray icon.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrayError {
    /// No X or Wayland display, or it does not let us in.
    #[error(
        "no display to show the tray icon on (neither DISPLAY nor WAYLAND_DISPLAY leads to one); \
         `muxtray run --no-tray` works without"
    )]
    NoDisplay,
    /// The library that puts icons into panels is not installed.
    #[error(
        "the library libayatana-appindicator3.so.1 cannot be loaded; install libayatana-appindicator3-1 (Debian, \
         Ubuntu), libayatana-appindicator-gtk3 (Fedora) or libayatana-appindicator (Arch)"
    )]
    NoAppIndicator,
    /// The panel reads the icon from a file, and it cannot be written.
    #[error("cannot write the tray icon to a directory of its own: {0}")]
    Directory(std::io::Error),
    /// Anything else the libraries say.
    #[error("cannot make the tray icon: {0}")]
    Other(String),
}

/// The icon in the panel, and the event loop it lives in.
pub(crate) struct Tray {
    events: EventLoop<News>,
    icon: TrayIcon,
    menu: DrawnMenu,
    widgets: Widgets,
    // After the icon, which has a file in it.
    _directory: PrivateDirectory,
}

/// Logs the warnings of libayatana-appindicator for developers only: since 0.5.94 it recommends its successor at every
/// start, which no user can act on.
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
    /// Puts an empty icon into the panel. To be called once, on the main thread.
    ///
    /// # Errors
    /// Where there is no display or no way to show an icon; see [`TrayError`]. A missing panel is no error: the icon
    /// appears when one starts.
    pub(crate) fn open() -> Result<Self, TrayError> {
        // tao panics without a display; this asks first. Programs are shown in a panel's tooltip by this name.
        glib::set_application_name("muxtray");
        quiet_deprecation();
        gtk::init().map_err(|_| TrayError::NoDisplay)?;
        let events = EventLoopBuilder::<News>::with_user_event().build();
        let directory = PrivateDirectory::new("icons-").map_err(TrayError::Directory)?;
        icon_theme::write(directory.path()).map_err(TrayError::Directory)?;

        let menu = DrawnMenu::new();
        let root = menu.menu();
        let proxy = events.create_proxy();
        let widgets = Widgets::new(root.gtk_context_menu(), move |submenu| {
            watch(&proxy, submenu);
        });
        let builder = TrayIconBuilder::new()
            .with_id("muxtray")
            .with_native_icon(icons::named(Icon::Idle))
            .with_temp_dir_path(directory.path())
            .with_menu(Box::new(root));
        // Without the library, this panics deep inside, with a text for developers.
        let icon = contained(|| builder.build())
            .ok_or(TrayError::NoAppIndicator)?
            .map_err(|error| TrayError::Other(error.to_string()))?;

        let proxy = events.create_proxy();
        MenuEvent::set_event_handler(Some(move |event: MenuEvent| {
            hear(&proxy, News::Clicked(event.id));
        }));
        Ok(Self {
            events,
            icon,
            menu,
            widgets,
            _directory: directory,
        })
    }

    /// How to give it orders.
    #[must_use]
    pub(crate) fn orders(&self) -> Orders {
        Orders(self.events.create_proxy())
    }

    /// Shows what it is told until [`Order::End`], and sends what is clicked. The icon is gone when this returns.
    ///
    /// What copies and [`Intent::About`] are done here; all others go to `send`, on this thread, which must not be kept
    /// waiting.
    pub(crate) fn run(self, send: impl Fn(Intent) + 'static) {
        let Self {
            mut events,
            icon,
            menu,
            widgets,
            _directory,
        } = self;
        let mut screen = Screen {
            proxy: events.create_proxy(),
            icon,
            look: Icon::Idle,
            menu,
            widgets,
            wanted: None,
            submenus: Submenus::default(),
            patience: Patience::default(),
            alarm: None,
            windows: Windows::default(),
            send,
        };
        registration::see_to_it();
        let proxy = events.create_proxy();
        layout_updated::after_plasma_start(move || hear(&proxy, News::PlasmaStarted));
        events.run_return(move |event, _, control| {
            *control = ControlFlow::Wait;
            match event {
                Event::UserEvent(News::Ordered(Order::End)) => *control = ControlFlow::Exit,
                Event::UserEvent(news) => screen.hear(news),
                _ => {}
            }
        });
        windows::keep_clipboard();
    }
}

/// What the event loop's thread holds.
struct Screen<S> {
    proxy: EventLoopProxy<News>,
    icon: TrayIcon,
    look: Icon,
    menu: DrawnMenu,
    widgets: Widgets,
    /// The view that is not wholly drawn yet, because a menu is open.
    wanted: Option<TrayView>,
    submenus: Submenus,
    patience: Patience,
    /// When what is not drawn yet is looked at again.
    alarm: Option<Instant>,
    windows: Windows,
    send: S,
}

impl<S: Fn(Intent)> Screen<S> {
    fn draw(&mut self, view: TrayView) {
        if self.look != view.icon {
            match self.icon.set_native_icon(Some(icons::named(view.icon))) {
                Ok(()) => self.look = view.icon,
                Err(error) => tracing::warn!("cannot change the tray icon: {error}"),
            }
        }
        self.wanted = Some(view);
        self.draw_wanted();
    }

    /// Draws of the view that is wanted what can be drawn now, and sets the alarm for the rest.
    fn draw_wanted(&mut self) {
        let Some(view) = &self.wanted else {
            return;
        };
        let open = self.widgets.has_open_submenu();
        let now = Instant::now();
        let (plan, wait): (fn(&[_], &[_]) -> _, _) = match self.patience.changeable(open, now) {
            Changeable::All => {
                self.widgets.hide_submenus();
                (edits, None)
            }
            Changeable::BelowTop(wait) => (edits_below_top, Some(wait)),
            Changeable::None(wait) => (edits_while_open, Some(wait)),
        };
        let edits = plan(self.menu.entries(), &view.menu);
        for edit in &edits {
            self.menu.draw(edit);
            self.widgets.follow(edit);
        }
        if edits.iter().any(Edit::is_of_layout) {
            self.submenus.report();
        }
        if self.menu.entries() == view.menu {
            self.wanted = None;
        } else if let Some(wait) = wait {
            self.look_again(now + wait);
        }
    }

    /// Sets the alarm, unless it is due earlier.
    fn look_again(&mut self, due: Instant) {
        if self.alarm.is_none_or(|alarm| due < alarm) {
            self.alarm = Some(due);
            let proxy = self.proxy.clone();
            let wait = due.saturating_duration_since(Instant::now());
            glib::timeout_add_local_once(wait, move || hear(&proxy, News::Alarm));
        }
    }

    /// Puts the text on the clipboard.
    ///
    /// A Wayland compositor takes a clipboard only from a program that has just been clicked or typed to, and a menu
    /// in the panel is the panel's. wl-copy knows ways around that; without it the text is shown to be copied there.
    fn copy(&mut self, text: String) {
        if !windows::are_waylands() {
            windows::set_clipboard(&text);
            return;
        }
        let Some(tool) = Tool::find() else {
            self.windows.show_to_copy(&text);
            return;
        };
        let proxy = self.proxy.clone();
        tool.copy(text, move |text, copied| {
            if let Err(error) = copied {
                tracing::info!("not on the clipboard: {error}");
                hear(&proxy, News::NotCopied(text));
            }
        });
    }

    fn hear(&mut self, news: News) {
        tracing::trace!("the tray heard {news:?}");
        match news {
            News::Ordered(Order::Draw(view)) => self.draw(view),
            News::Ordered(Order::ShowDetails { title, text }) => {
                self.windows.show_details(&title, &text);
            }
            // The loop itself ends.
            News::Ordered(Order::End) => {}
            News::Clicked(id) => {
                match self.menu.clicked(&id) {
                    Some(Intent::About) => self.windows.show_about(),
                    Some(intent) => match clipboard::wanted(intent) {
                        Some(text) => self.copy(text),
                        None => (self.send)(intent.clone()),
                    },
                    None => tracing::debug!("a click on a row that is no longer there"),
                }
                // A click closes the menu, and Xfce's panel does not mention it then.
                self.patience = Patience::default();
                self.widgets.hide_submenus();
                self.draw_wanted();
            }
            News::NotCopied(text) => self.windows.show_to_copy(&text),
            News::MenuOpened => {
                self.patience.opened(Instant::now());
                (self.send)(Intent::Look);
            }
            News::MenuClosed => {
                if !self.widgets.has_open_submenu() {
                    self.patience.closed(Instant::now());
                    self.draw_wanted();
                }
            }
            News::PlasmaStarted => self.submenus.report_all(),
            News::Alarm => {
                self.alarm = None;
                self.draw_wanted();
            }
        }
    }
}

/// Tells when a submenu is opened and closed. AppIndicator shows and hides the GTK menu when a panel says so.
fn watch(proxy: &EventLoopProxy<News>, submenu: &gtk::Menu) {
    let opened = proxy.clone();
    submenu.connect_show(move |_| hear(&opened, News::MenuOpened));
    let closed = proxy.clone();
    submenu.connect_hide(move |_| hear(&closed, News::MenuClosed));
}

fn hear(proxy: &EventLoopProxy<News>, news: News) {
    // The loop is gone only at the very end, when nothing is to be drawn any more.
    let _ = proxy.send_event(news);
}
