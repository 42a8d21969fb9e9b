//! Changing one setting in the file: comments, order and everything else in it stay as they were typed.
//!
//! toml_edit changes the text; before that counts, it is read again with confy, and has to mean what was meant.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use tr::tr;

use super::{ConfigError, file};
use crate::atomic_write::Draft;
use crate::model::setting::Setting;
use crate::model::text;

/// How often the file may change under us before we give up. A person who saves it does so once.
const ATTEMPTS: u32 = 3;

/// What some editors of other systems begin a text with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why a setting was not changed. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// What could not be read is not overwritten.
    #[error("{}", tr!(
        "{error}; it was left as it is, mend it: {command}",
        error = .0,
        command = "muxtray config edit"
    ))]
    NotReadable(ConfigError),
    /// It cannot be written.
    #[error("{}", tr!("{error}; it is as it was", error = .0))]
    NotWritable(ConfigError),
    /// Somebody else writes to it all the time.
    #[error("{}", tr!(
        "configuration file {path} changes while it is being written; try again",
        path = text::path(.0)
    ))]
    Busy(PathBuf),
    /// The change would not have been read as it was meant.
    #[error("{}", tr!(
        "configuration file {path} cannot be changed here; set `{key}` yourself: {command}",
        path = text::path(.path),
        key = .key,
        command = "muxtray config edit"
    ))]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
    },
}

/// Switches one setting in the file, which is written first where there is none. A setting that is that way already is
/// not written again.
///
/// # Errors
/// See [`SetError`].
pub fn set(path: &Path, setting: Setting, on: bool) -> Result<(), SetError> {
    // Two clicks, one after the other, are two threads: neither is to undo the other.
    static WRITING: Mutex<()> = Mutex::new(());
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..ATTEMPTS {
        if try_to_set(path, setting, on)? {
            return Ok(());
        }
    }
    Err(SetError::Busy(path.to_owned()))
}

/// One attempt; false where the file has become another one meanwhile.
fn try_to_set(path: &Path, setting: Setting, on: bool) -> Result<bool, SetError> {
    let unwritable = |error| SetError::NotWritable(ConfigError::Unwritable(path.to_owned(), error));
    file::write_first(path).map_err(SetError::NotWritable)?;
    let version = file::version(path);
    let settings = file::load(path).map_err(SetError::NotReadable)?;
    if settings.is_on(setting) == on {
        return Ok(true);
    }
    let old = fs::read_to_string(path).map_err(|error| {
        SetError::NotReadable(ConfigError::Unreadable(path.to_owned(), error.to_string()))
    })?;
    let (_, key) = place(setting);
    let not_understood = || SetError::NotUnderstood {
        path: path.to_owned(),
        key,
    };
    let new = edited(&old, setting, on).ok_or_else(not_understood)?;
    let draft = Draft::write(path, new.as_bytes()).map_err(unwritable)?;
    let read_again = file::load(draft.path()).map_err(|_| not_understood())?;
    if read_again != settings.with(setting, on) {
        return Err(not_understood());
    }
    if file::version(path) != version {
        return Ok(false);
    }
    draft.put_in_place().map_err(unwritable)?;
    Ok(true)
}

/// Where a setting stands in the file: its table, where that is not the top one, and its key.
const fn place(setting: Setting) -> (Option<&'static str>, &'static str) {
    match setting {
        Setting::Notifications => (Some("notifications"), "enabled"),
        Setting::Kind(id) => (Some("notifications"), id.as_str()),
        Setting::CleanAutomatically => (None, "clean_automatically"),
        Setting::ExitStranded => (None, "exit_stranded"),
    }
}

