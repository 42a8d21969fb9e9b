//! The connections by which this process keeps masters open. They are no sessions, unlike those of its requests, which
//! subtract themselves.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};

use nix::sys::stat::fstat;

/// By sockfs inode. Global, because scans and requests of all threads have to tell these connections from sessions.
static KEPT: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A connection that is no session. Drop it before the connection is closed: the inode is reused.
#[derive(Debug)]
pub(crate) struct KeptConnection(u32);

impl KeptConnection {
    pub(crate) fn new(socket: impl AsFd) -> io::Result<Self> {
        let inode = u32::try_from(fstat(socket)?.st_ino).map_err(io::Error::other)?;
        lock(|kept| kept.insert(inode));
        Ok(Self(inode))
    }
}

impl Drop for KeptConnection {
    fn drop(&mut self) {
        lock(|kept| kept.remove(&self.0));
    }
}

pub(super) fn is_kept(socket_inode: u32) -> bool {
    lock(|kept| kept.contains(&socket_inode))
}

fn lock(work: impl FnOnce(&mut BTreeSet<u32>) -> bool) -> bool {
    work(&mut KEPT.lock().unwrap_or_else(PoisonError::into_inner))
}
