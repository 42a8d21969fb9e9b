//! Changes one setting in the file and keeps everything else in it.
//!
//! toml_edit changes the text. The file is replaced only after confy has read the setting from the new text.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use tr::tr;

use super::error::ConfigError;
use super::file;
use crate::files::Replacement;
use crate::model::settings::Change;
use crate::model::text;
use crate::observe::file_stamp::FileStamp;

const ATTEMPTS: u32 = 3;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The reason why a setting was not changed. The file is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    #[error("{}", tr!(
        "{error}; correct the file: {command}",
        error = .0,
        command = "muxtray config edit"
    ))]
    NotReadable(ConfigError),
    #[error("{}", .0)]
    NotWritable(ConfigError),
    /// Another program changed the file at each attempt.
    #[error("{}", tr!(
        "{path}: changed by another program; try again",
        path = text::path(.0)
    ))]
    Busy(PathBuf),
    /// The new text would not have had the setting.
    #[error("{}", tr!(
        "{path}: cannot change {key}; edit the file: {command}",
        path = text::path(.path),
        key = .key,
        command = "muxtray config edit"
    ))]
    NotEditable { path: PathBuf, key: &'static str },
}

/// Changes a setting. Creates the file if there is none; writes nothing if the setting is as wanted.
pub fn set(path: &Path, change: &Change) -> Result<(), SetError> {
    // Each click in the menu is a thread of its own.
    static WRITING: Mutex<()> = Mutex::new(());
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..ATTEMPTS {
        if try_to_set(path, change)? {
            return Ok(());
        }
    }
    Err(SetError::Busy(path.to_owned()))
}

/// Returns false if another program changed the file meanwhile.
fn try_to_set(path: &Path, change: &Change) -> Result<bool, SetError> {
    let unwritable = |error| SetError::NotWritable(ConfigError::Unwritable(path.to_owned(), error));
    file::write_first(path).map_err(SetError::NotWritable)?;
    let version = FileStamp::read(path);
    let settings = file::load(path).map_err(SetError::NotReadable)?;
    if settings.has(change) {
        return Ok(true);
    }
    let old = fs::read_to_string(path).map_err(|error| {
        SetError::NotReadable(ConfigError::Unreadable(path.to_owned(), error.to_string()))
    })?;
    let (_, key) = change.place();
    let not_editable = || SetError::NotEditable {
        path: path.to_owned(),
        key,
    };
    let new = edited(&old, change).ok_or_else(not_editable)?;
    let new_file = Replacement::write(path, new.as_bytes()).map_err(unwritable)?;
    let read_again = file::load(new_file.path()).map_err(|_| not_editable())?;
    if read_again != settings.changed(change) {
        return Err(not_editable());
    }
    if FileStamp::read(path) != version {
        return Ok(false);
    }
    new_file.commit().map_err(unwritable)?;
    Ok(true)
}

/// Returns the changed text; `None` if the text is not TOML, the table is no table, or the list no list.
fn edited(text: &str, change: &Change) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let has_crlf = text.contains("\r\n");
    let (table, key) = change.place();
    let table: &mut dyn TableLike = match table {
        None => document.as_table_mut(),
        Some(name) => document
            .as_table_mut()
            .entry(name)
            .or_insert_with(|| Item::Table(Table::new()))
            .as_table_like_mut()?,
    };
    match change {
        Change::Switch(_, on) => set_value(table, key, Value::from(*on)),
        Change::Icon(shown) => set_value(table, key, Value::from(shown.as_str())),
        Change::Reopen(host, on) => {
            let list = table
                .entry(key)
                .or_insert_with(|| toml_edit::value(Array::new()));
            let list = list.as_array_mut()?;
            match on {
                true => list.push(host.0.as_str()),
                false => remove(list, &host.0),
            }
        }
    }
    let new = document.to_string();
    // toml_edit writes neither CRLF nor a byte order mark.
    let new = if has_crlf {
        new.replace('\n', "\r\n")
    } else {
        new
    };
    let mark = text.starts_with(BYTE_ORDER_MARK).then_some(BYTE_ORDER_MARK);
    Some(mark.into_iter().chain(new.chars()).collect())
}

/// Keeps the spaces and the comment beside an earlier value.
fn set_value(table: &mut dyn TableLike, key: &str, new: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(value) => {
            let decor = value.decor().clone();
            *value = new;
            *value.decor_mut() = decor;
        }
        None => drop(table.insert(key, Item::Value(new))),
    }
}

