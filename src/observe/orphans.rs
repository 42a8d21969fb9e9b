//! The user's masters that no candidate led to: where is the file of a listener that an ssh holds?
//!
//! It is conservative: a master is an orphan only where its path means the same to it as to us and certainly is not
//! its file. What is in doubt is left out.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::unix_table::{UnixListener, UnixTable};
use super::{filesystem, process};
use crate::model::control_path::ControlPath;
use crate::model::socket::{File, MasterPid};

/// How long a directory must have been left alone for what is missing in it to be missing for good.
const SETTLED: Duration = Duration::from_secs(2);

/// Where the file of a master's listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// At this path.
    At(ControlPath, File),
    /// Not where it was bound for.
    Lost {
        /// Where it was bound for.
        path: ControlPath,
        /// Whether another socket stands there.
        successor: bool,
        /// Whether that can just have happened, as when a master ends: it removes its file, then waits for its
        /// ProxyCommand, and closes the listener last.
        recent: bool,
    },
    /// Still starting, or not to be told.
    Unclear,
}

/// Whether the listener's name is that of a master: it ends like a temporary name. Forwardings of ssh
/// (`-L /PATH:…`) are bound under their own name.
pub(super) fn is_master(listener: &UnixListener) -> bool {
    let Some(name) = listener.name.file_name() else {
        return false;
    };
    ControlPath::new(Path::new("/").join(name))
        .is_some_and(|name| name.without_temporary_suffix().is_some())
}

/// Looks for the file of a listener that this ssh holds.
pub(super) fn whereabouts(
    table: &UnixTable,
    listener: &UnixListener,
    pid: MasterPid,
    now: SystemTime,
) -> Whereabouts {
    let is_its_file = |path: &ControlPath, file: &File| match file {
        File::Socket(stat) => table
            .listener_of(path, stat)
            .is_some_and(|found| found.socket_inode == listener.socket_inode),
        File::Other(..) | File::Missing | File::Denied | File::Failed(_) => false,
    };
    let Some((bound, path)) = names(listener, pid) else {
        return Whereabouts::Unclear;
    };
    let file = filesystem::lstat(path.as_path());
    if is_its_file(&path, &file) {
        return Whereabouts::At(path, file);
    }
    // Between listen and link a master has its temporary name only.
    let starting = is_its_file(&bound, &filesystem::lstat(bound.as_path()));
    // The directory of a relative name may be another by now.
    if starting || listener.name.is_relative() || !process::shares_our_files(pid) {
        return Whereabouts::Unclear;
    }
    let successor = match file {
        File::Socket(_) => true,
        File::Missing | File::Other(..) => false,
        File::Denied | File::Failed(_) => return Whereabouts::Unclear,
    };
    let recent = was_changed_since(path.directory(), now.checked_sub(SETTLED));
    Whereabouts::Lost {
        path,
        successor,
        recent,
    }
}

/// The temporary name and the ControlPath, both absolute.
fn names(listener: &UnixListener, pid: MasterPid) -> Option<(ControlPath, ControlPath)> {
    let bound = if listener.name.is_absolute() {
        ControlPath::new(&listener.name)?
    } else {
        if !process::shares_our_files(pid) {
            return None;
        }
        let directory = fs::read_link(process::directory(pid).join("cwd")).ok()?;
        ControlPath::new(directory.join(&listener.name))?
    };
    let path = bound.without_temporary_suffix()?;
    Some((bound, path))
}

/// Whether a name was made or removed in the directory since then; `true` where that cannot be told.
fn was_changed_since(directory: &Path, then: Option<SystemTime>) -> bool {
    let modified = directory
        .metadata()
        .and_then(|metadata| metadata.modified());
    match (modified, then) {
        (Ok(modified), Some(then)) => modified >= then,
        (Err(_), _) | (_, None) => true,
    }
}
