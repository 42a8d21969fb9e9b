//! The settings in the menu.

use std::path::Path;

use tr::tr;

use super::jobs::Job;
use super::settings_jobs::{SettingsJob, SettingsResult};
use super::state::Engine;
use crate::actions::xdg_open::XdgOpenError;
use crate::decide::intent::Intent;
use crate::decide::notice::{Button, Notice, NoticeKey};
use crate::model::settings::{AtLogin, Preferences, Setting, Store};
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

    pub(super) fn set(&self, setting: Setting, on: bool) {
        self.start_settings_job(|path| SettingsJob::Set(path.to_owned(), setting, on));
    }

    pub(super) fn start_at_login(&self, on: bool) {
        let job = SettingsJob::StartAtLogin(self.autostart.clone(), on);
        self.jobs.start(Job::Settings(Box::new(job)));
    }

    pub(super) fn open_configuration(&self) {
        self.start_settings_job(|path| SettingsJob::Open(path.to_owned()));
    }

    pub(super) fn show_configuration(&self) {
        self.start_settings_job(|path| SettingsJob::Read(path.to_owned()));
    }

    /// Does nothing without a configuration file; the menu has no such rows then.
    fn start_settings_job(&self, job: impl FnOnce(&Path) -> SettingsJob) {
        if let Some(path) = &self.options.config {
            self.jobs.start(Job::Settings(Box::new(job(path))));
        }
    }

    pub(super) fn handle_settings_result(&mut self, result: SettingsResult) {
        let problem = match result {
            SettingsResult::Set(Ok(()))
            | SettingsResult::StartAtLogin(Ok(()))
            | SettingsResult::Opened(_, Ok(())) => None,
            SettingsResult::Set(Err(error)) => Some(notice(
                tr!("muxtray: setting not changed"),
                error.to_string(),
            )),
            SettingsResult::StartAtLogin(Err(error)) => Some(notice(
                tr!("muxtray: start at login not changed"),
                error.to_string(),
            )),
            SettingsResult::Opened(path, Err(error)) => Some(self.not_opened(&path, &error)),
            SettingsResult::Read(path, Ok(text)) => {
                self.user_interface.show_details(text::path(&path), text);
                None
            }
            SettingsResult::Read(path, Err(error)) => {
                let body = format!("{}: {error}", text::path(&path));
                Some(notice(tr!("muxtray: configuration cannot be shown"), body))
            }
        };
        if let Some(notice) = problem {
            self.user_interface.notify(notice);
        }
        self.scan();
    }

    /// If the desktop has no program for the file, or one that needs a terminal, muxtray can show the file.
    fn not_opened(&self, path: &Path, error: &XdgOpenError) -> Notice {
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