/// The text with this setting on or off; `None` where it is not TOML or its table is something else.
fn edited(text: &str, setting: Setting, on: bool) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let has_windows_ends = text.contains("\r\n");
    let (table, key) = place(setting);
    let table: &mut dyn TableLike = match table {
        None => document.as_table_mut(),
        Some(name) => document
            .as_table_mut()
            .entry(name)
            .or_insert_with(|| Item::Table(Table::new()))
            .as_table_like_mut()?,
    };
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(value) => {
            // What stands around it belongs to the line: spaces, a comment.
            let around = value.decor().clone();
            *value = Value::from(on);
            *value.decor_mut() = around;
        }
        None => {
            table.insert(key, toml_edit::value(on));
        }
    }
    let new = document.to_string();
    // toml_edit writes none of these back.
    let new = if has_windows_ends {
        new.replace('\n', "\r\n")
    } else {
        new
    };
    let mark = text.starts_with(BYTE_ORDER_MARK).then_some(BYTE_ORDER_MARK);
    Some(mark.into_iter().chain(new.chars()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::model::finding::FindingId;

    const STALE: Setting = Setting::Kind(FindingId::Stale);

    #[test]
    fn only_the_value_changes() {
        for (before, setting, on, after) in [
            (
                "# mine\nclean_automatically=false # why\n\ninterval_secs = 7\n",
                Setting::CleanAutomatically,
                true,
                "# mine\nclean_automatically=true # why\n\ninterval_secs = 7\n",
            ),
            (
                "interval_secs = 7 # often\n# last word\n",
                Setting::ExitStranded,
                true,
                "interval_secs = 7 # often\nexit_stranded = true\n# last word\n",
            ),
            (
                "# head\n\n[notifications] # loud\n  stale   =   true   # often\n# end\n",
                STALE,
                false,
                "# head\n\n[notifications] # loud\n  stale   =   false   # often\n# end\n",
            ),
            (
                "[notifications]\nenabled = true",
                STALE,
                false,
                "[notifications]\nenabled = true\nstale = false\n",
            ),
            ("", STALE, false, "[notifications]\nstale = false\n"),
            (
                "notifications = { enabled = true } # short\n",
                Setting::Notifications,
                false,
                "notifications = { enabled = false } # short\n",
            ),
            (
                "notifications.enabled = true\n",
                STALE,
                false,
                "notifications.enabled = true\nnotifications.stale = false\n",
            ),
            (
                "'clean_automatically' = true\n[notifications]\n\"not-a-socket\" = true\n",
                Setting::Kind(FindingId::NotASocket),
                false,
                "'clean_automatically' = true\n[notifications]\n\"not-a-socket\" = false\n",
            ),
        ] {
            assert_eq!(edited(before, setting, on).as_deref(), Some(after));
        }
    }

    #[test]
    fn what_an_editor_of_another_system_wrote_stays() {
        for before in [
            "# mine\r\nclean_automatically = false # why\r\n[notifications]\r\n",
            "\u{feff}clean_automatically = false\n",
        ] {
            let after = edited(before, Setting::CleanAutomatically, true).unwrap();
            assert_eq!(after, before.replace("false", "true"));
        }
    }

    #[test]
    fn every_switch_of_the_documented_file_can_be_thrown_and_thrown_back() {
        let documented = Settings::default().documented();
        let kinds = FindingId::ALL.iter().map(|id| Setting::Kind(*id));
        let others = [
            Setting::Notifications,
            Setting::CleanAutomatically,
            Setting::ExitStranded,
        ];
        for setting in kinds.chain(others) {
            let was = Settings::default().is_on(setting);
            let thrown = edited(&documented, setting, !was).unwrap();
            let differing = thrown
                .lines()
                .zip(documented.lines())
                .filter(|(new, old)| new != old)
                .count();
            assert_eq!(differing, 1, "{setting:?}");
            assert_eq!(edited(&thrown, setting, was).unwrap(), documented);
        }
    }

    #[test]
    fn the_file_is_written_first_where_none_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("muxtray/config.toml");
        set(&path, Setting::CleanAutomatically, true).unwrap();
        let expected = Settings::default().with(Setting::CleanAutomatically, true);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected.documented());
    }

    #[test]
    fn what_could_not_be_read_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        for text in ["clean_automatically = \n", "no_such_key = 1\n", "\u{0}"] {
            fs::write(&path, text).unwrap();
            let error = set(&path, Setting::CleanAutomatically, true).unwrap_err();
            assert!(matches!(error, SetError::NotReadable(_)), "{error:?}");
            assert!(error.to_string().contains("muxtray config edit"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_so_already_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, "interval_secs = 7\n").unwrap();
        let version = file::version(&path);
        set(&path, STALE, true).unwrap();
        assert_eq!(file::version(&path), version);
    }

    #[test]
    fn clicks_at_the_same_time_all_count() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::thread::scope(|scope| {
            for id in FindingId::ALL {
                let path = &path;
                scope.spawn(move || set(path, Setting::Kind(*id), false).unwrap());
            }
        });
        assert!(file::load(&path).unwrap().announced().is_empty());
    }
}
