//! Masters that no candidate led to: the search for the file of a listener that an ssh holds.
//!
//! A master counts as an orphan only if its path means the same in its namespace as in ours, and the file there is
//! certainly not its own. Otherwise it is left out.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::unix_table::{UnixListener, UnixTable};
use super::{filesystem, process};
use crate::model::control_path::{ControlPath, stem_of_temporary};
use crate::model::ids::MasterPid;
use crate::model::observation::File;

/// A master that exits removes its file, waits for its ProxyCommand, and closes the listener last. So a file that is
/// missing since less than this time proves nothing.
const SETTLE_TIME: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    At(ControlPath, File),
    Lost {
        /// The path of the removed file.
        path: ControlPath,
        successor: bool,
        /// Whether the directory changed within [`SETTLE_TIME`].
        recent: bool,
    },
    /// The master is still starting, or its path cannot be resolved.
    Unknown,
}

/// Whether the listener has the temporary name of a master. ssh binds forwardings (`-L /PATH:…`) without a suffix.
pub(super) fn is_master(listener: &UnixListener) -> bool {
    let name = listener.name.file_name();
    name.is_some_and(|name| stem_of_temporary(name.as_bytes()).is_some())
}

pub(super) fn locate(
    table: &UnixTable,
    listener: &UnixListener,
    pid: MasterPid,
    now: SystemTime,
) -> Location {
    let is_its_file = |path: &ControlPath, file: &File| {
        let found = file.socket().and_then(|stat| table.listener_of(path, stat));
        found.is_some_and(|found| found.socket_inode == listener.socket_inode)
    };
    let Some((temporary, path)) = paths(listener, pid) else {
        return Location::Unknown;
    };
    let file = filesystem::lstat(path.as_path());
    if is_its_file(&path, &file) {
        return Location::At(path, file);
    }
    // Between listen and link only the temporary name exists.
    let is_starting = is_its_file(&temporary, &filesystem::lstat(temporary.as_path()));
    // The directory of a relative name may have changed.
    if is_starting || listener.name.is_relative() || !process::shares_our_files(pid) {
        return Location::Unknown;
    }
    let successor = match file {
        File::Socket(_) => true,
        File::Missing | File::Other(..) => false,
        File::Denied | File::Failed(_) => return Location::Unknown,
    };
    lost(path, successor, now)
}

pub(super) fn lost(path: ControlPath, successor: bool, now: SystemTime) -> Location {
    let recent = was_changed_since(path.directory(), now.checked_sub(SETTLE_TIME));
    Location::Lost {
        path,
        successor,
        recent,
    }
}

/// The temporary name and the ControlPath, both absolute.
fn paths(listener: &UnixListener, pid: MasterPid) -> Option<(ControlPath, ControlPath)> {
    let temporary = if listener.name.is_absolute() {
        ControlPath::new(&listener.name)?
    } else {
        if !process::shares_our_files(pid) {
            return None;
        }
        let directory = fs::read_link(process::directory(pid).join("cwd")).ok()?;
        ControlPath::new(directory.join(&listener.name))?
    };
    let path = temporary.without_temporary_suffix()?;
    Some((temporary, path))
}

/// Whether a name was added or removed in the directory since then; `true` if that is unknown.
fn was_changed_since(directory: &Path, then: Option<SystemTime>) -> bool {
    let metadata = directory.metadata();
    let modified = metadata.and_then(|metadata| metadata.modified()).ok();
    modified
        .zip(then)
        .is_none_or(|(modified, then)| modified >= then)
}
