//! Starts ssh, and recognises the master that it became.

pub mod deferred_signals;
pub mod run;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use nix::sys::socket::{getsockopt, sockopt};

use super::clean::clean;
use super::held_socket::{HeldSocket, target_at};
use super::kernel::{Kernel as _, ListenerFound, LiveKernel};
use crate::bounded_command::run;
use crate::files::path_of;
use crate::model::control_path::{ControlPath, ssh_arguments};
use crate::model::socket::Target;
use crate::model::text;
use crate::observe::connect::connect_now;

const VERSION_LIMIT: Duration = Duration::from_secs(2);

/// ssh fails if it would have to ask a person.
pub(super) const BATCH_MODE: [&str; 2] = ["-o", "BatchMode=yes"];

/// For the ssh of a ProxyJump, to which ssh does not pass BatchMode.
pub(super) fn prevent_askpass(command: &mut Command) {
    command.env("SSH_ASKPASS_REQUIRE", "force");
    command.env("SSH_ASKPASS", "false");
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    pub program: PathBuf,
    /// The argument of `-F`.
    pub config: Option<PathBuf>,
    /// An alias, `user@host` or a `ssh://` URI.
    pub host: String,
    /// [`Host::command_options`](crate::model::places::Host::command_options), for a command.
    pub command_options: Vec<String>,
}

impl Ssh {
    /// Without the host, which [`Ssh::add_host`] adds after the options.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(config) = &self.config {
            command.arg("-F").arg(config);
        }
        command
    }

    pub(super) fn add_host(&self, command: &mut Command) {
        command.args(ssh_arguments(&self.host));
    }
}

/// Returns the line that `ssh -V` prints, with the version of its cryptographic library.
pub fn version(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("-V");
    let output = run(command, VERSION_LIMIT).ok()?;
    let line = String::from_utf8_lossy(&output.stderr);
    Some(text::line(line.lines().next()?))
}

/// The master at this path, if the process with this id created its listener. SO_PEERCRED returns the process that called
/// listen(2): for a master that went to the background, the ssh that was started.
pub(super) fn master_created_by(pid: u32, path: &ControlPath) -> Option<Target> {
    let (target, _) = master_at(path)?;
    let held = HeldSocket::open(&target).ok()?;
    let client = connect_now(&path_of(&held.file)).ok()?;
    let creator = getsockopt(&client, sockopt::PeerCredentials).ok()?;
    (u32::try_from(creator.pid()) == Ok(pid)).then_some(target)
}

pub(super) fn master_at(path: &ControlPath) -> Option<(Target, ListenerFound)> {
    let mut target = target_at(path)?;
    let master = LiveKernel.master(&target)?;
    target.cookie = master.cookie;
    Some((target, master))
}

/// Removes the socket of a start that was killed, if it is proven stale. For a path that had no file before the start.
pub(super) fn remove_after_failed_start(path: &ControlPath) {
    if let Some(target) = target_at(path)
        && let Err(error) = clean(&LiveKernel, &target, SystemTime::now())
    {
        tracing::debug!("{path}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn finds_master_only_by_the_process_that_created_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = ControlPath::new(directory.path().join("u@h-22")).unwrap();
        let own_pid = std::process::id();
        assert_eq!(master_created_by(own_pid, &path), None);
        let _listener = UnixListener::bind(path.as_path()).unwrap();
        let target = master_created_by(own_pid, &path).unwrap();
        assert!(target.id.is_some() && target.cookie.is_some());
        assert_eq!(master_created_by(own_pid + 1, &path), None);
    }
}
