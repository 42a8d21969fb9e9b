//! The settings in the menu: what they show, and what happens when one is clicked. Files are read and written by a
//! worker; what was changed is taken over as if a person had typed it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tr::tr;

use super::Engine;
use super::workers::Job;
use crate::actions::xdg_open::{self, OpenError};
use crate::autostart::{Autostart, AutostartError};
use crate::config::{self, SetError};
use crate::decide::intent::Intent;
use crate::decide::notice::{Button, Notice, NoticeKey};
use crate::model::settings::{AtLogin, Preferences, Setting, Store};
use crate::model::text;

/// What a person wishes of the settings.
#[derive(Debug)]
pub(super) enum Wish {
    Set(PathBuf, Setting, bool),
    StartAtLogin(Autostart, bool),
    Open(PathBuf),
    Show(PathBuf),
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Granted {
    Set(Result<(), SetError>),
    StartAtLogin(Result<(), AutostartError>),
    Opened(PathBuf, Result<(), OpenError>),
    Read(PathBuf, io::Result<String>),
}

/// Does it, on a worker's thread.
pub(super) fn grant(wish: Wish) -> Granted {
    match wish {
        Wish::Set(path, setting, on) => Granted::Set(config::set(&path, setting, on)),
        Wish::StartAtLogin(autostart, true) => Granted::StartAtLogin(autostart.enable().map(drop)),
        Wish::StartAtLogin(autostart, false) => {
            Granted::StartAtLogin(autostart.disable().map(drop))
        }
        Wish::Open(path) => {
            if let Err(error) = config::write_first(&path) {
                tracing::warn!("{error}");
            }
            let opened = xdg_open::open(&path, xdg_open::LIMIT);
            Granted::Opened(path, opened)
        }
        Wish::Show(path) => {
            let read = fs::read_to_string(&path);
            Granted::Read(path, read)
        }
    }
}

impl Engine {
    /// What the menu's settings are to show.
    pub(super) fn preferences(&self) -> Preferences {
        Preferences {
            settings: self.settings.clone(),
            store: match (&self.options.config, &self.config_error) {
                (None, _) => Store::Nowhere,
                (Some(_), Some(_)) => Store::Invalid,
                (Some(_), None) => Store::Writable,
            },
            at_login: self.at_login.clone(),
        }
    }

    /// Looks what starts at login: a few stats, and one small file.
    pub(super) fn refresh_at_login(&mut self) {
        self.at_login = match self.autostart.status() {
            Ok(status) if status.unit.is_some() => AtLogin::BySystemd,
            Ok(status) if status.is_enabled() => AtLogin::Yes,
            Ok(_) if self.autostart.file().is_err() => AtLogin::Unknown(tr!("HOME is not set")),
            Ok(_) => AtLogin::No,
            Err(error) => {
                tracing::debug!("{error}");
                AtLogin::Unknown(tr!("its file cannot be read"))
            }
        };
    }

    pub(super) fn set(&self, setting: Setting, on: bool) {
        self.wish(|path| Wish::Set(path.to_owned(), setting, on));
    }

    pub(super) fn start_at_login(&self, on: bool) {
        let wish = Wish::StartAtLogin(self.autostart.clone(), on);
        self.worker.start(Job::Grant(Box::new(wish)));
    }

    pub(super) fn open_configuration(&self) {
        self.wish(|path| Wish::Open(path.to_owned()));
    }

    pub(super) fn show_configuration(&self) {
        self.wish(|path| Wish::Show(path.to_owned()));
    }

    /// Without a place for a file the menu has nothing to click.
    fn wish(&self, wish: impl FnOnce(&Path) -> Wish) {
        if let Some(path) = &self.options.config {
            self.worker.start(Job::Grant(Box::new(wish(path))));
        }
    }

    /// Takes over what was changed, and says what was not.
    pub(super) fn granted(&mut self, granted: Granted) {
        let problem = match granted {
            Granted::Set(Ok(())) | Granted::StartAtLogin(Ok(())) | Granted::Opened(_, Ok(())) => {
                None
            }
            Granted::Set(Err(error)) => Some(notice(
                tr!("muxtray: setting not changed"),
                error.to_string(),
            )),
            Granted::StartAtLogin(Err(error)) => Some(notice(
                tr!("muxtray: start at login not changed"),
                error.to_string(),
            )),
            Granted::Opened(path, Err(error)) => Some(self.not_opened(&path, &error)),
            Granted::Read(path, Ok(text)) => {
                self.outlet.show_details(text::path(&path), text);
                None
            }
            Granted::Read(path, Err(error)) => {
                let body = format!("{}: {error}", text::path(&path));
                Some(notice(tr!("muxtray: configuration cannot be shown"), body))
            }
        };
        if let Some(notice) = problem {
            self.outlet.notify(notice);
        }
        self.tick();
    }

    /// A desktop without a program for it, or with one that wants a terminal that is not there, can show it at least.
    fn not_opened(&self, path: &Path, error: &OpenError) -> Notice {
        let body = tr!(
            "{path}: {error}\nOpen it in an editor, or in a terminal: {command}",
            path = text::path(path),
            error,
            command = "muxtray config edit"
        );
        let show = self.options.can_show.then(|| Button {
            label: tr!("Show"),
            intent: Intent::ShowConfiguration,
        });
        Notice {
            buttons: show.into_iter().collect(),
            ..notice(tr!("muxtray: configuration not opened"), body)
        }
    }
}

fn notice(summary: String, body: String) -> Notice {
    Notice {
        key: NoticeKey::Settings,
        summary,
        body,
        buttons: Vec::new(),
        transient: false,
    }
}
