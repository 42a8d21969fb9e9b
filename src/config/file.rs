//! The file: where it is, reading it with confy, and writing it the first time.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{ConfigError, Settings};
use crate::model::text;
use crate::{atomic_write, privilege};

/// Larger than any configuration a person writes; what is larger is not read.
const MAX_BYTES: u64 = 1 << 20;

/// `$XDG_CONFIG_HOME/muxtray/config.toml`.
///
/// # Errors
/// [`ConfigError::NoPlace`].
pub fn default_path() -> Result<PathBuf, ConfigError> {
    confy::get_configuration_file_path("muxtray", "config")
        .ok()
        // What HOME says without a slash would be another place in every directory.
        .filter(|path| path.is_absolute())
        .ok_or(ConfigError::NoPlace)
}

/// Reads and validates the file.
///
/// # Errors
/// [`ConfigError::Missing`] where there is none, which is not wrong in itself; any other means it cannot be used.
pub fn load(path: &Path) -> Result<Settings, ConfigError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() || metadata.len() > MAX_BYTES => {
            return Err(ConfigError::NotAFile(path.to_owned()));
        }
        Ok(_) => {}
        // confy would write a file where none is, without our comments.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ConfigError::Missing(path.to_owned()));
        }
        Err(error) => return Err(ConfigError::Unreadable(path.to_owned(), error.to_string())),
    }
    let settings: Settings = confy::load_path(path).map_err(|error| match &error {
        confy::ConfyError::BadTomlData(cause) => {
            ConfigError::Invalid(path.to_owned(), one_line(&cause.to_string()))
        }
        _ => ConfigError::Unreadable(path.to_owned(), with_causes(&error)),
    })?;
    settings
        .validate()
        .map_err(|cause| ConfigError::Invalid(path.to_owned(), cause))?;
    Ok(settings)
}

/// Writes the documented defaults where no file is, and leaves any file that is there alone.
///
/// # Errors
/// [`ConfigError::Unwritable`].
pub fn write_first(path: &Path) -> Result<(), ConfigError> {
    let write = || -> std::io::Result<()> {
        if path.symlink_metadata().is_ok() {
            return Ok(());
        }
        privilege::check_new_file(path)?;
        if let Some(directory) = path.parent() {
            atomic_write::make_directory(directory)?;
        }
        match fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(mut file) => {
                let written = file.write_all(Settings::default().documented().as_bytes());
                // Half a file would be read as if a person had written it.
                if written.is_err() {
                    let _ = fs::remove_file(path);
                }
                written
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    };
    write().map_err(|error| ConfigError::Unwritable(path.to_owned(), error))
}

/// What tells one version of the file from the next, without reading it; `None` where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(Option<(u64, u64, u64, i64, i64)>);

/// The version that is there now.
#[must_use]
pub fn version(path: &Path) -> Version {
    Version(fs::metadata(path).ok().map(|metadata| {
        (
            metadata.dev(),
            metadata.ino(),
            metadata.size(),
            metadata.mtime(),
            metadata.mtime_nsec(),
        )
    }))
}

/// "TOML parse error at line 3, column 12 … invalid type …": the first line says where, the last ones why.
fn one_line(error: &str) -> String {
    let place = error
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("TOML parse error at ")
        .trim();
    let why: Vec<&str> = error
        .lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains('|'))
        .collect();
    if why.is_empty() {
        text::line(place)
    } else {
        text::line(&format!("{place}: {}", why.join("; ")))
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(told, ": {inner}");
        cause = inner.source();
    }
    text::line(&told)
}
