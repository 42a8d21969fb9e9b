//! Removes a socket without a listener, and never one that has a listener by the time it is removed.
//!
//! A check followed by unlink(2) could remove the socket of a master that started in between. So: judge the file; rename
//! it to a name of muxtray's in the same directory, never over another file; judge the renamed file; unlink it if it is
//! the same one and still refuses connections; otherwise rename it back, again never over another file. If muxtray is
//! killed in between, the file keeps muxtray's name until that is cleaned.
//!
//! The judged file stays open as a [`HeldSocket`], so its inode cannot be reused for another file, and the directory is
//! locked, so no other muxtray changes the temporary name between the judgement and unlink(2).

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use tr::tr;

use super::error::ActionError;
use super::held_directory::HeldDirectory;
use super::held_socket::{HeldSocket, HoldError};
use super::kernel::Kernel;
use crate::diagnose::LEFTOVER_AFTER;
use crate::model::control_path::{ASIDE_PREFIX, ControlPath};
use crate::model::socket::{Connect, Filesystem, Target};

const LOCK_LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, PartialEq, Eq)]
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

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Removed => tr!("removed"),
            Self::PutBack(path) => tr!("may be in use; renamed back to {path}", path),
        })
    }
}

/// Removes a socket that is proven stale, or settles the file of an interrupted clean, which has the name
/// `.muxtray-aside.NAME`.
///
/// The age of a starting master's temporary name is measured against `now`. Waits at most a second for another muxtray in
/// the same directory. With [`HoldError::Missing`] the file is gone already.
pub fn clean(
    kernel: &impl Kernel,
    target: &Target,
    now: SystemTime,
) -> Result<Cleaned, ActionError> {
    clean_with_hook(kernel, target, now, &|step| {
        tracing::trace!(path = %target.path, ?step, "clean");
    })
}

pub fn clean_with_hook(
    kernel: &impl Kernel,
    target: &Target,
    now: SystemTime,
    on_step: &dyn Fn(CleanStep),
) -> Result<Cleaned, ActionError> {
    let removal = Removal::new(kernel, target, now, on_step)?;
    // Locked before the file is judged, so that it cannot change during the wait, and so that a file under muxtray's
    // name is not one of a clean in progress.
    let locked = removal.directory.lock(LOCK_LIMIT);
    locked.map_err(|errno| match errno {
        Errno::EWOULDBLOCK => ActionError::Busy,
        other => failed(&tr!("lock its directory"), other),
    })?;
    let socket = removal.hold()?;
    let proof = removal.prove_unused(&socket);
    if !removal.is_aside {
        proof?;
        on_step(CleanStep::Judged);
        removal.remove(&socket)?;
    } else if let Err(cause) = proof {
        tracing::debug!(path = %target.path, ?cause, "put back");
        removal.put_back()?;
        return Ok(Cleaned::PutBack(removal.original));
    } else {
        removal.unlink()?;
    }
    Ok(Cleaned::Removed)
}

/// The expected result of [`clean`], by the same judgement and without a change.
pub fn would_clean(
    kernel: &impl Kernel,
    target: &Target,
    now: SystemTime,
) -> Result<Cleaned, ActionError> {
    let removal = Removal::new(kernel, target, now, &|_| {})?;
    let directory = &removal.directory;
    let proof = removal.prove_unused(&removal.hold()?);
    if !removal.is_aside {
        proof.clone()?;
        if directory.has(name(&removal.aside)) {
            return Err(ActionError::AsideTaken(removal.aside));
        }
    } else if proof.is_err() && directory.has(name(&removal.original)) {
        return Err(ActionError::LeftAside(removal.aside));
    }
    directory.check_writable().map_err(directory_error)?;
    Ok(match proof {
        Ok(()) => Cleaned::Removed,
        Err(_) => Cleaned::PutBack(removal.original),
    })
}

struct Removal<'a, K> {
    kernel: &'a K,
    target: &'a Target,
    on_step: &'a dyn Fn(CleanStep),
    directory: HeldDirectory,
    original: ControlPath,
    aside: ControlPath,
    /// Whether the target is the temporary path. A file that was renamed once is never renamed again.
    is_aside: bool,
    /// A starting master's temporary name modified after this may be a start in progress. `None` for other names.
    young_since: Option<SystemTime>,
}