/// Keeps the comment between the element and the one before it.
fn remove(list: &mut Array, removed: &str) {
    let is_removed = |value: &Value| value.as_str() == Some(removed);
    loop {
        let index = list.iter().position(is_removed);
        let Some(index) = index else {
            return;
        };
        let value = list.remove(index);
        let before = value.decor().prefix().and_then(|it| it.as_str());
        let Some(before) = before.filter(|before| before.contains('#')) else {
            continue;
        };
        let with_comment = |after: &str| match after.contains('\n') {
            true => format!("{}{after}", before.trim_end()),
            false => format!("{before}{after}"),
        };
        if let Some(next) = list.get_mut(index) {
            let decor = next.decor_mut();
            let after = decor.prefix().and_then(|it| it.as_str());
            let kept = with_comment(after.unwrap_or_default());
            decor.set_prefix(kept);
        } else {
            let kept = with_comment(list.trailing().as_str().unwrap_or_default());
            list.set_trailing(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::model::control_path::HostAlias;
    use crate::model::finding::FindingId;
    use crate::model::settings::{IconShown, Setting};

    const STALE: Setting = Setting::Kind(FindingId::Stale);

    fn switch(setting: Setting, on: bool) -> Change {
        Change::Switch(setting, on)
    }

    fn reopen(host: &str, on: bool) -> Change {
        Change::Reopen(HostAlias(host.to_owned()), on)
    }

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
            assert_eq!(edited(before, &switch(setting, on)).as_deref(), Some(after));
        }
        let icon = edited(
            "icon = 'always' # mine\n",
            &Change::Icon(IconShown::Problems),
        );
        assert_eq!(icon.as_deref(), Some("icon = \"problems\" # mine\n"));
    }

    #[test]
    fn only_one_host_of_the_list_changes() {
        for (before, change, after) in [
            ("", reopen("web", true), "reopen = [\"web\"]\n"),
            (
                "reopen = [] # mine\n",
                reopen("a \"b\"", true),
                "reopen = ['a \"b\"'] # mine\n",
            ),
            (
                "reopen = [\"web\"]\n[notifications]\n",
                reopen("db", true),
                "reopen = [\"web\", \"db\"]\n[notifications]\n",
            ),
            (
                "reopen=[ 'web', # the first\n  \"db\",\n]\n",
                reopen("db", false),
                "reopen=[ 'web', # the first\n]\n",
            ),
            (
                "reopen = [\n  'web', # the first\n  'db', # next\n  'c',\n]\n",
                reopen("db", false),
                "reopen = [\n  'web', # the first # next\n  'c',\n]\n",
            ),
            (
                "reopen = [\"web\", \"db\"]\n",
                reopen("web", false),
                "reopen = [ \"db\"]\n",
            ),
        ] {
            assert_eq!(edited(before, &change).as_deref(), Some(after));
        }
        assert_eq!(edited("reopen = 1\n", &reopen("web", true)), None);
    }

    #[test]
    fn keeps_crlf_and_byte_order_mark() {
        for before in [
            "# mine\r\nclean_automatically = false # why\r\n[notifications]\r\n",
            "\u{feff}clean_automatically = false\n",
        ] {
            let after = edited(before, &switch(Setting::CleanAutomatically, true)).unwrap();
            assert_eq!(after, before.replace("false", "true"));
        }
    }

    #[test]
    fn every_setting_changes_one_line_of_the_documented_file_and_back() {
        let documented = Settings::default().documented();
        let kinds = FindingId::ALL.iter().map(|id| Setting::Kind(*id));
        let others = Setting::TOP.iter().copied().chain([Setting::Notifications]);
        for setting in kinds.chain(others) {
            let was = Settings::default().is_on(setting);
            let changed = edited(&documented, &switch(setting, !was)).unwrap();
            let differing = changed
                .lines()
                .zip(documented.lines())
                .filter(|(new, old)| new != old)
                .count();
            assert_eq!(differing, 1, "{setting:?}");
            assert_eq!(edited(&changed, &switch(setting, was)).unwrap(), documented);
        }
    }

    #[test]
    fn creates_the_file_if_there_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("muxtray/config.toml");
        set(&path, &switch(Setting::CleanAutomatically, true)).unwrap();
        let expected = Settings::default().with(Setting::CleanAutomatically, true);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected.documented());
    }

    #[test]
    fn an_invalid_file_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        for text in ["clean_automatically = \n", "no_such_key = 1\n", "\u{0}"] {
            fs::write(&path, text).unwrap();
            let error = set(&path, &switch(Setting::CleanAutomatically, true)).unwrap_err();
            assert!(matches!(error, SetError::NotReadable(_)), "{error:?}");
            assert!(error.to_string().contains("muxtray config edit"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_setting_that_is_as_wanted_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, "interval_secs = 7\n").unwrap();
        let version = FileStamp::read(&path);
        set(&path, &switch(STALE, true)).unwrap();
        assert_eq!(FileStamp::read(&path), version);
    }

    #[test]
    fn concurrent_changes_are_all_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::thread::scope(|scope| {
            for id in FindingId::ALL {
                let path = &path;
                scope.spawn(move || set(path, &switch(Setting::Kind(*id), false)).unwrap());
            }
        });
        assert!(file::load(&path).unwrap().announced().is_empty());
    }
}
