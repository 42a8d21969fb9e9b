//! Removing a socket that nobody listens on, without ever taking one that somebody does.
//!
//! A check and then an unlink would take a master that came in between. So: judge the file; rename it, within its
//! directory and never over another, to a name of ours; look at what was actually taken; unlink it if it is the file
//! that was judged and still refuses connections, and put anything else back, again never over another.
//! If this is cut short, the file stays behind under our name, and [`Kind::Aside`] puts it back or removes it.
//!
//! The judged file is held by a descriptor all the while ([`Held`]), so its inode cannot come back as another file;
//! and the directory is locked, so no other muxtray touches our name between the look and the unlink.

mod error;
mod names;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use tr::tr;

use super::Eyes;
use super::held::{Held, Unfit};
use super::held_directory::{Directory, LockError, LockedDirectory};
use crate::diagnose::LEFTOVER_AFTER;
use crate::model::control_path::ControlPath;
use crate::model::socket::{Connect, Filesystem, Target};
use crate::model::text::marked;
use crate::mux::deadline::Deadline;

pub use error::CleanError;
use names::{Names, Role};

/// How long to wait for another muxtray that cleans in the same directory.
const LOCK_LIMIT: Duration = Duration::from_secs(1);

/// What a file was judged to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A control socket nobody listens on.
    Stale,
    /// The temporary name of a start that broke off: only when older than [`LEFTOVER_AFTER`]. A name of that form is
    /// taken for one whatever the caller says.
    Leftover,
    /// A name that an earlier clean gave and did not live to settle: `.muxtray-aside.NAME`.
    Aside,
}

/// What became of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Cleaned {
    /// It is gone.
    Removed,
    /// It may be in use, and has its old name back: only for [`Kind::Aside`].
    PutBack(ControlPath),
}

/// Where a clean is at, for a witness. Between two of these, anything may happen to the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The file has been judged, and is about to be renamed.
    Judged,
    /// Something has been renamed, and is about to be looked at.
    Taken,
    /// It is what was judged, and about to be unlinked.
    Removing,
    /// It is not, and about to get its name back.
    PuttingBack,
    /// It has its name back.
    PutBack,
}

/// Removes a socket that is proven to be what `kind` says, or puts back what an earlier clean left aside.
///
/// `now` is the wall clock, against which a leftover's age is measured. Another muxtray in the same directory is
/// waited for, a second at most.
///
/// # Errors
/// [`CleanError`]: what stood in the way. A [`Unfit::Missing`] among them means that the file went away by itself.
pub fn clean(
    eyes: &impl Eyes,
    target: &Target,
    kind: Kind,
    now: SystemTime,
) -> Result<Cleaned, CleanError> {
    clean_witnessed(eyes, target, kind, now, &|step| {
        tracing::trace!(path = %target.path, ?step, "clean");
    })
}

/// Like [`clean`], telling a witness each [`Step`] as it is reached.
///
/// # Errors
/// Those of [`clean`].
pub fn clean_witnessed(
    eyes: &impl Eyes,
    target: &Target,
    kind: Kind,
    now: SystemTime,
    witness: &dyn Fn(Step),
) -> Result<Cleaned, CleanError> {
    let case = Case::of(eyes, target, kind, now)?;
    let directory = case.open()?;
    case.check_filesystem()?;
    // Before the look, so that the file has no time to become another while we wait. And without the lock, a file
    // that lies aside could be that of a clean under way.
    let directory = lock(directory)?;
    match case.names.role {
        Role::Home => {
            let judged = case.judge(&directory)?;
            witness(Step::Judged);
            case.remove(&directory, &judged, witness)?;
            Ok(Cleaned::Removed)
        }
        Role::Aside => {
            let held = case.meant(directory.hold(&case.names.aside)?)?;
            case.settle(&directory, &held, witness)
        }
    }
}

/// What [`clean`] would do, by the same judgement, changing nothing.
///
/// # Errors
/// Those of [`clean`], as far as they show beforehand.
pub fn would_clean(
    eyes: &impl Eyes,
    target: &Target,
    kind: Kind,
    now: SystemTime,
) -> Result<Cleaned, CleanError> {
    let case = Case::of(eyes, target, kind, now)?;
    let directory = case.open()?;
    case.check_filesystem()?;
    let outcome = match case.names.role {
        Role::Home => {
            case.judge(&directory)?;
            if directory.has(&case.names.aside) {
                return Err(case.aside_taken());
            }
            Cleaned::Removed
        }
        Role::Aside => {
            let held = case.meant(directory.hold(&case.names.aside)?)?;
            match case.condemn(&held) {
                Ok(()) => Cleaned::Removed,
                Err(_) if directory.has(&case.names.home) => return Err(case.left_aside()),
                Err(_) => Cleaned::PutBack(case.home_path()),
            }
        }
    };
    directory
        .check_writable()
        .map_err(CleanError::of_directory)?;
    Ok(outcome)
}

/// One clean: who looks, at what, when.
struct Case<'a, E> {
    eyes: &'a E,
    target: &'a Target,
    names: Names,
    /// Modified after this, a temporary name may be a start in progress.
    young_since: Option<SystemTime>,
}

