//! Opens a file or URL in the program that the desktop has for it, by xdg-open(1). The program lives on when muxtray ends.

use std::ffi::OsStr;
use std::io;
use std::process::Command;
use std::time::Duration;

use tr::tr;

use super::desktop_program;

/// How long xdg-open may take to fail. On an unknown desktop it runs the program itself and ends with that.
pub const LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct XdgOpenError(String);

/// Opens the file or URL. Returns when xdg-open has ended; after `limit` the program counts as opened.
pub fn open(subject: impl AsRef<OsStr>, limit: Duration) -> Result<(), XdgOpenError> {
    let mut command = Command::new("xdg-open");
    command.arg(subject);
    let Some(status) =
        desktop_program::start(command, "", limit).map_err(|error| not_started(&error))?
    else {
        return Ok(());
    };
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
