//! Other filesystems below a laboratory: FUSE, and mounts that only one process sees.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lab::Lab;
use super::process::{Finished, PATIENCE, Process};
use super::truth::files_below;
use super::user::User;

/// A directory of the laboratory, mounted by a FUSE program.
pub(crate) struct FuseMount<'a> {
    lab: &'a Lab,
    directory: PathBuf,
}

impl<'a> FuseMount<'a> {
    /// Mounts `from` onto a new directory `to` through ssh, like a home on a file server. Returns the reason if that is
    /// not possible.
    pub(crate) fn sshfs(lab: &'a Lab, from: &str, to: &str) -> Result<Self, String> {
        let config = lab.path("ssh_config").display().to_string();
        let source = format!("web:{}", lab.path(from).display());
        Self::new(lab, "sshfs", &["-F", &config, &source], to)
    }

    /// Mounts `from` onto a new directory `to`, in which the kernel has an inode for each name of a hard link.
    pub(crate) fn bindfs(lab: &'a Lab, from: &str, to: &str) -> Result<Self, String> {
        let source = lab.path(from).display().to_string();
        Self::new(lab, "bindfs", &[&source], to)
    }

    fn new(lab: &'a Lab, program: &str, source: &[&str], to: &str) -> Result<Self, String> {
        let directory = lab.make_directory(to);
        if Command::new(program).arg("--version").output().is_err() {
            return Err(format!("{program} is not installed"));
        }
        // Root mounts for the user, because /dev/fuse may not be open to everybody.
        let mut command = Command::new(program);
        lab.set_environment(&mut command);
        if User::tests_are_root() {
            command.args(["-o", "allow_other"]);
        }
        command.args(source).arg(&directory);
        let mounted = Process::run(command, PATIENCE);
        if !mounted.status.success() {
            return Err(format!("{program} cannot mount: {}", mounted.stderr.trim()));
        }
        Ok(Self { lab, directory })
    }

    /// The mount point.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for FuseMount<'_> {
    fn drop(&mut self) {
        let mut command = Command::new("fusermount3");
        self.lab.set_environment(&mut command);
        command.args(["-u", "-z"]).arg(&self.directory);
        Process::run(command, PATIENCE);
    }
}

impl Lab {
    /// Runs muxtray as the user below mounts of this shell script, which root runs in a mount namespace. `$1` is the
    /// laboratory's directory. Returns the reason if that is not possible.
    pub(crate) fn muxtray_below_mounts<A: AsRef<OsStr>>(
        &self,
        script: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Finished, String> {
        let muxtray = self.muxtray_command(arguments);
        self.below_mounts(script, &muxtray)
    }

    /// Runs muxtray as the user with files of the laboratory's `etc` before the machine's, and with the
    /// laboratory's home, for ssh too. muxtray gets no `--ssh-config`, so it reads the same files as ssh. Returns the
    /// reason if that is not possible.
    pub(crate) fn muxtray_with_etc<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Finished, String> {
        let mut muxtray = self.command(self.reachable_program());
        muxtray.args(arguments);
        self.with_etc(&muxtray)
    }

    /// Runs a command as the user, like [`Self::muxtray_with_etc`].
    pub(crate) fn with_etc(&self, command: &Command) -> Result<Finished, String> {
        const SCRIPT: &str = "mount -t overlay overlay -o lowerdir=\"$1/etc:/etc\" /etc\ncd \"$1\"";
        let passwd = self.path("etc/passwd");
        if !passwd.exists() {
            let user = &User::get().name;
            let home = self.path("home");
            let entries = fs::read_to_string("/etc/passwd").unwrap();
            let entries: String = entries
                .lines()
                .map(|line| {
                    let mut fields: Vec<&str> = line.split(':').collect();
                    if fields.first() == Some(&user.as_str())
                        && let Some(field) = fields.get_mut(5)
                    {
                        *field = home.to_str().unwrap();
                    }
                    fields.join(":") + "\n"
                })
                .collect();
            self.write("etc/passwd", entries);
        }
        // Readable to everybody like the machine's own, under any umask of the tests.
        for file in files_below(&self.path("etc")) {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        self.below_mounts(SCRIPT, command)
    }

    fn below_mounts(&self, script: &str, command: &Command) -> Result<Finished, String> {
        const CANNOT_MOUNT: i32 = 77;
        if !User::tests_are_root() {
            return Err("only root can mount".to_owned());
        }
        let user = User::get();
        let script = format!(
            "set -e\n{{ {script}\n}} || exit {CANNOT_MOUNT}\nshift\nexec setpriv --reuid={} --regid={} --clear-groups -- \"$@\"",
            user.uid, user.gid
        );
        let mut unshare = Command::new("unshare");
        self.set_environment(&mut unshare);
        unshare
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
            .arg(command.get_program())
            .args(command.get_args());
        let finished = Process::run(unshare, PATIENCE);
        if finished.status.code() == Some(CANNOT_MOUNT) {
            return Err(format!("cannot mount: {}", finished.stderr.trim()));
        }
        Ok(finished)
    }
}