impl<'a, E: Eyes> Case<'a, E> {
    fn of(
        eyes: &'a E,
        target: &'a Target,
        kind: Kind,
        now: SystemTime,
    ) -> Result<Self, CleanError> {
        let names = Names::of(&target.path, kind)?;
        // What lies aside was old enough when it was taken there, unless its own name says otherwise.
        let claimed = kind == Kind::Leftover && names.role == Role::Home;
        let may_be_starting = claimed || names.is_temporary();
        // A clock that cannot go back a minute makes everything young.
        let limit = now
            .checked_sub(LEFTOVER_AFTER)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Self {
            eyes,
            target,
            names,
            young_since: may_be_starting.then_some(limit),
        })
    }

    fn home_path(&self) -> ControlPath {
        match self.names.role {
            Role::Home => self.target.path.clone(),
            Role::Aside => self
                .target
                .path
                .without_aside_prefix()
                .unwrap_or_else(|| self.target.path.clone()),
        }
    }

    fn open(&self) -> Result<Directory, CleanError> {
        Directory::open(self.target.path.directory()).map_err(|errno| match errno {
            Errno::ENOENT | Errno::ENOTDIR => Unfit::Missing.into(),
            other => CleanError::of_directory(other),
        })
    }

    /// The file under its own name, if it may be removed.
    fn judge(&self, directory: &Directory) -> Result<Held, CleanError> {
        if self.target.id.is_none() {
            return Err(Unfit::Missing.into());
        }
        let held = self.meant(directory.hold(&self.names.home)?)?;
        self.condemn(&held)?;
        Ok(held)
    }

    /// The same, if it is the file that the target names.
    fn meant(&self, held: Held) -> Result<Held, Unfit> {
        match self.target.id {
            Some(id) if id != held.stat().id => Err(Unfit::Changed),
            Some(_) | None => Ok(held),
        }
    }

    fn check_filesystem(&self) -> Result<(), CleanError> {
        match self.eyes.filesystem(self.target.path.directory()) {
            Filesystem::Local => Ok(()),
            Filesystem::Network(name) => Err(CleanError::NetworkFilesystem(name)),
            Filesystem::Unknown => Err(CleanError::UnknownFilesystem),
        }
    }

    /// Whether it is proven that nobody uses the file or is about to. The table is asked first: connecting to a
    /// master makes its ControlPersist start afresh.
    fn condemn(&self, held: &Held) -> Result<(), CleanError> {
        let stat = held.stat();
        if self.young_since.is_some_and(|limit| stat.modified > limit) {
            return Err(CleanError::TooYoung);
        }
        if self.eyes.is_listened(&self.home_path(), stat) {
            return Err(CleanError::Live);
        }
        match self.eyes.probe(held.file()) {
            Connect::Refused => Ok(()),
            Connect::Accepted | Connect::Full => Err(CleanError::Live),
            Connect::Denied => Err(CleanError::Unproven(tr!("permission denied on connect"))),
            Connect::Failed(text) => Err(CleanError::Unproven(text)),
        }
    }

    /// Takes aside what stands there now, and removes it if it is what was judged.
    fn remove(
        &self,
        directory: &LockedDirectory,
        judged: &Held,
        witness: &dyn Fn(Step),
    ) -> Result<(), CleanError> {
        let Names { home, aside, .. } = &self.names;
        directory.rename(home, aside).map_err(|errno| match errno {
            Errno::ENOENT => Unfit::Missing.into(),
            Errno::EEXIST => self.aside_taken(),
            Errno::EINVAL | Errno::ENOSYS => CleanError::RenameUnsupported,
            Errno::ENAMETOOLONG => CleanError::NameTooLong,
            other => CleanError::of_directory(other),
        })?;
        witness(Step::Taken);
        let verdict = match directory.hold(aside) {
            // Only its name has changed; whoever else removed our name meant it.
            Err(Unfit::Missing) => return Err(Unfit::Missing.into()),
            Err(unfit) => Err(CleanError::from(unfit)),
            Ok(taken) if !taken.is_same(judged) => Err(Unfit::Changed.into()),
            Ok(taken) => self.condemn(&taken),
        };
        let cause = match verdict {
            Ok(()) => {
                witness(Step::Removing);
                match directory.unlink(aside) {
                    Ok(()) | Err(Errno::ENOENT) => return Ok(()),
                    Err(errno) => CleanError::of_directory(errno),
                }
            }
            Err(cause) => cause,
        };
        self.put_back(directory, witness)?;
        Err(cause)
    }

    /// Decides over a file that lies aside since an earlier clean.
    fn settle(
        &self,
        directory: &LockedDirectory,
        held: &Held,
        witness: &dyn Fn(Step),
    ) -> Result<Cleaned, CleanError> {
        match self.condemn(held) {
            Ok(()) => {
                witness(Step::Removing);
                match directory.unlink(&self.names.aside) {
                    Ok(()) | Err(Errno::ENOENT) => Ok(Cleaned::Removed),
                    Err(errno) => Err(CleanError::of_directory(errno)),
                }
            }
            Err(cause) => {
                tracing::debug!(path = %self.target.path, ?cause, "put back");
                self.put_back(directory, witness)?;
                Ok(Cleaned::PutBack(self.home_path()))
            }
        }
    }

    fn put_back(
        &self,
        directory: &LockedDirectory,
        witness: &dyn Fn(Step),
    ) -> Result<(), CleanError> {
        witness(Step::PuttingBack);
        directory
            .rename(&self.names.aside, &self.names.home)
            .map_err(|errno| match errno {
                Errno::EEXIST => self.left_aside(),
                other => CleanError::of_directory(other),
            })?;
        witness(Step::PutBack);
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

fn lock(directory: Directory) -> Result<LockedDirectory, CleanError> {
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
