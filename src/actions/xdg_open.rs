//! Opens a file or URL in the program that the desktop has for it, by xdg-open(1). The program lives on when muxtray ends.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tr::tr;

use crate::unconfined::{self, APPLET_ENVIRONMENT, Lifetime};

/// How long xdg-open may take to fail. On an unknown desktop it runs the program itself and ends with that.
pub const LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct XdgOpenError(String);

/// Opens the file or URL, in a process group of its own and without its output. Returns when xdg-open has ended; after `limit`
/// the program counts as opened.
pub fn open(subject: impl AsRef<OsStr>, limit: Duration) -> Result<(), XdgOpenError> {
    let mut command = Command::new("xdg-open");
    command.arg(subject);
    for (name, _) in APPLET_ENVIRONMENT {
        command.env_remove(name);
    }
    let mut command = unconfined::command(command, Lifetime::Unlimited);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let mut child = command.spawn().map_err(|error| not_started(&error))?;
    let (sender, ended) = mpsc::channel();
    // Waits as long as the program is open, so that it leaves no zombie. Nothing waits for this thread.
    thread::Builder::new()
        .name("xdg-open".to_owned())
        .spawn(move || sender.send(child.wait()))
        .map_err(|error| not_started(&error))?;
    let Ok(status) = ended.recv_timeout(limit) else {
        return Ok(());
    };
    let status = status.map_err(|error| not_started(&error))?;
    // The exit statuses of xdg-open(1).
    Err(XdgOpenError(match status.code() {
        Some(0) => return Ok(()),
        Some(2) => tr!("xdg-open does not find the file"),
        Some(3) => tr!("xdg-open finds no program to open it"),
        Some(4) => tr!("the program that xdg-open started failed"),
        _ => tr!("xdg-open ended with {status}", status),
    }))
}

fn not_started(error: &io::Error) -> XdgOpenError {
    XdgOpenError(match error.kind() {
        io::ErrorKind::NotFound => tr!("xdg-open is not installed"),
        _ => tr!("xdg-open cannot be started: {error}", error),
    })
}
