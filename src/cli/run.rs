//! `muxtray run`: becomes the applet, or watches without an icon.

use std::io::{self, Write};

use crate::run::{self, AlreadyRunning, Begun, Desktop};
use crate::{VERSION, crash, engine, privilege};

use super::args::{Global, Run};
use super::outcome::Outcome;

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

/// What both programs begin with: no panic without a word, signals held, the one instance, its notifier.
///
/// # Errors
/// What `go_on` returns, and failing to set the signals up.
pub fn begin(
    global: &Global,
    out: &mut dyn Write,
    go_on: impl FnOnce(Begun) -> io::Result<()>,
) -> io::Result<Outcome> {
    tracing::info!("muxtray {VERSION}");
    privilege::warn_root();
    crash::abort_on_panic(run::tell_of_crash);
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
