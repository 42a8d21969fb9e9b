//! What this process may do beyond its user's own, and what it does not do with it.
//!
//! muxtray needs no privilege. With one that its caller lacks it refuses to run; as root it warns, and leaves no file of
//! root's in anybody's home. What it writes itself is private by the mode that each file is made with, not by the umask:
//! that would reach the masters and editors that it starts, which are the user's.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{geteuid, getresgid, getresuid};

use crate::model::text;

/// AT_SECURE, see getauxval(3): the kernel gave the program something that its caller does not have.
const AT_SECURE: u64 = 23;

/// The program is set-user-ID, set-group-ID or has file capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "muxtray was given rights that its caller does not have (set-user-ID, set-group-ID or file capabilities) and refuses \
     to run with them; take them off its file: chmod ug-s FILE, setcap -r FILE"
)]
pub struct Elevated;

/// Refuses to go on with more rights than the caller has. To be called before anything of the caller's is read.
///
/// # Errors
/// [`Elevated`].
pub fn refuse_elevation() -> Result<(), Elevated> {
    // Neither call fails, see getresuid(2).
    let differs = getresuid().is_ok_and(|ids| ids.real != ids.effective || ids.real != ids.saved)
        || getresgid().is_ok_and(|ids| ids.real != ids.effective || ids.real != ids.saved);
    if differs || fs::read("/proc/self/auxv").is_ok_and(|vector| is_secure(&vector)) {
        return Err(Elevated);
    }
    Ok(())
}

/// Whether AT_SECURE is set in an auxiliary vector: pairs of machine words, see proc_pid_auxv(5).
fn is_secure(vector: &[u8]) -> bool {
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| {
        let mut padded = [0; 8];
        let start = if cfg!(target_endian = "big") {
            padded.len() - WORD
        } else {
            0
        };
        padded[start..start + WORD].copy_from_slice(bytes);
        u64::from_ne_bytes(padded)
    };
    vector
        .chunks_exact(2 * WORD)
        .any(|pair| word(&pair[..WORD]) == AT_SECURE && word(&pair[WORD..]) != 0)
}

/// Says once, in the log, what being root means for what is shown.
pub fn warn_root() {
    if geteuid().is_root() {
        tracing::warn!(
            "running as root: only root's own masters and ssh configuration are shown; run muxtray as the user whose \
             masters you want to see"
        );
    }
}

/// Refuses to leave a file of root's in another user's directory, as `sudo` with the caller's HOME would: that user
/// could not change it any more. `file` need not be there, nor its directory.
///
/// # Errors
/// One that says whose directory it is.
pub(crate) fn check_new_file(file: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let nearest = file.ancestors().skip(1).find_map(|directory| {
        let found = fs::metadata(directory).ok()?;
        Some((directory, found))
    });
    match nearest {
        Some((directory, found)) if found.uid() != 0 => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "{} is not root's, and a file of root's is in its owner's way there; run muxtray as user {}, or with \
                 root's own HOME",
                text::path(directory),
                found.uid()
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::skip;

    fn vector(pairs: &[(usize, usize)]) -> Vec<u8> {
        pairs
            .iter()
            .flat_map(|(kind, value)| [kind.to_ne_bytes(), value.to_ne_bytes()].concat())
            .collect()
    }

    #[test]
    fn an_auxiliary_vector_tells_what_is_secure() {
        assert!(is_secure(&vector(&[(6, 4096), (23, 1), (0, 0)])));
        assert!(!is_secure(&vector(&[(6, 4096), (23, 0), (0, 0)])));
        assert!(!is_secure(&vector(&[(6, 23), (9, 1)])));
        assert!(!is_secure(&vector(&[(23, 1)])[1..]));
        assert!(!is_secure(&[]));
    }

    #[test]
    fn the_tests_have_no_right_that_their_caller_lacks() {
        assert_eq!(refuse_elevation(), Ok(()));
    }

    #[test]
    fn root_leaves_no_file_in_the_directory_of_another() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("not/there/yet");
        check_new_file(&file).unwrap();
        if !geteuid().is_root() {
            return skip(
                "root_leaves_no_file_in_the_directory_of_another",
                "these tests do not run as root",
            );
        }
        std::os::unix::fs::chown(home.path(), Some(65534), None).unwrap();
        let error = check_new_file(&file).unwrap_err();
        assert!(error.to_string().contains("65534"), "{error}");
    }
}
