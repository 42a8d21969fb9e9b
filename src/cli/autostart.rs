//! `muxtray autostart`: start at login, and what does it.

use std::io::{self, Write};

use crate::autostart::{Autostart, AutostartError, Disabled, Enabled, Held, Status};
use crate::core::text;

use super::Outcome;
use super::args::Autostart as Action;

/// What helps where systemd does what the file no longer does.
const DISABLE_UNIT: &str = "systemctl --user disable muxtray.service";

pub(super) fn run(action: Action, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Outcome> {
    let autostart = Autostart::of_this_process();
    let done = match action {
        Action::Enable => autostart.enable().map(|enabled| told_enabled(&enabled)),
        Action::Disable => autostart.disable().and_then(|disabled| {
            let status = autostart.status()?;
            Ok(told_disabled(&disabled, &status))
        }),
        Action::Status => autostart.status().map(|status| told(&status)),
    };
    match done {
        Ok((lines, outcome)) => {
            for line in lines {
                writeln!(out, "{line}")?;
            }
            Ok(outcome)
        }
        Err(error) => {
            writeln!(err, "muxtray: {error}")?;
            Ok(match error {
                AutostartError::NoPlace
                | AutostartError::NotAnEntry { .. }
                | AutostartError::OtherDesktop { .. } => Outcome::Misused,
                AutostartError::NoProgram
                | AutostartError::Unreadable { .. }
                | AutostartError::Unwritable { .. } => Outcome::Unknown,
            })
        }
    }
}

type Told = (Vec<String>, Outcome);

fn told_enabled(enabled: &Enabled) -> Told {
    let line = match enabled {
        Enabled::Now(path) => format!("starts at login from now on: {}", text::path(path)),
        Enabled::Already(path) => format!("starts at login already: {}", text::path(path)),
        Enabled::BySystemd(link) => {
            format!("starts at login already, by systemd: {}", text::path(link))
        }
    };
    (vec![line], Outcome::Well)
}

fn told_disabled(disabled: &Disabled, status: &Status) -> Told {
    let line = match disabled {
        Disabled::Now(path) => format!(
            "does not start at login any more: Hidden=true in {}",
            text::path(path)
        ),
        Disabled::Already => "no autostart file starts it".to_owned(),
    };
    match &status.unit {
        None => (vec![line], Outcome::Well),
        Some(link) => {
            let still = format!(
                "systemd still starts it: {}; to end that: {DISABLE_UNIT}",
                text::path(link)
            );
            (vec![line, still], Outcome::Wrong)
        }
    }
}

fn told(status: &Status) -> Told {
    let mut lines = Vec::new();
    match &status.file {
        Some((path, None)) => lines.push(format!("autostart file: {}", text::path(path))),
        Some((path, Some(held))) => lines.push(format!(
            "autostart file, not in force: {} ({})",
            text::path(path),
            because(held)
        )),
        None => {}
    }
    if let Some(link) = &status.unit {
        lines.push(format!("systemd unit: {}", text::path(link)));
        if matches!(status.file, Some((_, None))) {
            lines.push(format!(
                "either starts it, and the second one ends again; one is enough: muxtray autostart disable, or {DISABLE_UNIT}"
            ));
        }
    }
    if status.is_enabled() {
        lines.insert(0, "starts at login".to_owned());
        (lines, Outcome::Well)
    } else {
        lines.insert(
            0,
            "does not start at login; muxtray autostart enable".to_owned(),
        );
        (lines, Outcome::Wrong)
    }
}

fn because(held: &Held) -> String {
    match held {
        Held::Hidden => "Hidden=true".to_owned(),
        Held::SwitchedOff => "X-GNOME-Autostart-enabled=false".to_owned(),
        Held::NotInstalled(program) => {
            format!("TryExec={}: there is no such program", text::line(program))
        }
        Held::NothingToRun => "the program in Exec is not there".to_owned(),
        Held::OtherDesktop(line) => text::line(line),
    }
}
