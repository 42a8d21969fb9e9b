use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Autostart;

impl Autostart {
    #[must_use]
    pub fn from_environment() -> Self {
        let home = env::home_dir().filter(|home| home.is_absolute());
        let below_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let absolute = |name: &str| {
            let path = env::var_os(name).map(PathBuf::from);
            path.filter(|path| path.is_absolute())
        };
        let list = |name: &str, default: &str| -> Vec<PathBuf> {
            let value = env::var_os(name).filter(|value| !value.is_empty());
            let value = value.unwrap_or_else(|| OsString::from(default));
            let paths = env::split_paths(&value);
            paths.filter(|path| path.is_absolute()).collect()
        };
        let config_home = absolute("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
        let config_dirs = list("XDG_CONFIG_DIRS", "/etc/xdg");
        let data_home = absolute("XDG_DATA_HOME").or_else(|| below_home(".local/share"));
        let data_dirs = list("XDG_DATA_DIRS", "/usr/local/share:/usr/share");
        let desktops = env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
        Self {
            units: unit_directories(
                config_home.as_deref(),
                &config_dirs,
                absolute("XDG_RUNTIME_DIR").as_deref(),
                data_home.as_deref(),
                &data_dirs,
            ),
            config_home,
            config_dirs,
            desktops: desktops
                .split(':')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            programs: list("PATH", ""),
            program: installed(),
        }
    }
}

/// Returns the `muxtray` in this process's directory, whose own file an update may have removed, or in PREFIX/bin if this
/// is the applet in PREFIX/libexec/muxtray.
fn installed() -> Option<PathBuf> {
    let directory = env::current_exe().ok()?.parent()?.to_owned();
    let beside_libexec = directory.join("../../bin").canonicalize().ok();
    [Some(directory), beside_libexec]
        .into_iter()
        .flatten()
        .map(|directory| directory.join("muxtray"))
        .find(|program| program.is_file())
}

/// Returns the directories in which users and packages install units (systemd.unit(5)).
fn unit_directories(
    config_home: Option<&Path>,
    config_dirs: &[PathBuf],
    runtime: Option<&Path>,
    data_home: Option<&Path>,
    data_dirs: &[PathBuf],
) -> Vec<PathBuf> {
    let etc = [Path::new("/etc")];
    let run = [Path::new("/run")];
    let lib = ["/usr/local/lib", "/usr/lib", "/lib"].map(Path::new);
    config_home
        .into_iter()
        .chain(config_dirs.iter().map(PathBuf::as_path))
        .chain(etc)
        .chain(runtime)
        .chain(run)
        .chain(data_home)
        .chain(data_dirs.iter().map(PathBuf::as_path))
        .chain(lib)
        .map(|directory| directory.join("systemd/user"))
        .collect()
}
