use std::path::PathBuf;

use crate::config;
use crate::decide::notice::{Notice, NoticeKey};
use crate::present::menu::TrayView;

#[derive(Debug, Clone)]
pub struct Options {
    /// muxtray's configuration file; `None` if there is no place for one.
    pub config: Option<PathBuf>,
    /// ssh's `-F`.
    pub ssh_config: Option<PathBuf>,
    /// Whether the user interface can show details in a window.
    pub can_show: bool,
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
            has_icon: true,
        }
    }
}

/// Shows what the engine decides. Called on the engine's thread; must not block.
pub trait UserInterface: Send + 'static {
    fn draw(&mut self, view: &TrayView);
    fn show_details(&mut self, title: String, text: String);
    /// Replaces the notification with the same key.
    fn notify(&mut self, notice: Notice);
    fn withdraw(&mut self, key: NoticeKey);
    /// The engine is about to end: no other call follows.
    fn end(&mut self);
}
