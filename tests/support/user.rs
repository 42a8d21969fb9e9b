//! The unprivileged user that ssh, sshd and muxtray run as.
//!
//! Started by root, the tests make a system user of their own once and become it for every process they start.
//! Started by anybody else, they stay who they are, and what needs root is skipped by name.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Uid, User as SystemUser};

/// The name of the user that root makes.
const NAME: &str = "muxtray-test";

/// A user id that is neither root nor the tests' own.
pub(crate) const NOBODY: u32 = 65534;

/// The user whose masters the tests watch.
#[derive(Debug)]
pub(crate) struct User {
    /// The login name.
    pub(crate) name: String,
    /// The user id.
    pub(crate) uid: u32,
    /// The primary group's id.
    pub(crate) gid: u32,
    /// Whether the tests run as root and have to become this user.
    become_it: bool,
}

impl User {
    /// The one user of this test run, made on first use where the tests run as root.
    pub(crate) fn get() -> &'static Self {
        static USER: OnceLock<User> = OnceLock::new();
        USER.get_or_init(|| {
            // Fixtures have the same modes whatever the umask of the person who runs the tests; programs that a test starts
            // inherit this one. A test about another umask starts its program under it.
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

    /// Whether files can be given to others and namespaces made.
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

    /// Whether this user can run the program where it lies: everybody may enter every directory on the way.
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

/// Looks the user up, and makes it where it is missing: several test programs may want it at the same time.
fn made_by_root() -> SystemUser {
    let lock = File::create("/run/muxtray-test.lock").unwrap();
    let _lock =
        Flock::lock(lock, FlockArg::LockExclusive).expect("an exclusive lock on a file of our own");
    if let Some(user) = SystemUser::from_name(NAME).unwrap() {
        return user;
    }
    // A password of `*` cannot be typed and yet does not lock the account: sshd refuses locked ones.
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
