//! Privileges. muxtray needs none: it refuses to run with rights that its caller lacks. As root it warns, and creates no
//! file owned by root in another user's directory.
//!
//! Files are private through the mode they are created with, not through the umask, which the masters and editors that
//! muxtray starts would inherit.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{geteuid, getresgid, getresuid};

use crate::model::text;

/// Set by the kernel if the program got rights that its caller does not have; see getauxval(3).
const AT_SECURE: usize = 23;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "refusing to run with rights that the caller does not have (set-user-ID, set-group-ID or file capabilities); remove \
     them from the program file: chmod ug-s FILE; setcap -r FILE"
)]
pub struct Elevated;

/// Returns an error if the process has more rights than its caller. Call it before reading anything of the caller's.
pub fn refuse_elevation() -> Result<(), Elevated> {
    // Neither call fails; see getresuid(2).
    let differs = getresuid().is_ok_and(|ids| ids.real != ids.effective || ids.real != ids.saved)
        || getresgid().is_ok_and(|ids| ids.real != ids.effective || ids.real != ids.saved);
    if differs || fs::read("/proc/self/auxv").is_ok_and(|vector| is_secure(&vector)) {
        return Err(Elevated);
    }
    Ok(())
}

/// Whether AT_SECURE is set in an auxiliary vector, pairs of machine words; see proc_pid_auxv(5).
fn is_secure(vector: &[u8]) -> bool {
    const WORD: usize = size_of::<usize>();
    let is_word = |bytes: &[u8], word: usize| bytes == word.to_ne_bytes();
    vector
        .chunks_exact(2 * WORD)
        .any(|pair| is_word(&pair[..WORD], AT_SECURE) && !is_word(&pair[WORD..], 0))
}

pub fn warn_root() {
    if geteuid().is_root() {
        tracing::warn!(
            "running as root: only root's masters and ssh configuration are shown; run muxtray as the user whose masters \
             you want to see"
        );
    }
}

/// Returns an error if root is about to create this file in another user's directory, as under `sudo` with the caller's
/// HOME: that user could not change it. Neither the file nor its directory need exist.
pub(crate) fn check_new_file(file: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let mut directories = file.ancestors().skip(1);
    let nearest =
        directories.find_map(|directory| Some((directory, fs::metadata(directory).ok()?.uid())));
    match nearest {
        Some((directory, uid)) if uid != 0 => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "{} belongs to user {uid}, who could not change a file of root's there; run muxtray as that user, or with \
                 root's HOME",
                text::path(directory)
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
    fn finds_at_secure_in_auxiliary_vector() {
        assert!(is_secure(&vector(&[(6, 4096), (23, 1), (0, 0)])));
        assert!(!is_secure(&vector(&[(6, 4096), (23, 0), (0, 0)])));
        assert!(!is_secure(&vector(&[(6, 23), (9, 1)])));
        assert!(!is_secure(&vector(&[(23, 1)])[1..]));
        assert!(!is_secure(&[]));
    }

    #[test]
    fn test_process_is_not_elevated() {
        assert_eq!(refuse_elevation(), Ok(()));
    }

    #[test]
    fn root_creates_no_file_in_directory_of_other_user() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("not/there/yet");
        check_new_file(&file).unwrap();
        if !geteuid().is_root() {
            let test = "root_creates_no_file_in_directory_of_other_user";
            return skip(test, "these tests do not run as root");
        }
        std::os::unix::fs::chown(home.path(), Some(65534), None).unwrap();
        let error = check_new_file(&file).unwrap_err();
        assert!(error.to_string().contains("65534"), "{error}");
    }
}
