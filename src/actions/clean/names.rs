//! The name a file has and the name `clean` gives it, both within its directory. Pure.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use super::{CleanError, Kind};
use crate::model::control_path::{ASIDE_PREFIX, ControlPath, stem_of_aside, stem_of_temporary};

/// Under which of its two names a file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Home,
    Aside,
}

/// The two names of a file within its directory.
pub(super) struct Names {
    pub(super) role: Role,
    pub(super) home: PathBuf,
    pub(super) aside: PathBuf,
}

impl Names {
    pub(super) fn of(path: &ControlPath, kind: Kind) -> Result<Self, CleanError> {
        let name = path.name();
        let pathed = |name: &[u8]| PathBuf::from(OsStr::from_bytes(name));
        match (stem_of_aside(name), kind) {
            // What lies aside is never taken aside once more, whatever it was judged to be.
            (Some(stem), Kind::Aside | Kind::Stale | Kind::Leftover) => Ok(Self {
                role: Role::Aside,
                home: pathed(stem),
                aside: pathed(name),
            }),
            (None, Kind::Aside) => Err(CleanError::NotAside),
            (None, Kind::Stale | Kind::Leftover) => {
                let mut aside = ASIDE_PREFIX.as_bytes().to_vec();
                aside.extend(name);
                Ok(Self {
                    role: Role::Home,
                    home: pathed(name),
                    aside: OsString::from_vec(aside).into(),
                })
            }
        }
    }

    /// Whether a master that is just starting may have given the name.
    pub(super) fn is_temporary(&self) -> bool {
        stem_of_temporary(self.home.as_os_str().as_bytes()).is_some()
    }
}
