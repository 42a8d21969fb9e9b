//! The tray without GTK: an item and a menu on the session bus, for panels that speak StatusNotifierItem.
//!
//! It needs no display. It has no windows, copies and shows texts by other programs where they are installed, opens its
//! menu on a right click only, and is not told when a person has the menu open: where rows come or go then, the panel closes the submenu that is open.
//!
//! tray-icon's ksni backend does the talking, on threads of its own that sleep when nothing happens. A call into it
//! waits for the bus, and where a panel does not answer that can be for ever. So all of it is on a thread that nobody
//! waits for, neither the engine nor the end of the program.

mod icons;
mod menu;
mod text_viewer;

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use muxtray::decide::intent::Intent;
use muxtray::desktop::menu::{Edit, edits};
use muxtray::present::menu::{self, Icon, TrayView};
use tray_icon::menu::{MenuEvent, MenuId};
use tray_icon::{TrayIcon, TrayIconBuilder};

use crate::Order;
use crate::clipboard::{self, Tool};
use crate::drawn_menu::DrawnMenu;
use icons::Icons;
use text_viewer::Viewer;

/// Whether there is something to show a text with.
pub(crate) fn can_show() -> bool {
    text_viewer::is_there()
}

/// Gives the tray its orders, from any thread.
pub(crate) struct Orders {
    wanted: Wanted,
    viewer: Viewer,
    news: Sender<News>,
    /// Dropped with the orders, so the tray ends with an engine that ends without a word, too.
    end: Sender<()>,
}

/// The view that is not drawn yet. There is only one, however long a panel takes.
type Wanted = Arc<Mutex<Option<TrayView>>>;

impl Orders {
    /// Gives one; returns at once.
    pub(crate) fn give(&self, order: Order) {
        // Who would hear it is gone only at the very end, when nothing is to be drawn any more.
        match order {
            Order::Draw(view) => {
                let waiting = lock(&self.wanted).replace(view);
                if waiting.is_none() {
                    let _ = self.news.send(News::ViewWanted);
                }
            }
            Order::ShowDetails { title, text } => self.viewer.show(title, text),
            Order::End => {
                let _ = self.end.send(());
            }
        }
    }
}

/// What wakes the drawing thread.
enum News {
    ViewWanted,
    Clicked(MenuId),
}

/// Why there is no tray icon.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the tray icon: {0}")]
pub(crate) struct TrayError(String);

/// The tray, before anybody can see it.
pub(crate) struct Tray {
    icons: Icons,
    wanted: Wanted,
    viewer: Viewer,
    news: (Sender<News>, Receiver<News>),
    end: (Sender<()>, Receiver<()>),
}

impl Tray {
    /// Prepares the tray. The panel gets to know of it in [`Tray::run`].
    ///
    /// # Errors
    /// Never, unless the build took pictures of the wrong kind.
    pub(crate) fn open() -> Result<Self, TrayError> {
        Ok(Self {
            icons: Icons::new().map_err(TrayError)?,
            wanted: Wanted::default(),
            viewer: Viewer::default(),
            news: mpsc::channel(),
            end: mpsc::channel(),
        })
    }

    /// How to give it orders.
    #[must_use]
    pub(crate) fn orders(&self) -> Orders {
        Orders {
            wanted: Arc::clone(&self.wanted),
            viewer: self.viewer.clone(),
            news: self.news.0.clone(),
            end: self.end.0.clone(),
        }
    }

    /// Shows what it is told until [`Order::End`], and sends what is clicked. The icon goes with the program's
    /// connection to the bus.
    ///
    /// `send` is called on a thread of the tray's.
    pub(crate) fn run(self, send: impl Fn(Intent) + Send + 'static) {
        let Self {
            icons,
            wanted,
            viewer,
            news: (sender, news),
            end: (own_end, end),
        } = self;
        drop(own_end);
        let draw = move || match Panel::open(icons, sender) {
            Ok(mut panel) => {
                while let Ok(news) = news.recv() {
                    panel.hear(news, &wanted, &send);
                }
            }
            Err(error) => tracing::warn!("{error}; watching without an icon"),
        };
        let drawing = thread::Builder::new().name("tray".to_owned()).spawn(draw);
        if let Err(error) = drawing {
            tracing::warn!("no thread for the tray icon: {error}; watching without an icon");
        }
        // Either is the end: the order, or that nobody is left to give it.
        let _ = end.recv();
        viewer.close();
    }
}

