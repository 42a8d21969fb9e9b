//! Starts programs of the desktop, which live on when muxtray ends.

use std::env;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::unistd::{AccessFlags, access};

use crate::unconfined::{self, APPLET_ENVIRONMENT, Lifetime};

/// Starts the program in a process group of its own and without its output. Returns its exit status, or `None` if it still
/// runs after `limit`.
pub(super) fn start(mut command: Command, limit: Duration) -> io::Result<Option<ExitStatus>> {
    for (name, _) in APPLET_ENVIRONMENT {
        command.env_remove(name);
    }
    let mut command = unconfined::command(command, Lifetime::Unlimited);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let mut child = command.spawn()?;
    let (sender, ended) = mpsc::channel();
    // Waits as long as the program runs, so that it leaves no zombie. Nothing waits for this thread.
    thread::Builder::new()
        .name("program".to_owned())
        .spawn(move || sender.send(child.wait()))?;
    ended.recv_timeout(limit).ok().transpose()
}

/// Returns whether `$PATH` contains this program, or it is the path of one.
pub fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .any(|file| access(&file, AccessFlags::X_OK).is_ok() && file.is_file())
}
