//! Opening a file in the program that the desktop has for it.
//!
//! xdg-open knows the desktop; muxtray does not. What it starts is the person's own: it is left alone, also when
//! muxtray ends.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tr::tr;

use crate::unconfined::{self, APPLET_ENVIRONMENT, Lifetime};

/// How long xdg-open may take to fail. Where there is no desktop that it knows, it becomes the program itself, and
/// ends with that.
pub const LIMIT: Duration = Duration::from_secs(5);

/// Why nothing was opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no xdg-open.
    #[error("{}", tr!("xdg-open is not installed"))]
    NotInstalled,
    /// It could not be started.
    #[error("{}", tr!("xdg-open cannot be started: {error}", error = .0))]
    NotStarted(io::Error),
    /// It said that it could not.
    #[error("{}", because(*.0))]
    Failed(ExitStatus),
}

/// Opens the file, in a process group of its own and with its output discarded. Returns when xdg-open has ended, or
/// after `limit`: then the program is there, as far as anybody can tell.
///
/// # Errors
/// See [`OpenError`].
pub fn open(path: &Path, limit: Duration) -> Result<(), OpenError> {
    let mut command = Command::new("xdg-open");
    command.arg(path);
    for (name, _) in APPLET_ENVIRONMENT {
        command.env_remove(name);
    }
    let mut command = unconfined::command(command, Lifetime::Unlimited);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::NotInstalled,
        _ => OpenError::NotStarted(error),
    })?;
    let (sender, ended) = mpsc::channel();
    // This thread waits for as long as the program is open, so that it leaves no zombie; nobody waits for the thread.
    let reaper = thread::Builder::new().name("xdg-open".to_owned());
    reaper
        .spawn(move || {
            let _ = sender.send(child.wait());
        })
        .map_err(OpenError::NotStarted)?;
    match ended.recv_timeout(limit) {
        Ok(Ok(status)) if !status.success() => Err(OpenError::Failed(status)),
        Ok(Err(error)) => Err(OpenError::NotStarted(error)),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

/// The exit statuses of xdg-open(1).
fn because(status: ExitStatus) -> String {
    match status.code() {
        Some(2) => tr!("xdg-open does not find it"),
        Some(3) => tr!("xdg-open finds no program for it"),
        Some(4) => tr!("the program for it failed"),
        _ => tr!("xdg-open ended with {status}", status),
    }
}
