use std::io::{self, Write};

use crate::decide::intent::Intent;
use crate::decide::launch::LauncherAction;
use crate::engine::Options;
use crate::run::{self, Setup};
use crate::{VERSION, privilege};

use super::args::{Global, Run};
use super::outcome::{Outcome, Output};

/// With an icon, this process becomes the applet.
pub(super) fn run(global: &Global, run: &Run, to: &mut Output<'_>) -> io::Result<Outcome> {
    if !run.no_tray {
        let error = run::become_applet();
        writeln!(to.err, "muxtray: {error}")?;
    }
    begin(global, run, to.out, run::without_icon)
}

/// Starts muxtray or the applet: panic hook, signals, single instance and notifications; then calls `go_on`. If another
/// instance runs, asks it for the action instead.
pub fn begin(
    global: &Global,
    arguments: &Run,
    out: &mut dyn Write,
    go_on: impl FnOnce(Setup) -> io::Result<()>,
) -> io::Result<Outcome> {
    tracing::info!("muxtray {VERSION}");
    privilege::warn_root();
    let options = Options::new(global.config.clone(), global.ssh_config.clone());
    match run::set_up(options)? {
        Some(setup) => {
            // The icon of a start shows itself.
            let action = arguments
                .action
                .filter(|action| *action != LauncherAction::Show);
            if let Some(action) = action {
                setup.intents.send(Intent::Launched(action));
            }
            go_on(setup)?;
        }
        None => {
            arguments.action.into_iter().for_each(run::ask_running);
            writeln!(out, "muxtray is already running")?;
            out.flush()?;
        }
    }
    Ok(Outcome::Well)
}
