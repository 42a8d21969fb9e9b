//! `muxtray run`: becomes the applet, or watches without an icon.

use std::io::{self, Write};

use crate::engine;
use crate::run::{self, AlreadyRunning, Begun, Desktop};

use super::Outcome;
use super::args::{Global, Run};

/// Runs until it is told to end; with an icon, this process becomes the applet.
pub(super) fn run(
    global: &Global,
    run: &Run,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    if !run.no_tray {
        let why = run::become_applet();
        writeln!(err, "muxtray: {why}")?;
    }
    begin(global, out, run::without_icon)
}

/// What both programs begin with: signals held, the one instance, its notifier.
///
/// # Errors
/// What `go_on` returns, and failing to set the signals up.
pub fn begin(
    global: &Global,
    out: &mut dyn Write,
    go_on: impl FnOnce(Begun) -> io::Result<()>,
) -> io::Result<Outcome> {
    engine::hold_signals()?;
    let (asker, inbox) = engine::inbox();
    match Desktop::open(&asker) {
        Err(AlreadyRunning) => {
            writeln!(out, "muxtray is running already")?;
            out.flush()?;
            Ok(Outcome::Well)
        }
        Ok(desktop) => {
            let options = run::options(global.config.clone(), global.ssh_config.clone());
            go_on(Begun {
                options,
                desktop,
                asker,
                inbox,
            })
            .map(|()| Outcome::Well)
        }
    }
}

/// The log, on standard error: warnings, with `-v` also what happens, with `-vv` everything.
pub fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    // The journal adds its own time, and a terminal needs none.
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .without_time()
        .with_target(false);
    log.with_ansi(false).init();
}
