//! The settings in the menu, and programs of the desktop: a terminal, and those that xdg-open starts.

use std::fs;
use std::path::Path;

use tr::tr;

use super::message::Message;
use super::state::Engine;
use super::user_interface::Order;
use crate::actions::terminal::{self, TerminalError};
use crate::actions::xdg_open::{self, XdgOpenError};
use crate::config;
use crate::decide::intent::Intent;
use crate::decide::new_session::NewSession;
use crate::decide::notice::{Button, Notice, NoticeKey};
use crate::discover::Request;
use crate::model::settings::{AtLogin, Change, Preferences, Store};
use crate::model::text;

impl Engine {
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

    /// Reads the autostart entry and unit: a few stat(2) calls and one small file.
    pub(super) fn refresh_at_login(&mut self) {
        self.at_login = match self.autostart.status() {
            Ok(status) if status.unit.is_some() => AtLogin::BySystemd,
            Ok(status) if status.is_enabled() => AtLogin::Yes,
            Ok(_) if self.autostart.file().is_err() => AtLogin::Unknown(tr!("HOME is not set")),
            Ok(_) => AtLogin::No,
            Err(error) => {
                tracing::debug!("{error}");
                AtLogin::Unknown(tr!("its autostart file cannot be read"))
            }
        };
    }

    pub(super) fn set(&self, change: Change) {
        self.start_with_file(move |path| {
            config::set(path, &change).map_err(|error| {
                notice(
                    tr!("muxtray: setting not changed"),
                    cause_first(path, &error),
                )
            })?;
            Ok(None)
        });
    }

    pub(super) fn start_at_login(&self, on: bool) {
        let autostart = self.autostart.clone();
        self.start("settings", move || {
            let changed = if on {
                autostart.enable().map(drop)
            } else {
                autostart.disable().map(drop)
            };
            let summary = || tr!("muxtray: start at login not changed");
            let result = changed.map_err(|error| {
                let body = match autostart.file() {
                    Ok(path) => cause_first(&path, &error),
                    Err(_) => text::sentence(&error.to_string()),
                };
                notice(summary(), body)
            });
            Message::Settings(result.map(|()| None))
        });
    }

    pub(super) fn open_configuration(&self) {
        let can_show = self.options.can_show;
        self.start_with_file(move |path| {
            if let Err(error) = config::write_first(path) {
                tracing::warn!("{error}");
            }
            xdg_open::open(path, xdg_open::LIMIT)
                .map_err(|error| not_opened(path, &error, can_show))?;
            Ok(None)
        });
    }

    pub(super) fn open_terminal(&self, session: NewSession) {
        let Some((_, Request { ssh, .. })) = &self.discovered else {
            return;
        };
        let Some(program) = ssh.file(self.scanner.environment()) else {
            return;
        };
        let config = ssh.config_file();
        let terminal = self.settings.terminal.0.clone();
        self.start("terminal", move || {
            let command = session.command(&program, config.as_deref());
            let opened = terminal::open(&terminal, &command);
            Message::Settings(
                opened
                    .map(|()| None)
                    .map_err(|error| no_session(&session, &error)),
            )
        });
    }

    pub(super) fn open_url(&self, url: String) {
        self.start("browser", move || {
            let opened = xdg_open::open(&url, xdg_open::LIMIT).map(|()| None);
            let summary = || tr!("muxtray: {url} not opened", url);
            let failed =
                |error: XdgOpenError| notice(summary(), text::sentence(&error.to_string()));
            Message::Settings(opened.map_err(failed))
        });
    }

    pub(super) fn show_configuration(&self) {
        self.start_with_file(|path| {
            let name = text::path(path);
            match fs::read_to_string(path) {
                Ok(text) => Ok(Some((name, text))),
                Err(error) => Err(notice(
                    tr!("muxtray: configuration cannot be shown"),
                    cause_first(path, &error),
                )),
            }
        });
    }

    /// Does nothing without a configuration file; the menu has no such rows then.
    fn start_with_file(
        &self,
        job: impl FnOnce(&Path) -> Result<Option<(String, String)>, Box<Notice>> + Send + 'static,
    ) {
        if let Some(path) = self.options.config.clone() {
            self.start("settings", move || Message::Settings(job(&path)));
        }
    }

    pub(super) fn handle_settings_result(
        &mut self,
        result: Result<Option<(String, String)>, Box<Notice>>,
    ) {
        match result {
            Ok(None) => {}
            Ok(Some((title, text))) => self
                .user_interface
                .order(Order::ShowDetails { title, text }),
            Err(notice) => self.user_interface.notify(*notice),
        }
        self.scan();
    }
}

fn no_session(session: &NewSession, error: &TerminalError) -> Box<Notice> {
    let host = text::line(&session.host);
    let mut body = match error {
        TerminalError::None(error) => text::sentence(&error.to_string()),
        // They begin with the name of the program.
        TerminalError::NotStarted(..) | TerminalError::Failed(..) => error.to_string(),
    };
    let mut buttons = Vec::new();
    if !matches!(error, TerminalError::Failed(..)) {
        body += "\n";
        body += &tr!(
            "Set the terminal in the configuration: {line}",
            line = "terminal = \"xterm\""
        );
        buttons.push(Button {
            label: tr!("Open configuration"),
            intent: Intent::OpenConfiguration,
        });
    }
    Box::new(Notice {
        buttons,
        ..*notice(tr!("{host}: no new session", host), body)
    })
}

/// If the desktop has no program for the file, or one that needs a terminal, muxtray can show the file.
fn not_opened(path: &Path, error: &XdgOpenError, can_show: bool) -> Box<Notice> {
    let body = tr!(
        "{error}\n{path}\nOpen it in an editor, or in a terminal: {command}",
        error,
        path = text::path(path),
        command = "muxtray config edit"
    );
    let show = can_show.then(|| Button {
        label: tr!("Show"),
        intent: Intent::ShowConfiguration,
    });
    Box::new(Notice {
        buttons: show.into_iter().collect(),
        ..*notice(tr!("muxtray: configuration not opened"), body)
    })
}

/// Returns the error and the path on lines of their own. Errors for a terminal begin with the path.
fn cause_first(path: &Path, error: &impl ToString) -> String {
    let (path, error) = (text::path(path), error.to_string());
    let cause = error.strip_prefix(&format!("{path}: ")).unwrap_or(&error);
    format!("{}\n{path}", text::sentence(cause))
}

fn notice(summary: String, body: String) -> Box<Notice> {
    Box::new(Notice::new(NoticeKey::Settings, summary, body))
}
