use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tr::tr;

use crate::files;
use crate::model::finding::{Finding, FindingId};
use crate::model::text;

#[derive(Debug, Error)]
pub enum ConfigError {
    /// There is no place for the file: neither `$XDG_CONFIG_HOME` nor `$HOME` is set.
    NoPlace,
    Missing(PathBuf),
    Denied(PathBuf, std::io::Error),
    Unreadable(PathBuf, String),
    Invalid(PathBuf, String),
    Unwritable(PathBuf, std::io::Error),
}

impl ConfigError {
    /// Returns the finding; `named` is the file of `--config`.
    pub fn finding(&self, named: Option<&Path>) -> Finding {
        let subject = self.path().map_or_else(|| tr!("configuration"), text::path);
        if let Self::Denied(path, _) = self {
            let file = text::shell_word(path.as_os_str());
            let directory = path.parent().unwrap_or(path);
            let directory = text::shell_word(directory.as_os_str());
            let command = format!("chmod u+rwX {directory} {file}");
            let remedy = tr!(
                "make {file} readable, for example with {command}",
                file,
                command
            );
            let finding = Finding::new(FindingId::ConfigInvalid, subject, self.cause(), remedy);
            return finding.with_command(command);
        }
        let command = match named {
            Some(file) => {
                let file = text::shell_word(file.as_os_str());
                format!("muxtray --config {file} config edit")
            }
            None => "muxtray config edit".to_owned(),
        };
        let remedy = tr!(
            "correct the file: {command}; until then the last valid settings stay in force",
            command
        );
        Finding::new(FindingId::ConfigInvalid, subject, self.cause(), remedy).with_command(command)
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::NoPlace => None,
            Self::Missing(path)
            | Self::Denied(path, _)
            | Self::Unreadable(path, _)
            | Self::Invalid(path, _)
            | Self::Unwritable(path, _) => Some(path),
        }
    }

    fn cause(&self) -> String {
        match self {
            Self::NoPlace => tr!(
                "neither XDG_CONFIG_HOME nor HOME is set; name a file with {option}",
                option = "--config FILE"
            ),
            Self::Missing(_) => tr!("no such file"),
            Self::Denied(_, cause) => tr!("cannot be read: {cause}", cause),
            Self::Unreadable(_, cause) => tr!("cannot be read: {cause}", cause),
            Self::Invalid(_, cause) => cause.clone(),
            Self::Unwritable(_, cause) => tr!(
                "cannot be written: {cause}",
                cause = files::write_error(cause)
            ),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.cause();
        match self.path() {
            Some(path) => write!(f, "{}: {cause}", text::path(path)),
            None => f.write_str(&tr!("no configuration file: {cause}", cause)),
        }
    }
}
