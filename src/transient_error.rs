//! System errors that a later attempt may not meet. After one, nothing is proven and nothing is remembered.

use std::io;

use nix::errno::Errno;

/// Whether descriptors, processes, memory or buffers have run out, or a program file is being written.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    use Errno::{EAGAIN, EMFILE, ENFILE, ENOBUFS, ENOMEM, ETXTBSY};
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(EMFILE | ENFILE | ENOMEM | ENOBUFS | EAGAIN | ETXTBSY)
    )
}
