//! The listening unix sockets of other network namespaces, in which the user has processes (VPNs, containers).
//!
//! A path can be connected to from every network namespace, but the kernel's table has only the sockets of its own.
//! `/proc/PID/net/unix` is the table of that process' namespace, and readable without privilege.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::unix_table::UnixListener;
use super::{filesystem, proc_net_unix, process};
use crate::model::control_path::ControlPath;
use crate::model::ids::UserId;
use crate::model::observation::{File, Stat};

#[derive(Debug, Default)]
pub(super) struct OtherNamespaces {
    listeners: Vec<UnixListener>,
    /// By device and inode of the file at the listener's path, as its process sees it.
    by_file: HashMap<(u64, u64), usize>,
    /// By path, if the files of the process cannot be read: its user namespace may be another.
    by_path: HashMap<ControlPath, usize>,
}

impl OtherNamespaces {
    /// Reads each namespace once. Costs some system calls for each process of the user.
    pub(super) fn read(uid: UserId) -> Self {
        let mut all = Self::default();
        let Some(own) = namespace(Path::new("/proc/self")) else {
            return all;
        };
        let mut seen = HashSet::from([own]);
        for pid in process::of_user(uid) {
            let process = process::directory(pid);
            if let Some(namespace) = namespace(&process)
                && !seen.contains(&namespace)
                && all.add(&process)
            {
                seen.insert(namespace);
            }
        }
        all
    }

    /// Returns false if the process has ended meanwhile, which hides files and table.
    fn add(&mut self, process: &Path) -> bool {
        let Ok(table) = proc_net_unix::read(&process.join("net/unix")) else {
            return false;
        };
        let root = process.join("root");
        for listener in table.listeners() {
            let Some(bound) = ControlPath::new(&listener.name) else {
                continue;
            };
            let path = bound.without_temporary_suffix().unwrap_or(bound);
            let below_root = path.as_path().strip_prefix("/").unwrap_or(path.as_path());
            let place = self.listeners.len();
            match filesystem::lstat(&root.join(below_root)) {
                File::Socket(stat) => drop(self.by_file.insert(file_key(&stat), place)),
                File::Denied => drop(self.by_path.insert(path, place)),
                File::Other(..) | File::Missing | File::Failed(_) => continue,
            }
            self.listeners.push(listener.clone());
        }
        namespace(process).is_some()
    }

    pub(super) fn listener_of(&self, path: &ControlPath, stat: &Stat) -> Option<&UnixListener> {
        let by_file = self.by_file.get(&file_key(stat));
        by_file
            .or_else(|| self.by_path.get(path))
            .map(|place| &self.listeners[*place])
    }
}

fn file_key(stat: &Stat) -> (u64, u64) {
    (stat.id.device, stat.id.inode)
}

/// Identifies the network namespace of a process: the kernel makes this file once for each. Unlike the link `ns/net`, it
/// can be examined from another user namespace.
fn namespace(process: &Path) -> Option<(u64, u64)> {
    let table: PathBuf = process.join("net/unix");
    let metadata = fs::metadata(table).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
