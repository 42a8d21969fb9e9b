//! Removes a socket without a listener, and never one that has a listener by the time it is removed.
//!
//! A check followed by unlink(2) could remove the socket of a master that started in between. So: judge the file; rename
//! it to a name of muxtray's in the same directory, never over another file; judge the renamed file; unlink it if it is
//! the same one and still refuses connections; otherwise rename it back, again never over another file. If muxtray is
//! killed in between, the file keeps muxtray's name until the next clean with [`Remnant::Aside`].
//!
//! The judged file stays open as a [`HeldSocket`], so its inode cannot be reused for another file, and the directory is
//! locked, so no other muxtray changes the temporary name between the judgement and unlink(2).

mod error;
mod names;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use tr::tr;

use super::held_directory::{HeldDirectory, LockError, LockedDirectory};
use super::held_socket::{HeldSocket, HoldError};
use super::kernel::Kernel;
use crate::diagnose::LEFTOVER_AFTER;
use crate::model::control_path::ControlPath;
use crate::model::socket::{Connect, Filesystem, Target};
use crate::model::text::marked;
use crate::mux::deadline::Deadline;

pub use error::CleanError;
pub use names::Remnant;
use names::{FoundAs, Names};

/// How long to wait for another muxtray that cleans in the same directory.
const LOCK_LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Cleaned {
    Removed,
    /// The file may be in use and has its original name again: only if it was found under muxtray's name.
    PutBack(ControlPath),
}

/// A point between two changes of the file system. Other programs may change the files at each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanStep {
    /// The file is judged; next it is renamed.
    Judged,
    /// The file is renamed; next it is judged again.
    Renamed,
    /// The renamed file is the judged one; next it is unlinked.
    Removing,
    /// The renamed file is another one, or in use; next it is renamed back.
    PuttingBack,
    PutBack,
}

/// `removed`
impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Removed => tr!("removed"),
            Self::PutBack(path) => tr!("may be in use; renamed back to {path}", path),
        })
    }
}

/// Removes a socket that is proven to be a remnant, or renames it back after an interrupted clean.
///
/// The age of a leftover is measured against `now`. Waits at most a second for another muxtray in the same directory.
///
/// # Errors
/// [`CleanError`]; with [`HoldError::Missing`] the file is gone already.
pub fn clean(
    kernel: &impl Kernel,
    target: &Target,
    remnant: Remnant,
    now: SystemTime,
) -> Result<Cleaned, CleanError> {
    clean_with_hook(kernel, target, remnant, now, &|step| {
        tracing::trace!(path = %target.path, ?step, "clean");
    })
}

/// Like [`clean`], calling `on_step` at each [`CleanStep`].
///
/// # Errors
/// Those of [`clean`].
pub fn clean_with_hook(
    kernel: &impl Kernel,
    target: &Target,
    remnant: Remnant,
    now: SystemTime,
    on_step: &dyn Fn(CleanStep),
) -> Result<Cleaned, CleanError> {
    let removal = Removal::new(kernel, target, remnant, now)?;
    let directory = removal.open_directory()?;
    removal.check_filesystem()?;
    // Locked before the file is judged, so that it cannot change during the wait, and so that a file under muxtray's
    // name is not one of a clean in progress.
    let directory = lock(directory)?;
    match removal.names.found_as {
        FoundAs::Original => {
            let judged = removal.judge(&directory)?;
            on_step(CleanStep::Judged);
            removal.remove(&directory, &judged, on_step)?;
            Ok(Cleaned::Removed)
        }
        FoundAs::Aside => {
            let socket = removal.check_identity(directory.socket(&removal.names.aside)?)?;
            removal.remove_or_put_back(&directory, &socket, on_step)
        }
    }
}

