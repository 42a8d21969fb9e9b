use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use super::Autostart;

impl Autostart {
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
        // In the order of systemd.unit(5).
        let mut units: Vec<PathBuf> = config_home.iter().chain(&config_dirs).cloned().collect();
        units.push("/etc".into());
        units.extend(absolute("XDG_RUNTIME_DIR"));
        units.push("/run".into());
        units.extend(absolute("XDG_DATA_HOME").or_else(|| below_home(".local/share")));
        units.extend(list("XDG_DATA_DIRS", "/usr/local/share:/usr/share"));
        units.extend(["/usr/local/lib", "/usr/lib", "/lib"].map(PathBuf::from));
        let desktops = env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
        let desktops = desktops.split(':').filter(|name| !name.is_empty());
        Self {
            desktops: desktops.map(str::to_owned).collect(),
            units: units
                .iter()
                .map(|place| place.join("systemd/user"))
                .collect(),
            config_home,
            config_dirs,
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
