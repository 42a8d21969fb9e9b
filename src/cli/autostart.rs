use std::io::{self, Write};

use tr::tr;

use crate::autostart::{
    Autostart, AutostartError, AutostartFile, Disabled, Enabled, Inactive, Status,
};
use crate::model::text;

use super::args::Autostart as Action;
use super::outcome::Outcome;

const DISABLE_UNIT: &str = "systemctl --user disable muxtray.service";

pub(super) fn run(action: Action, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Outcome> {
    let autostart = Autostart::from_environment();
    let result = match action {
        Action::Enable => autostart.enable().map(|enabled| after_enable(&enabled)),
        Action::Disable => autostart.disable().and_then(|disabled| {
            let status = autostart.status()?;
            Ok(after_disable(&disabled, &status))
        }),
        Action::Status => autostart.status().map(|status| status_report(&status)),
    };
    match result {
        Ok(report) => {
            for line in report.lines {
                writeln!(out, "{line}")?;
            }
            Ok(report.outcome)
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

struct Report {
    lines: Vec<String>,
    outcome: Outcome,
}

fn after_enable(enabled: &Enabled) -> Report {
    let line = match enabled {
        Enabled::Written(path) => tr!("start at login enabled: {path}", path = text::path(path)),
        Enabled::Unchanged(path) => tr!(
            "start at login is already enabled: {path}",
            path = text::path(path)
        ),
        Enabled::BySystemd(link) => tr!(
            "start at login is already enabled by systemd: {path}",
            path = text::path(link)
        ),
    };
    Report {
        lines: vec![line],
        outcome: Outcome::Well,
    }
}

fn after_disable(disabled: &Disabled, status: &Status) -> Report {
    let line = match disabled {
        Disabled::Written(path) => tr!(
            "start at login disabled: Hidden=true in {path}",
            path = text::path(path)
        ),
        Disabled::Unchanged => tr!("no autostart file is active"),
    };
    let unit = status.unit.as_ref().map(|link| {
        tr!(
            "systemd still starts muxtray by {path}; disable it with: {command}",
            path = text::path(link),
            command = DISABLE_UNIT
        )
    });
    Report {
        outcome: match unit {
            None => Outcome::Well,
            Some(_) => Outcome::Wrong,
        },
        lines: [line].into_iter().chain(unit).collect(),
    }
}

fn status_report(status: &Status) -> Report {
    let (line, outcome) = if status.is_enabled() {
        (tr!("starts at login"), Outcome::Well)
    } else {
        let line = tr!(
            "does not start at login; enable it with: {command}",
            command = "muxtray autostart enable"
        );
        (line, Outcome::Wrong)
    };
    let mut lines = vec![line];
    lines.extend(status.file.as_ref().map(|file| {
        let path = text::path(&file.path);
        match &file.inactive {
            None => tr!("autostart file: {path}", path),
            Some(inactive) => tr!(
                "autostart file, inactive: {path} ({why})",
                path,
                why = reason(inactive)
            ),
        }
    }));
    if let Some(link) = &status.unit {
        lines.push(tr!("systemd unit: {path}", path = text::path(link)));
        if status.file.as_ref().is_some_and(AutostartFile::is_active) {
            lines.push(tr!(
                "both start muxtray, and the second one exits; disable one with: {command}, or {other}",
                command = "muxtray autostart disable",
                other = DISABLE_UNIT
            ));
        }
    }
    Report { lines, outcome }
}

fn reason(inactive: &Inactive) -> String {
    match inactive {
        Inactive::Hidden => "Hidden=true".to_owned(),
        Inactive::DisabledByGnome => "X-GNOME-Autostart-enabled=false".to_owned(),
        Inactive::NotInstalled(program) => tr!(
            "{line}: no such program",
            line = format_args!("TryExec={}", text::line(program))
        ),
        Inactive::NoProgram => tr!("Exec names no program that exists"),
        Inactive::OtherDesktop(line) => text::line(line),
    }
}
