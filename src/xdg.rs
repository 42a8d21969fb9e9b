//! Directories and desktops in the environment, as the XDG Base Directory Specification and the Desktop Entry Specification
//! have them. Paths that are not absolute are ignored.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// Returns the directory in a variable.
pub fn directory(variable: &str) -> Option<PathBuf> {
    let path = env::var_os(variable).map(PathBuf::from);
    path.filter(|path| path.is_absolute())
}

/// Returns the directory in a variable, or this one below the user's home.
pub(crate) fn home(variable: &str, default: &str) -> Option<PathBuf> {
    let home = || env::home_dir().filter(|home| home.is_absolute());
    directory(variable).or_else(|| Some(home()?.join(default)))
}

/// Returns the directories in a variable, the most important first. An empty variable counts as none.
pub(crate) fn directories(variable: &str, default: &str) -> Vec<PathBuf> {
    let value = env::var_os(variable).filter(|value| !value.is_empty());
    let value = value.unwrap_or_else(|| OsString::from(default));
    let paths = env::split_paths(&value);
    paths.filter(|path| path.is_absolute()).collect()
}

pub(crate) fn config_home() -> Option<PathBuf> {
    home("XDG_CONFIG_HOME", ".config")
}

pub(crate) fn config_dirs() -> Vec<PathBuf> {
    directories("XDG_CONFIG_DIRS", "/etc/xdg")
}

/// Returns the names in `$XDG_CURRENT_DESKTOP`.
pub(crate) fn current_desktops() -> Vec<String> {
    let names = env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
    let names = names.split(':').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}
