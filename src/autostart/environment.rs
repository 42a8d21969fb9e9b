//! Where this process's environment says that everything is.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Autostart;

impl Autostart {
    /// Everything of this process's environment.
    #[must_use]
    pub fn of_this_process() -> Self {
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

/// The `muxtray` that this process is, or that the applet lies beside. After an update the file that runs may be gone,
/// but not the directory that it was in.
fn installed() -> Option<PathBuf> {
    let directory = env::current_exe().ok()?.parent()?.to_owned();
    // The applet may be in PREFIX/libexec/muxtray.
    let beside_libexec = directory.join("../../bin").canonicalize().ok();
    [Some(directory), beside_libexec]
        .into_iter()
        .flatten()
        .map(|directory| directory.join("muxtray"))
        .find(|program| program.is_file())
}

/// The directories of units, as far as people and packages put units there (systemd.unit(5)).
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
        .map(|place| place.join("systemd/user"))
        .collect()
}
