//! Files that muxtray keeps for itself (a cache, a memory): not the user's to edit, and no loss when they are gone.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::{atomic_write, privilege};

/// What is in the file; `None` for every reason there can be, one of them that the user `uid` does not own it alone or
/// that it is longer than `max_bytes`.
#[must_use]
pub fn load(path: &Path, uid: u32, max_bytes: u64) -> Option<Vec<u8>> {
    let file = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    let stat = file.metadata().ok()?;
    let is_ours = stat.is_file() && stat.uid() == uid && stat.mode() & 0o022 == 0;
    if !is_ours || stat.len() > max_bytes {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(stat.len()).ok()? + 1);
    file.take(max_bytes).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Puts this into the file, whole or not at all, readable to its owner only; makes its directory.
///
/// # Errors
/// The system calls' own, and those of `privilege::check_new_file`. The file is as it was then.
pub fn store(path: &Path, bytes: &[u8]) -> io::Result<()> {
    privilege::check_new_file(path)?;
    let temporary = atomic_write::beside(path)?;
    if let Some(directory) = path.parent() {
        atomic_write::make_directory(directory)?;
    }
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}
