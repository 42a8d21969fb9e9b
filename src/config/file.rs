use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tr::tr;

use super::error::ConfigError;
use crate::files;
use crate::model::settings::Settings;
use crate::model::text;

const MAX_BYTES: u64 = 1 << 20;

/// Returns `$XDG_CONFIG_HOME/muxtray/config.toml`.
pub fn default_path() -> Result<PathBuf, ConfigError> {
    confy::get_configuration_file_path("muxtray", "config")
        .ok()
        // A relative $HOME would mean another file in every directory.
        .filter(|path| path.is_absolute())
        .ok_or(ConfigError::NoPlace)
}

/// Reads and validates the file.
///
/// # Errors
/// [`ConfigError::Missing`] if there is none, which is no problem by itself; otherwise the file cannot be used.
pub fn load(path: &Path) -> Result<Settings, ConfigError> {
    // A named pipe is not opened.
    let metadata = fs::metadata(path).and_then(|metadata| {
        let file = metadata.is_file().then(|| fs::File::open(path));
        file.transpose().map(|_| metadata)
    });
    match metadata {
        Ok(metadata) if !metadata.is_file() || metadata.len() > MAX_BYTES => {
            let cause = tr!("not a regular file of at most 1 MiB");
            return Err(ConfigError::Invalid(path.to_owned(), cause));
        }
        Ok(_) => {}
        // confy would write a file without comments.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ConfigError::Missing(path.to_owned()));
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(ConfigError::Denied(path.to_owned(), error));
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

/// Writes the default settings with their comments if there is no file.
pub fn write_first(path: &Path) -> Result<(), ConfigError> {
    let write = || -> std::io::Result<()> {
        if path.symlink_metadata().is_ok() {
            return Ok(());
        }
        files::make_parent(path)?;
        match fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(mut file) => {
                let written = file.write_all(Settings::default().documented().as_bytes());
                // Part of the file could be valid and mean something else.
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

/// The TOML parser quotes the line between bars; position and reason are enough.
fn one_line(error: &str) -> String {
    let parts: Vec<&str> = error
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.contains('|'))
        .collect();
    text::line(&parts.join(": "))
}

fn with_causes(error: &(dyn Error + 'static)) -> String {
    let errors = std::iter::successors(Some(error), |error| (*error).source());
    let texts: Vec<String> = errors.map(ToString::to_string).collect();
    text::line(&texts.join(": "))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::model::command_words::CommandWords;
    use crate::model::settings::IconShown;

    fn written(content: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, content).unwrap();
        (directory, path)
    }

    #[test]
    fn the_documented_file_reads_back_as_the_settings() {
        for settings in [
            Settings::default(),
            Settings {
                icon: IconShown::Problems,
                interval_secs: 5,
                exit_stranded: true,
                extra_paths: vec!["/run/\"quoted\" \\ back*".to_owned()],
                ignored_paths: vec!["/tmp/[ab]*".to_owned()],
                ssh_program: PathBuf::from("/opt/my ssh/bin/ssh"),
                terminal: CommandWords(vec!["/opt/my term".to_owned(), "-e".to_owned()]),
                ..Settings::default()
            },
        ] {
            let (_directory, path) = written(&settings.documented());
            let mut read = load(&path).unwrap();
            assert_eq!(read.announced(), settings.announced());
            read.notifications.kinds.clear();
            assert_eq!(read, settings);
        }
    }

    #[test]
    fn a_command_is_a_string_or_a_list() {
        for (content, words) in [
            ("terminal = 'kitty'", &["kitty"][..]),
            ("terminal = 'xterm  -e'", &["xterm", "-e"]),
            ("terminal = ['/my term', '-e']", &["/my term", "-e"]),
            ("terminal = ''", &[]),
        ] {
            let (_directory, path) = written(content);
            assert_eq!(load(&path).unwrap().terminal.0, words);
        }
    }

    #[test]
    fn an_invalid_file_is_refused_with_position_and_reason() {
        for (content, reason) in [
            (
                "interval_secs = \"soon\"",
                "line 1, column 17: invalid type: string \"soon\"",
            ),
            (
                "interval_secs = 0",
                "interval_secs is 0, must be 1 to 86400",
            ),
            ("never = true", "line 1, column 1: unknown field `never`"),
            ("[notifications]\nnever = true", "unknown finding `never`"),
            ("[notifications]\nstale = 1", "invalid type: integer `1`"),
            (
                "ignored_paths = [\"/a/***\"]",
                "ignored_paths: invalid glob `/a/***`",
            ),
            ("ssh_program = ''", "ssh_program is empty"),
            (
                "icon = 'never'",
                "unknown variant `never`, expected one of `always`",
            ),
            (
                "terminal = 1",
                "expected a command: a string or a list of strings",
            ),
            ("interval_secs = ", "line 1"),
        ] {
            let (_directory, path) = written(content);
            let error = load(&path).unwrap_err();
            assert!(matches!(error, ConfigError::Invalid(..)), "{error:?}");
            assert!(error.to_string().contains(reason), "{content}: {error}");
            assert!(error.finding(None).evidence.contains(reason));
        }
    }

    #[test]
    fn a_path_without_a_regular_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let missing = load(&directory.path().join("none")).unwrap_err();
        assert!(matches!(missing, ConfigError::Missing(_)), "{missing:?}");
        let not_a_file = load(directory.path()).unwrap_err();
        assert!(
            not_a_file
                .to_string()
                .ends_with("not a regular file of at most 1 MiB")
        );
    }

    #[test]
    fn the_first_file_is_private_and_written_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("muxtray/config.toml");
        write_first(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::write(&path, "interval_secs = 7 # mine").unwrap();
        write_first(&path).unwrap();
        let kept = fs::read_to_string(&path).unwrap();
        assert_eq!(kept, "interval_secs = 7 # mine");
    }
}
