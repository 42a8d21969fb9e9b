//! What the system refuses for the moment only: which errors say that something has run out, and what to do.
//!
//! Where such an error stands in the way, nothing is proven and nothing is remembered: the next time may go well.

use std::io;

use nix::errno::Errno;
use tr::tr;

/// Whether it says that descriptors, processes, memory or buffers have run out, or that a program is just being
/// written: trying again can help, and nothing is known meanwhile.
pub(crate) fn is_one(error: &io::Error) -> bool {
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

/// The error of a file that could not be written, with the way out where one is known.
pub(crate) fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            tr!("{error}; make room there and try again", error)
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_run_out_is_told_from_what_is_so() {
        for (errno, expected) in [
            (Errno::EMFILE, true),
            (Errno::EAGAIN, true),
            (Errno::ENOENT, false),
            (Errno::EACCES, false),
            (Errno::EIO, false),
        ] {
            assert_eq!(is_one(&errno.into()), expected, "{errno}");
        }
        assert!(!is_one(&io::ErrorKind::WouldBlock.into()));
    }

    #[test]
    fn a_full_disk_comes_with_the_way_out() {
        for errno in [Errno::ENOSPC, Errno::EDQUOT] {
            let said = told(&errno.into());
            assert!(said.ends_with("; make room there and try again"), "{said}");
        }
        assert!(!told(&Errno::EACCES.into()).contains("room"));
    }
}