/// The result that [`clean`] would have, by the same judgement and without a change.
///
/// # Errors
/// Those of [`clean`] that can be known beforehand.
pub fn would_clean(
    kernel: &impl Kernel,
    target: &Target,
    remnant: Remnant,
    now: SystemTime,
) -> Result<Cleaned, CleanError> {
    let removal = Removal::new(kernel, target, remnant, now)?;
    let directory = removal.open_directory()?;
    removal.check_filesystem()?;
    let result = match removal.names.found_as {
        FoundAs::Original => {
            removal.judge(&directory)?;
            if directory.has(&removal.names.aside) {
                return Err(removal.aside_taken());
            }
            Cleaned::Removed
        }
        FoundAs::Aside => {
            let socket = removal.check_identity(directory.socket(&removal.names.aside)?)?;
            match removal.prove_unused(&socket) {
                Ok(()) => Cleaned::Removed,
                Err(_) if directory.has(&removal.names.original) => {
                    return Err(removal.left_aside());
                }
                Err(_) => Cleaned::PutBack(removal.original_path()),
            }
        }
    };
    directory
        .check_writable()
        .map_err(CleanError::of_directory)?;
    Ok(result)
}

struct Removal<'a, K> {
    kernel: &'a K,
    target: &'a Target,
    names: Names,
    /// A temporary name modified after this may be a start in progress. `None` for other names.
    young_since: Option<SystemTime>,
}

