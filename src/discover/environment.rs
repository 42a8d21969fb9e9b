use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use nix::unistd::{self, User};

use crate::model::control_path::Known;
use crate::observe::accounts::Databases;

/// The properties of the process, the user and the machine that discovery depends on. Tests make their own.
#[derive(Debug, Clone)]
pub struct Environment {
    pub known: Known,
    pub system_config: PathBuf,
    /// Of openSUSE's ssh, which reads it if there is no [`Self::system_config`].
    pub vendor_config: PathBuf,
    pub databases: Databases,
}

impl Environment {
    /// Reads the environment variables, the host name, and the passwd entry of the real user id, as ssh does. Without an
    /// entry, with which ssh fails, uses `$HOME` and the user id.
    pub fn of_this_process() -> Self {
        let environment: std::collections::BTreeMap<OsString, OsString> =
            std::env::vars_os().collect();
        let uid = unistd::getuid();
        let entry = User::from_uid(uid).ok().flatten();
        let home = entry
            .as_ref()
            .map(|entry| entry.dir.clone())
            .or_else(|| environment.get(OsStr::new("HOME")).map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("/"));
        let user = entry.map_or_else(
            || OsString::from(uid.to_string()),
            |entry| OsString::from(entry.name),
        );
        let runtime_dir = environment
            .get(OsStr::new("XDG_RUNTIME_DIR"))
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .unwrap_or_else(|| Path::new("/run/user").join(uid.to_string()));
        Self {
            known: Known {
                home,
                uid: uid.as_raw(),
                user,
                host_name: unistd::gethostname().unwrap_or_default(),
                runtime_dir,
                environment,
                home_of,
            },
            system_config: PathBuf::from("/etc/ssh/ssh_config"),
            vendor_config: PathBuf::from("/usr/etc/ssh/ssh_config"),
            databases: Databases::default(),
        }
    }

    /// Returns muxtray's directory in the base directory of this variable (XDG Base Directory Specification), or in its
    /// default below the home directory. Returns `None` if there is no home directory.
    pub fn own_directory(&self, variable: &str, default: &str) -> Option<PathBuf> {
        let absolute = |name| {
            self.known
                .variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let base = absolute(variable).or_else(|| Some(absolute("HOME")?.join(default)))?;
        Some(base.join("muxtray"))
    }

    pub fn user_config(&self) -> PathBuf {
        self.known.home.join(".ssh/config")
    }

    /// Returns the values with the home directory that `~` means in an Include.
    ///
    /// Includes go through glob(3) with GLOB_TILDE, which prefers `$HOME` to the passwd entry. Relative Includes of a user's
    /// file become `~/.ssh/…`. In a ControlPath `~` is the home directory of the passwd entry.
    pub(super) fn known_for_includes(&self) -> Known {
        let mut known = self.known.clone();
        if let Some(home) = known.variable("HOME") {
            known.home = PathBuf::from(home);
        }
        known
    }
}

fn home_of(user: &OsStr) -> Option<PathBuf> {
    Some(User::from_name(user.to_str()?).ok()??.dir)
}
