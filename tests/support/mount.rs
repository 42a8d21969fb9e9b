//! Filesystems of other kinds below a laboratory: one mounted through ssh, and some that only one process sees.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lab::Lab;
use super::process::Finished;
use super::process::PATIENCE;
use super::process::Process;
use super::user::User;

/// One directory of the laboratory mounted through ssh onto another, as a home on a file server would be.
pub(crate) struct NetworkMount<'a> {
    lab: &'a Lab,
    directory: PathBuf,
}

impl<'a> NetworkMount<'a> {
    /// Mounts `from` onto a new directory `to`, or says why that cannot be.
    pub(crate) fn new(lab: &'a Lab, from: &str, to: &str) -> Result<Self, String> {
        let directory = lab.make_directory(to);
        if Command::new("sshfs").arg("--version").output().is_err() {
            return Err("sshfs is not installed".to_owned());
        }
        // Root mounts for the user: where /dev/fuse is not open to everybody, nobody else can.
        let mut command = Command::new("sshfs");
        lab.set_environment(&mut command);
        if User::tests_are_root() {
            command.args(["-o", "allow_other"]);
        }
        command
            .arg("-F")
            .arg(lab.path("ssh_config"))
            .arg(format!("web:{}", lab.path(from).display()))
            .arg(&directory);
        let mounted = Process::run(command, PATIENCE);
        if !mounted.status.success() {
            return Err(format!("sshfs cannot mount: {}", mounted.stderr.trim()));
        }
        Ok(Self { lab, directory })
    }

    /// Where it is mounted.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for NetworkMount<'_> {
    fn drop(&mut self) {
        let mut command = Command::new("fusermount3");
        self.lab.set_environment(&mut command);
        command.args(["-u", "-z"]).arg(&self.directory);
        Process::run(command, PATIENCE);
    }
}

impl Lab {
    /// Runs muxtray as the user where this shell script, run by root, has mounted something that no other process
    /// sees and that is gone with it. `$1` is the laboratory's directory. The reason where that cannot be.
    pub(crate) fn muxtray_below_mounts<A: AsRef<OsStr>>(
        &self,
        script: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Finished, String> {
        const CANNOT_MOUNT: i32 = 77;
        if !User::tests_are_root() {
            return Err("only root can mount".to_owned());
        }
        let user = User::get();
        let script = format!(
            "set -e\n{{ {script}\n}} || exit {CANNOT_MOUNT}\nshift\nexec setpriv --reuid={} --regid={} --clear-groups -- \"$@\"",
            user.uid, user.gid
        );
        let mut command = Command::new("unshare");
        self.set_environment(&mut command);
        command
            .args([
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                &script,
                "sh",
            ])
            .arg(self.path("."))
            .arg(self.reachable_program())
            .arg("--ssh-config")
            .arg(self.path("ssh_config"))
            .args(arguments);
        let finished = Process::run(command, PATIENCE);
        if finished.status.code() == Some(CANNOT_MOUNT) {
            return Err(format!("cannot mount: {}", finished.stderr.trim()));
        }
        Ok(finished)
    }
}
