//! The two names of a socket that is removed: its original one and the temporary one, both within its directory.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use super::error::CleanError;
use crate::model::control_path::{ASIDE_PREFIX, ControlPath, stem_of_aside, stem_of_temporary};
use crate::model::socket::State;

/// The judgement about a file that `clean` removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remnant {
    /// A control socket without a listener.
    Stale,
    /// The temporary name of an interrupted start of ssh: removed only if older than
    /// [`LEFTOVER_AFTER`](crate::diagnose::LEFTOVER_AFTER), as is any file with a name of that form.
    Leftover,
    /// A file that an interrupted clean has renamed to `.muxtray-aside.NAME`.
    Aside,
}

impl Remnant {
    /// `None` if a socket in this state is never removed.
    #[must_use]
    pub const fn of(state: &State) -> Option<Self> {
        match state {
            State::Stale => Some(Self::Stale),
            State::Leftover => Some(Self::Leftover),
            _ => None,
        }
    }
}

/// The name under which a file was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoundAs {
    Original,
    Aside,
}

pub(super) struct Names {
    pub(super) found_as: FoundAs,
    pub(super) original: PathBuf,
    pub(super) aside: PathBuf,
}

impl Names {
    pub(super) fn new(path: &ControlPath, remnant: Remnant) -> Result<Self, CleanError> {
        let name = path.name();
        let to_path = |name: &[u8]| PathBuf::from(OsStr::from_bytes(name));
        match (stem_of_aside(name), remnant) {
            // A file that was renamed once is never renamed again, even if it was judged to be stale.
            (Some(stem), _) => Ok(Self {
                found_as: FoundAs::Aside,
                original: to_path(stem),
                aside: to_path(name),
            }),
            (None, Remnant::Aside) => Err(CleanError::NotAside),
            (None, Remnant::Stale | Remnant::Leftover) => {
                let mut aside = ASIDE_PREFIX.as_bytes().to_vec();
                aside.extend(name);
                Ok(Self {
                    found_as: FoundAs::Original,
                    original: to_path(name),
                    aside: OsString::from_vec(aside).into(),
                })
            }
        }
    }

    /// Whether the original name has the form of a starting master's temporary one.
    pub(super) fn is_temporary(&self) -> bool {
        stem_of_temporary(self.original.as_os_str().as_bytes()).is_some()
    }
}
