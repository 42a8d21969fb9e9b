use std::io;

use serde_json::json;
use tr::tr;

use crate::autostart::{Autostart, AutostartError, Enabled};
use crate::model::text;
use crate::present::report::SCHEMA;

use super::args::Autostart as Action;
use super::outcome::{Outcome, Output};

const DISABLE_UNIT: &str = "systemctl --user disable muxtray.service";

pub(super) fn run(action: Action, to: &mut Output<'_>) -> io::Result<Outcome> {
    let autostart = Autostart::from_environment();
    let report = match action {
        Action::Enable => enable(&autostart),
        Action::Disable => disable(&autostart),
        Action::Status { json: true } => return print_json(&autostart, to),
        Action::Status { json: false } => status(&autostart),
    };
    match report {
        Ok((lines, outcome)) => {
            for line in lines {
                writeln!(to.out, "{line}")?;
            }
            Ok(outcome)
        }
        Err(error) => to.fail(outcome(&error), error),
    }
}

fn outcome(error: &AutostartError) -> Outcome {
    match error {
        AutostartError::NoPlace
        | AutostartError::NotAnEntry { .. }
        | AutostartError::OtherDesktop { .. } => Outcome::Misused,
        AutostartError::NoProgram
        | AutostartError::Unreadable { .. }
        | AutostartError::Unwritable { .. } => Outcome::Unknown,
    }
}

/// Prints `enabled`, the autostart file in force with the reason why it starts nothing, and the link of the systemd unit.
fn print_json(autostart: &Autostart, to: &mut Output<'_>) -> io::Result<Outcome> {
    let status = match autostart.status() {
        Ok(status) => status,
        Err(error) => {
            let unknown = json!({
                "schema": SCHEMA,
                "enabled": null,
                "file": null,
                "unit": null,
                "error": error.to_string(),
            });
            writeln!(to.out, "{unknown:#}")?;
            return Ok(outcome(&error));
        }
    };
    let file = status.file.as_ref().map(|file| {
        let inactive = file.inactive.as_ref().map(|inactive| &inactive.why);
        json!({ "path": file.path.to_string_lossy(), "inactive": inactive })
    });
    let unit = status.unit.as_ref().map(|link| link.to_string_lossy());
    let enabled = status.is_enabled();
    let report = json!({ "schema": SCHEMA, "enabled": enabled, "file": file, "unit": unit });
    writeln!(to.out, "{report:#}")?;
    Ok(if enabled {
        Outcome::Well
    } else {
        Outcome::Wrong
    })
}

type Report = Result<(Vec<String>, Outcome), AutostartError>;

fn enable(autostart: &Autostart) -> Report {
    let line = match autostart.enable()? {
        Enabled::Written(path) => tr!("start at login enabled: {path}", path = text::path(&path)),
        Enabled::Unchanged(path) => tr!(
            "start at login is already enabled: {path}",
            path = text::path(&path)
        ),
        Enabled::BySystemd(link) => tr!(
            "start at login is already enabled by systemd: {path}",
            path = text::path(&link)
        ),
    };
    Ok((vec![line], Outcome::Well))
}

fn disable(autostart: &Autostart) -> Report {
    let line = match autostart.disable()? {
        Some(path) => tr!(
            "start at login disabled: Hidden=true in {path}",
            path = text::path(&path)
        ),
        None => tr!("no autostart file is active"),
    };
    let Some(link) = autostart.status()?.unit else {
        return Ok((vec![line], Outcome::Well));
    };
    let unit = tr!(
        "systemd still starts muxtray by {path}; disable it with: {command}",
        path = text::path(&link),
        command = DISABLE_UNIT
    );
    Ok((vec![line, unit], Outcome::Wrong))
}

fn status(autostart: &Autostart) -> Report {
    let status = autostart.status()?;
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
                why = inactive.why
            ),
        }
    }));
    if let Some(link) = &status.unit {
        lines.push(tr!("systemd unit: {path}", path = text::path(link)));
        if status.has_active_file() {
            lines.push(tr!(
                "both start muxtray, and the second one exits; disable one with: {command}, or {other}",
                command = "muxtray autostart disable",
                other = DISABLE_UNIT
            ));
        }
    }
    Ok((lines, outcome))
}
