//! The unprivileged user that ssh, sshd and muxtray run as.
//!
//! Tests that run as root create one system user and start every process as that user. Other tests keep their user, and
//! skip the cases that need root.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Uid, User as SystemUser};

/// The name of the user that root creates.
const NAME: &str = "muxtray-test";

/// A user id other than root and the tests' user.
pub(crate) const NOBODY: u32 = 65534;

/// The user of the tests' masters.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// True if the tests run as root and switch to this user.
    become_it: bool,
}

impl User {
    /// Returns the user of this test run; created on first use if the tests run as root.
    pub(crate) fn get() -> &'static Self {
        static USER: OnceLock<User> = OnceLock::new();
        USER.get_or_init(|| {
            // Files have the same modes under any umask of the developer; started programs inherit this
            // one. A test of another umask starts its program under it.
            umask(Mode::from_bits_truncate(0o022));
            let become_it = Uid::effective().is_root();
            let user = if become_it {
                made_by_root()
            } else {
                SystemUser::from_uid(Uid::effective())
                    .unwrap()
                    .expect("the user who runs the tests has an entry in the password file")
            };
            Self {
                name: user.name,
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
                become_it,
            }
        })
    }

    /// Returns true if the tests can change owners and make namespaces.
    pub(crate) fn tests_are_root() -> bool {
        Self::get().become_it
    }

    /// A command that runs as this user with an empty environment.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        if self.become_it {
            // The standard library drops root's supplementary groups when it sets a user id.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Returns true if this user can run the program at its path: everybody may enter every directory above it.
    pub(crate) fn can_reach(&self, program: &Path) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        !self.become_it
            || program
                .ancestors()
                .all(|part| part.metadata().is_ok_and(|meta| meta.mode() & 0o001 != 0))
    }

    /// Gives a file to this user, without following a symlink.
    pub(crate) fn own(&self, path: &Path) {
        if self.become_it {
            std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid)).unwrap();
        }
    }
}

/// Looks up the user, or creates it. Several test programs may do so at the same time.
fn made_by_root() -> SystemUser {
    let lock = File::create("/run/muxtray-test.lock").unwrap();
    let _lock =
        Flock::lock(lock, FlockArg::LockExclusive).expect("an exclusive lock on a file of our own");
    if let Some(user) = SystemUser::from_name(NAME).unwrap() {
        return user;
    }
    // A password of `*` matches nothing but does not lock the account: sshd refuses locked ones.
    let status = Command::new("useradd")
        .args(["--system", "--user-group", "--no-create-home"])
        .args([
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/bin/sh",
            "--password",
            "*",
        ])
        .arg(NAME)
        .status()
        .expect("useradd can be started");
    assert!(status.success(), "useradd {NAME}: {status}");
    SystemUser::from_name(NAME)
        .unwrap()
        .expect("useradd has just made this user")
}
