//! Reads and writes the files behind the settings in the menu.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::actions::xdg_open::{self, XdgOpenError};
use crate::autostart::{Autostart, AutostartError};
use crate::config::{self, SetError};
use crate::model::settings::Setting;

#[derive(Debug)]
pub(super) enum SettingsJob {
    Set(PathBuf, Setting, bool),
    StartAtLogin(Autostart, bool),
    Open(PathBuf),
    Read(PathBuf),
}

#[derive(Debug)]
pub(super) enum SettingsResult {
    Set(Result<(), SetError>),
    StartAtLogin(Result<(), AutostartError>),
    Opened(PathBuf, Result<(), XdgOpenError>),
    Read(PathBuf, io::Result<String>),
}

impl SettingsJob {
    pub(super) fn run(self) -> SettingsResult {
        match self {
            Self::Set(path, setting, on) => SettingsResult::Set(config::set(&path, setting, on)),
            Self::StartAtLogin(autostart, on) => SettingsResult::StartAtLogin(if on {
                autostart.enable().map(drop)
            } else {
                autostart.disable().map(drop)
            }),
            Self::Open(path) => {
                if let Err(error) = config::write_first(&path) {
                    tracing::warn!("{error}");
                }
                let opened = xdg_open::open(&path, xdg_open::LIMIT);
                SettingsResult::Opened(path, opened)
            }
            Self::Read(path) => {
                let text = fs::read_to_string(&path);
                SettingsResult::Read(path, text)
            }
        }
    }
}
