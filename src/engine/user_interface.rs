use std::fmt;
use std::path::PathBuf;

use crate::config;
use crate::decide::notice::{Notice, NoticeKey};
use crate::desktop::notify::Notifier;
use crate::present::menu::TrayView;

#[derive(Debug, Clone)]
pub struct Options {
    /// muxtray's configuration file; `None` if there is no place for one.
    pub config: Option<PathBuf>,
    /// ssh's `-F`.
    pub ssh_config: Option<PathBuf>,
    /// Whether the user interface can show details in a window.
    pub can_show: bool,
    /// Whether the user interface shows questions in windows of its own, also without a notification daemon.
    pub can_ask: bool,
    /// Whether the user interface shows the state all the time, so that it must stay true.
    pub has_icon: bool,
}

impl Options {
    /// For a user interface with an icon and windows. Without `config`, the file is at its default place.
    #[must_use]
    pub fn new(config: Option<PathBuf>, ssh_config: Option<PathBuf>) -> Self {
        let default = || {
            config::default_path()
                .map_err(|error| tracing::warn!("{error}"))
                .ok()
        };
        Self {
            config: config.or_else(default),
            ssh_config,
            can_show: true,
            can_ask: false,
            has_icon: true,
        }
    }
}

/// A request to the tray.
#[derive(Debug)]
pub enum Order {
    Draw(TrayView),
    /// Show a text to read and to copy. `text` contains line breaks.
    ShowDetails {
        title: String,
        text: String,
    },
    Copy(String),
    /// Ask for consent.
    Ask(Notice),
}

/// Shows what the engine decides. The engine drops it when it ends.
pub struct UserInterface {
    notifier: Option<Notifier>,
    send_order: Box<dyn Fn(Order) + Send>,
}

impl fmt::Debug for UserInterface {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UserInterface")
    }
}

impl UserInterface {
    /// Without a notifier, notices become log messages. `send_order` is called on the engine's thread and must not
    /// block.
    pub fn new(notifier: Option<Notifier>, send_order: impl Fn(Order) + Send + 'static) -> Self {
        Self {
            notifier,
            send_order: Box::new(send_order),
        }
    }

    pub(super) fn order(&self, order: Order) {
        (self.send_order)(order);
    }

    /// Replaces the notification with the same key.
    pub(super) fn notify(&self, notice: Notice) {
        match &self.notifier {
            Some(notifier) => notifier.show(notice),
            None => tracing::warn!("{}", notice.line()),
        }
    }

    pub(super) fn withdraw(&self, key: NoticeKey) {
        if let Some(notifier) = &self.notifier {
            notifier.close(key);
        }
    }
}
