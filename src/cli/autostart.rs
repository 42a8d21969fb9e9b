//! `muxtray autostart`: start at login, and what does it.

use std::io::{self, Write};

use tr::tr;

use crate::autostart::{Autostart, AutostartError, Disabled, Enabled, Held, Status};
use crate::model::text;

use super::args::Autostart as Action;
use super::outcome::Outcome;

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
        Enabled::Now(path) => tr!(
            "starts at login from now on: {path}",
            path = text::path(path)
        ),
        Enabled::Already(path) => tr!("starts at login already: {path}", path = text::path(path)),
        Enabled::BySystemd(link) => {
            tr!(
                "starts at login already, by systemd: {path}",
                path = text::path(link)
            )
        }
    };
    (vec![line], Outcome::Well)
}

fn told_disabled(disabled: &Disabled, status: &Status) -> Told {
    let line = match disabled {
        Disabled::Now(path) => tr!(
            "does not start at login any more: Hidden=true in {path}",
            path = text::path(path)
        ),
        Disabled::Already => tr!("no autostart file starts it"),
    };
    match &status.unit {
        None => (vec![line], Outcome::Well),
        Some(link) => {
            let still = tr!(
                "systemd still starts it: {path}; to end that: {command}",
                path = text::path(link),
                command = DISABLE_UNIT
            );
            (vec![line, still], Outcome::Wrong)
        }
    }
}

fn told(status: &Status) -> Told {
    let mut lines = Vec::new();
    match &status.file {
        Some((path, None)) => lines.push(tr!("autostart file: {path}", path = text::path(path))),
        Some((path, Some(held))) => lines.push(tr!(
            "autostart file, not in force: {path} ({why})",
            path = text::path(path),
            why = because(held)
        )),
        None => {}
    }
    if let Some(link) = &status.unit {
        lines.push(tr!("systemd unit: {path}", path = text::path(link)));
        if matches!(status.file, Some((_, None))) {
            lines.push(tr!(
                "either starts it, and the second one ends again; one is enough: {command}, or {other}",
                command = "muxtray autostart disable",
                other = DISABLE_UNIT
            ));
        }
    }
    if status.is_enabled() {
        lines.insert(0, tr!("starts at login"));
        (lines, Outcome::Well)
    } else {
        lines.insert(
            0,
            tr!(
                "does not start at login; {command}",
                command = "muxtray autostart enable"
            ),
        );
        (lines, Outcome::Wrong)
    }
}

fn because(held: &Held) -> String {
    match held {
        Held::Hidden => "Hidden=true".to_owned(),
        Held::SwitchedOff => "X-GNOME-Autostart-enabled=false".to_owned(),
        Held::NotInstalled(program) => {
            tr!(
                "{line}: there is no such program",
                line = format_args!("TryExec={}", text::line(program))
            )
        }
        Held::NothingToRun => tr!("the program in Exec is not there"),
        Held::OtherDesktop(line) => text::line(line),
    }
}
