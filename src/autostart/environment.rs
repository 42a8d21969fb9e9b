use std::env;
use std::path::PathBuf;

use super::Autostart;
use crate::xdg;

impl Autostart {
    pub fn from_environment() -> Self {
        let (config_home, config_dirs) = (xdg::config_home(), xdg::config_dirs());
        // In the order of systemd.unit(5).
        let mut units: Vec<PathBuf> = config_home.iter().chain(&config_dirs).cloned().collect();
        units.push("/etc".into());
        units.extend(xdg::directory("XDG_RUNTIME_DIR"));
        units.push("/run".into());
        units.extend(xdg::home("XDG_DATA_HOME", ".local/share"));
        units.extend(xdg::directories(
            "XDG_DATA_DIRS",
            "/usr/local/share:/usr/share",
        ));
        units.extend(["/usr/local/lib", "/usr/lib", "/lib"].map(PathBuf::from));
        Self {
            desktops: xdg::current_desktops(),
            units: units
                .iter()
                .map(|place| place.join("systemd/user"))
                .collect(),
            config_home,
            config_dirs,
            programs: xdg::directories("PATH", ""),
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