impl<'a, K: Kernel> Removal<'a, K> {
    fn new(
        kernel: &'a K,
        target: &'a Target,
        remnant: Remnant,
        now: SystemTime,
    ) -> Result<Self, CleanError> {
        let names = Names::new(&target.path, remnant)?;
        // A file under muxtray's name was old enough when it was renamed, unless its original name is temporary.
        let is_leftover = remnant == Remnant::Leftover && names.found_as == FoundAs::Original;
        let may_be_starting = is_leftover || names.is_temporary();
        // If the clock is within a minute of the epoch, every file counts as young.
        let limit = now
            .checked_sub(LEFTOVER_AFTER)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Self {
            kernel,
            target,
            names,
            young_since: may_be_starting.then_some(limit),
        })
    }

    fn original_path(&self) -> ControlPath {
        match self.names.found_as {
            FoundAs::Original => self.target.path.clone(),
            FoundAs::Aside => self
                .target
                .path
                .without_aside_prefix()
                .unwrap_or_else(|| self.target.path.clone()),
        }
    }

    fn open_directory(&self) -> Result<HeldDirectory, CleanError> {
        HeldDirectory::open(self.target.path.directory()).map_err(|errno| match errno {
            Errno::ENOENT | Errno::ENOTDIR => HoldError::Missing.into(),
            other => CleanError::of_directory(other),
        })
    }

    /// The file under its original name, if it may be removed.
    fn judge(&self, directory: &HeldDirectory) -> Result<HeldSocket, CleanError> {
        if self.target.id.is_none() {
            return Err(HoldError::Missing.into());
        }
        let socket = self.check_identity(directory.socket(&self.names.original)?)?;
        self.prove_unused(&socket)?;
        Ok(socket)
    }

    fn check_identity(&self, socket: HeldSocket) -> Result<HeldSocket, HoldError> {
        match self.target.id {
            Some(id) if id != socket.stat().id => Err(HoldError::Changed),
            Some(_) | None => Ok(socket),
        }
    }

    fn check_filesystem(&self) -> Result<(), CleanError> {
        match self.kernel.filesystem(self.target.path.directory()) {
            Filesystem::Local => Ok(()),
            Filesystem::Network(name) => Err(CleanError::NetworkFilesystem(name)),
            Filesystem::Unknown => Err(CleanError::UnknownFilesystem),
        }
    }

    /// Proves that no process listens on the file or is about to. The kernel's table comes first: connecting to a
    /// master restarts its ControlPersist.
    fn prove_unused(&self, socket: &HeldSocket) -> Result<(), CleanError> {
        let stat = socket.stat();
        if self.young_since.is_some_and(|limit| stat.modified > limit) {
            return Err(CleanError::TooYoung);
        }
        if self.kernel.has_listener(&self.original_path(), stat) {
            return Err(CleanError::Live);
        }
        match self.kernel.connect(socket.file()) {
            Connect::Refused => Ok(()),
            Connect::Accepted | Connect::Full => Err(CleanError::Live),
            Connect::Denied => Err(CleanError::Unproven(tr!("permission denied on connect"))),
            Connect::Failed(text) => Err(CleanError::Unproven(text)),
        }
    }

    /// Renames the file that has the original name now, and unlinks it if it is the judged one.
    fn remove(
        &self,
        directory: &LockedDirectory,
        judged: &HeldSocket,
        on_step: &dyn Fn(CleanStep),
    ) -> Result<(), CleanError> {
        let Names {
            original, aside, ..
        } = &self.names;
        directory
            .rename(original, aside)
            .map_err(|errno| match errno {
                Errno::ENOENT => HoldError::Missing.into(),
                Errno::EEXIST => self.aside_taken(),
                Errno::EINVAL | Errno::ENOSYS => CleanError::RenameUnsupported,
                Errno::ENAMETOOLONG => CleanError::NameTooLong,
                other => CleanError::of_directory(other),
            })?;
        on_step(CleanStep::Renamed);
        let proof = match directory.socket(aside) {
            // Another program has removed muxtray's name: there is nothing left to put back.
            Err(HoldError::Missing) => return Err(HoldError::Missing.into()),
            Err(error) => Err(CleanError::from(error)),
            Ok(renamed) if !renamed.is_same_file(judged) => Err(HoldError::Changed.into()),
            Ok(renamed) => self.prove_unused(&renamed),
        };
        let error = match proof {
            Ok(()) => match self.unlink(directory, on_step) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            Err(error) => error,
        };
        self.put_back(directory, on_step)?;
        Err(error)
    }

    /// Finishes an interrupted clean.
    fn remove_or_put_back(
        &self,
        directory: &LockedDirectory,
        socket: &HeldSocket,
        on_step: &dyn Fn(CleanStep),
    ) -> Result<Cleaned, CleanError> {
        match self.prove_unused(socket) {
            Ok(()) => {
                self.unlink(directory, on_step)?;
                Ok(Cleaned::Removed)
            }
            Err(cause) => {
                tracing::debug!(path = %self.target.path, ?cause, "put back");
                self.put_back(directory, on_step)?;
                Ok(Cleaned::PutBack(self.original_path()))
            }
        }
    }

    fn unlink(
        &self,
        directory: &LockedDirectory,
        on_step: &dyn Fn(CleanStep),
    ) -> Result<(), CleanError> {
        on_step(CleanStep::Removing);
        match directory.unlink(&self.names.aside) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(CleanError::of_directory(errno)),
        }
    }

    fn put_back(
        &self,
        directory: &LockedDirectory,
        on_step: &dyn Fn(CleanStep),
    ) -> Result<(), CleanError> {
        on_step(CleanStep::PuttingBack);
        directory
            .rename(&self.names.aside, &self.names.original)
            .map_err(|errno| match errno {
                Errno::EEXIST => self.left_aside(),
                other => CleanError::of_directory(other),
            })?;
        on_step(CleanStep::PutBack);
        Ok(())
    }

    fn aside_path(&self) -> PathBuf {
        self.target.path.directory().join(&self.names.aside)
    }

    fn aside_taken(&self) -> CleanError {
        CleanError::AsideTaken(self.aside_path())
    }

    fn left_aside(&self) -> CleanError {
        CleanError::LeftAside {
            aside: self.aside_path(),
        }
    }
}

fn lock(directory: HeldDirectory) -> Result<LockedDirectory, CleanError> {
    directory
        .lock(Deadline::within(LOCK_LIMIT))
        .map_err(|error| match error {
            LockError::Busy => CleanError::Busy,
            LockError::Failed(errno) => CleanError::Failed {
                doing: marked!("lock its directory"),
                errno,
            },
        })
}

#[cfg(test)]
mod tests;
