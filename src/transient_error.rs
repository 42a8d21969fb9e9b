//! System errors that a later attempt may not meet. After one, nothing is proven and nothing is remembered.

use std::io;

use nix::errno::Errno;

/// Whether descriptors, processes, memory or buffers have run out, or a program file is being written.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    errno.is_some_and(|errno| {
        matches!(
            errno,
            Errno::EMFILE
                | Errno::ENFILE
                | Errno::ENOMEM
                | Errno::ENOBUFS
                | Errno::EAGAIN
                | Errno::ETXTBSY
        )
    })
}