impl<'a, K: Kernel> Removal<'a, K> {
    fn new(
        kernel: &'a K,
        target: &'a Target,
        now: SystemTime,
        on_step: &'a dyn Fn(CleanStep),
    ) -> Result<Self, ActionError> {
        let path = &target.path;
        let renamed_from = path.without_aside_prefix();
        let is_aside = renamed_from.is_some();
        let original = renamed_from.unwrap_or_else(|| path.clone());
        let aside = [ASIDE_PREFIX.as_bytes(), original.name()].concat();
        // If the clock is within a minute of the epoch, every file counts as young.
        let limit = now.checked_sub(LEFTOVER_AFTER);
        let limit = limit.unwrap_or(SystemTime::UNIX_EPOCH);
        let is_temporary = original.without_temporary_suffix().is_some();
        let directory = HeldDirectory::open(path.directory()).map_err(|errno| match errno {
            Errno::ENOENT | Errno::ENOTDIR => HoldError::Missing.into(),
            other => directory_error(other),
        })?;
        match kernel.filesystem(path.directory()) {
            Filesystem::Local => {}
            Filesystem::Network(filesystem) => {
                return Err(ActionError::Refused(tr!(
                    "not removed: on a network filesystem ({filesystem}), where another machine may listen",
                    filesystem
                )));
            }
            Filesystem::Unknown => {
                let message = tr!("not removed: its filesystem type cannot be read");
                return Err(ActionError::Refused(message));
            }
        }
        Ok(Self {
            kernel,
            target,
            on_step,
            directory,
            aside: ControlPath::in_directory(path.directory(), OsStr::from_bytes(&aside)),
            original,
            is_aside,
            young_since: is_temporary.then_some(limit),
        })
    }

    fn hold(&self) -> Result<HeldSocket, HoldError> {
        match self.target.id {
            None if !self.is_aside => Err(HoldError::Missing),
            id => {
                let socket = self.directory.socket(name(&self.target.path))?;
                if id.is_some_and(|id| id != socket.stat.id) {
                    return Err(HoldError::Changed);
                }
                Ok(socket)
            }
        }
    }

    /// Proves that no process listens on the file or is about to. The kernel's table comes first: connecting to a
    /// master restarts its ControlPersist.
    fn prove_unused(&self, socket: &HeldSocket) -> Result<(), ActionError> {
        let modified = socket.stat.modified;
        if self.young_since.is_some_and(|limit| modified > limit) {
            return Err(ActionError::TooYoung);
        }
        if self.kernel.has_listener(&self.original, &socket.stat) {
            return Err(ActionError::Live);
        }
        let cause = match self.kernel.connect(&socket.file) {
            Connect::Refused => return Ok(()),
            Connect::Accepted | Connect::Full => return Err(ActionError::Live),
            Connect::Denied => tr!("permission denied on connect"),
            Connect::Failed(text) => text,
        };
        let message = tr!("not removed, not proven stale: {cause}", cause);
        Err(ActionError::Refused(message))
    }

    /// Renames the file that has the original name now, and unlinks it if it is the judged one.
    fn remove(&self, judged: &HeldSocket) -> Result<(), ActionError> {
        let renamed = (self.directory).rename(name(&self.original), name(&self.aside));
        renamed.map_err(|errno| match errno {
            Errno::ENOENT => HoldError::Missing.into(),
            Errno::EEXIST => ActionError::AsideTaken(self.aside.clone()),
            // Without `RENAME_NOREPLACE` a file cannot be put back safely.
            Errno::EINVAL | Errno::ENOSYS => ActionError::Failed(tr!(
                "cannot be removed safely: the filesystem does not support RENAME_NOREPLACE; the next ssh removes it, or remove it with rm"
            )),
            Errno::ENAMETOOLONG => ActionError::Failed(tr!(
                "cannot be removed: its temporary name would be too long; remove it with rm"
            )),
            other => directory_error(other),
        })?;
        (self.on_step)(CleanStep::Renamed);
        let removed = match self.directory.socket(name(&self.aside)) {
            // Another program has removed muxtray's name: there is nothing left to put back.
            Err(HoldError::Missing) => return Err(HoldError::Missing.into()),
            Err(error) => Err(error.into()),
            Ok(renamed) if !renamed.stat.id.same_file(&judged.stat.id) => {
                Err(HoldError::Changed.into())
            }
            Ok(renamed) => self.prove_unused(&renamed).and_then(|()| self.unlink()),
        };
        if removed.is_err() {
            self.put_back()?;
        }
        removed
    }

    fn unlink(&self) -> Result<(), ActionError> {
        (self.on_step)(CleanStep::Removing);
        match self.directory.unlink(name(&self.aside)) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(directory_error(errno)),
        }
    }

    fn put_back(&self) -> Result<(), ActionError> {
        (self.on_step)(CleanStep::PuttingBack);
        let renamed = (self.directory).rename(name(&self.aside), name(&self.original));
        renamed.map_err(|errno| match errno {
            Errno::EEXIST => ActionError::LeftAside(self.aside.clone()),
            other => directory_error(other),
        })?;
        (self.on_step)(CleanStep::PutBack);
        Ok(())
    }
}

fn name(path: &ControlPath) -> &Path {
    Path::new(OsStr::from_bytes(path.name()))
}

fn directory_error(errno: Errno) -> ActionError {
    match errno {
        Errno::EACCES | Errno::EPERM => {
            ActionError::Failed(tr!("cannot be removed: permission denied on its directory"))
        }
        Errno::EROFS => ActionError::Failed(tr!("cannot be removed: read-only filesystem")),
        other => failed(&tr!("change a name in its directory"), other),
    }
}

fn failed(doing: &str, errno: Errno) -> ActionError {
    let cause = errno.desc();
    ActionError::Failed(tr!("cannot be removed: {doing}: {cause}", doing, cause))
}

#[cfg(test)]
mod tests;
