//! [`Surroundings`]: what discovery has to know of the process, the user and the machine, gathered in one place.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use nix::unistd::{self, User};

use crate::model::control_path::Known;
use crate::observe::accounts::Databases;

/// What discovery has to know of the process, the user and the machine. A value, so that tests can make one.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// What the tokens of a ControlPath stand for.
    pub known: Known,
    /// The system's ssh configuration file; relative Includes in it start from its directory.
    pub system_config: PathBuf,
    /// The databases of users and groups.
    pub databases: Databases,
}

impl Surroundings {
    /// Those of this process: the real user id's entry of the password file, as ssh reads it, the host name and the
    /// environment. Without an entry (ssh itself gives up then), `$HOME` and the number serve.
    #[must_use]
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
            databases: Databases::default(),
        }
    }

    /// Where muxtray keeps files of its own: in the directory of this variable (XDG Base Directory Specification), or in
    /// its default below the home directory. `None` where there is no home.
    #[must_use]
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

    /// The user's own ssh configuration file.
    #[must_use]
    pub fn user_config(&self) -> PathBuf {
        self.known.home.join(".ssh/config")
    }

    /// The same, but with the home directory that an Include means by `~`.
    ///
    /// Includes go through glob(3)'s GLOB_TILDE, which asks `$HOME` before the password file; so do relative
    /// Includes of a user's file, which become `~/.ssh/…`. A ControlPath does not.
    pub(super) fn known_to_includes(&self) -> Known {
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
