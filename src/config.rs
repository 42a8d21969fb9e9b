//! muxtray's own configuration: settings with their defaults, and the file that documents them.
//!
//! The file is read with confy. A file that cannot be used is a finding, and never overwritten; who has settings
//! already keeps them. Written are the first file, where none is, and single settings that a person switches: the rest
//! of the file stays as it was typed.

mod file;
mod settings;
mod write;

use std::path::PathBuf;

use thiserror::Error;

use tr::tr;

use crate::model::finding::{Finding, FindingId};
use crate::model::text;
use crate::transient_error;
pub use file::{Version, default_path, load, version, write_first};
pub use settings::{Notifications, Settings};
pub use write::{SetError, set};

/// Why a configuration file is not in force.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Neither `$XDG_CONFIG_HOME` nor a home directory says where it is.
    #[error("{}", tr!(
        "no place for a configuration file: neither XDG_CONFIG_HOME nor HOME is set; give one with {option}",
        option = "--config FILE"
    ))]
    NoPlace,
    /// There is none.
    #[error("{}", tr!("no configuration file at {path}", path = text::path(.0)))]
    Missing(PathBuf),
    /// It is not a regular file, or too large to be one of ours.
    #[error("{}", tr!("configuration file {path} is not a regular file of at most 1 MiB", path = text::path(.0)))]
    NotAFile(PathBuf),
    /// It cannot be read.
    #[error("{}", tr!("configuration file {path} cannot be read: {cause}", path = text::path(.0), cause = .1))]
    Unreadable(PathBuf, String),
    /// It is not valid: where and why.
    #[error("{}", tr!("configuration file {path} is not valid: {cause}", path = text::path(.0), cause = .1))]
    Invalid(PathBuf, String),
    /// It cannot be written.
    #[error("{}", tr!("configuration file {path} cannot be written: {cause}", path = text::path(.0), cause = transient_error::told(.1)))]
    Unwritable(PathBuf, std::io::Error),
}

impl ConfigError {
    /// The same, as the report tells it.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let (subject, evidence) = match self {
            Self::NoPlace => (tr!("configuration"), self.to_string()),
            Self::Missing(path) => (text::path(path), tr!("there is no such file")),
            Self::NotAFile(path) => (text::path(path), tr!("not a regular file of at most 1 MiB")),
            Self::Unreadable(path, cause) | Self::Invalid(path, cause) => {
                (text::path(path), cause.clone())
            }
            Self::Unwritable(path, cause) => (text::path(path), transient_error::told(cause)),
        };
        let remedy = tr!(
            "mend it: {command}; until then the last good settings stay in force",
            command = "muxtray config edit"
        );
        Finding::new(FindingId::ConfigInvalid, subject, evidence, remedy)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn written(content: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, content).unwrap();
        (directory, path)
    }

    #[test]
    fn the_documented_file_holds_the_defaults() {
        let (_directory, path) = written(&Settings::default().documented());
        let mut settings = load(&path).unwrap();
        assert_eq!(settings.announced(), Settings::default().announced());
        settings.notifications.kinds.clear();
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn what_show_prints_reads_back_as_it_was() {
        let settings = Settings {
            interval_secs: 5,
            extra_paths: vec!["/run/\"quoted\" \\ back*".to_owned()],
            ignored_paths: vec!["/tmp/[ab]*".to_owned()],
            ssh_program: PathBuf::from("/opt/my ssh/bin/ssh"),
            ..Settings::default()
        };
        let (_directory, path) = written(&settings.documented());
        let mut read = load(&path).unwrap();
        read.notifications.kinds.clear();
        assert_eq!(read, settings);
    }

    #[test]
    fn a_bad_file_says_where_and_why() {
        for (content, said) in [
            (
                "interval_secs = \"soon\"",
                "line 1, column 17: invalid type: string \"soon\"",
            ),
            (
                "interval_secs = 0",
                "interval_secs is 0, but has to be from 1 to 86400",
            ),
            ("never = true", "line 1, column 1: unknown field `never`"),
            (
                "[notifications]\nnever = true",
                "there is no kind of finding `never`",
            ),
            ("[notifications]\nstale = 1", "invalid type: integer `1`"),
            (
                "ignored_paths = [\"/a/***\"]",
                "ignored_paths: `/a/***` is not a glob",
            ),
            ("interval_secs = ", "line 1"),
        ] {
            let (_directory, path) = written(content);
            let error = load(&path).unwrap_err();
            assert!(
                matches!(error, ConfigError::Invalid(..)),
                "{content}: {error:?}"
            );
            assert!(error.to_string().contains(said), "{content}: {error}");
            assert!(error.finding().evidence.contains(said));
        }
    }

    #[test]
    fn an_odd_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(
            load(&directory.path().join("none")),
            Err(ConfigError::Missing(_))
        ));
        assert!(matches!(
            load(directory.path()),
            Err(ConfigError::NotAFile(_))
        ));
    }

    #[test]
    fn the_first_file_is_written_once_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("muxtray/config.toml");
        write_first(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::write(&path, "interval_secs = 7 # mine").unwrap();
        write_first(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "interval_secs = 7 # mine"
        );
    }

    #[test]
    fn a_kind_can_be_switched_off() {
        let (_directory, path) = written("[notifications]\nstale = false");
        let announced = load(&path).unwrap().announced();
        assert!(!announced.contains(&FindingId::Stale) && announced.contains(&FindingId::Misowned));
        let (_directory, path) = written("[notifications]\nenabled = false");
        assert!(load(&path).unwrap().announced().is_empty());
    }
}