/// What the panel shows. Lives on the drawing thread.
struct Panel {
    icon: TrayIcon,
    icons: Icons,
    look: Icon,
    menu: DrawnMenu,
    clipboard: Option<Tool>,
}

impl Panel {
    /// Offers the icon to the panel, and to every one that starts later; waits for the bus.
    fn open(icons: Icons, news: Sender<News>) -> Result<Self, TrayError> {
        let clipboard = Tool::find();
        let mut menu = DrawnMenu::new();
        for edit in edits(
            &[],
            &menu::fitted(menu::starting().menu, clipboard.is_some()),
        ) {
            menu.draw(&edit);
        }
        // Called in the middle of the backend's work, which must not wait for ours.
        MenuEvent::set_event_handler(Some(move |event: MenuEvent| {
            let _ = news.send(News::Clicked(event.id));
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

    fn hear(&mut self, news: News, wanted: &Wanted, send: &impl Fn(Intent)) {
        match news {
            News::ViewWanted => {
                let view = lock(wanted).take();
                if let Some(view) = view {
                    self.draw(view);
                }
            }
            News::Clicked(id) => match self.menu.clicked(&id) {
                Some(intent) => match (clipboard::wanted(intent), self.clipboard) {
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
        let mut turns = Turns::default();
        for edit in edits(
            self.menu.entries(),
            &menu::fitted(view.menu, self.clipboard.is_some()),
        ) {
            if turns.turn_with(&edit) {
                self.publish(&view.summary);
            }
            self.menu.draw(&edit);
        }
        self.publish(&view.summary);
    }

    /// Has the bus show the menu as it is now, and waits until it does; beside it the tooltip, whose setter it is.
    fn publish(&mut self, tooltip: &str) {
        if let Err(error) = self.icon.set_tooltip(Some(tooltip)) {
            tracing::warn!("cannot change the tray icon: {error}");
        }
    }
}

/// Where a row of edits turns from rows that come to rows that go, or back.
///
/// The backend knows rows by their number only. It gives all of them new numbers, and answers the old ones with an
/// error, whenever it sees a menu of another shape; of the same shape, the row that stands in a place has the place's
/// number. So a row that was replaced must have been seen gone, or a click on the old one would do what the new one
/// is for. While rows only come or only go, no two menus on the way are of one shape, whichever of them are seen.
#[derive(Default)]
struct Turns(Option<Turn>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Come,
    Go,
}

impl Turns {
    /// Whether this edit turns, so that what was drawn before it is to be published first.
    fn turn_with(&mut self, edit: &Edit) -> bool {
        let turn = match edit {
            Edit::Insert { .. } => Turn::Come,
            Edit::Remove { .. } => Turn::Go,
            Edit::Label { .. } | Edit::Disable { .. } => return false,
        };
        self.0.replace(turn).is_some_and(|last| last != turn)
    }
}

fn lock(wanted: &Wanted) -> std::sync::MutexGuard<'_, Option<TrayView>> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn come(at: usize) -> Edit {
        Edit::Insert {
            at: vec![at],
            entry: menu::starting().menu.remove(0),
        }
    }

    fn go(at: usize) -> Edit {
        Edit::Remove { at: vec![at] }
    }

    fn say(at: usize) -> Edit {
        Edit::Label {
            at: vec![at],
            label: "text".to_owned(),
        }
    }

    #[test]
    fn a_replaced_row_is_seen_gone() {
        for (edits, published_before) in [
            (vec![come(0), come(1), say(0), come(2)], vec![]),
            (vec![go(0), say(0), go(0)], vec![]),
            (vec![go(0), come(0)], vec![1]),
            (vec![come(0), say(1), go(2), go(2), come(2)], vec![2, 4]),
        ] {
            let mut turns = Turns::default();
            let turning: Vec<_> = (0..edits.len())
                .filter(|&index| turns.turn_with(&edits[index]))
                .collect();
            assert_eq!(turning, published_before, "{edits:?}");
        }
    }

    #[test]
    fn only_the_last_view_waits() {
        let tray = Tray::open().unwrap();
        let orders = tray.orders();
        for summary in ["first", "second"] {
            orders.give(Order::Draw(TrayView {
                summary: summary.to_owned(),
                ..view::starting()
            }));
        }
        assert!(matches!(tray.news.1.try_recv(), Ok(News::ViewWanted)));
        assert!(tray.news.1.try_recv().is_err());
        assert_eq!(lock(&tray.wanted).take().unwrap().summary, "second");
    }
}
