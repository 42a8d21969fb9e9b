use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tr::tr;

use crate::config::{self, ConfigError};
use crate::model::text;
use crate::present::report::SCHEMA;

use super::args::{Config, Global};
use super::context::settings;
use super::outcome::{Outcome, Output};

pub(super) fn run(global: &Global, action: Config, to: &mut Output<'_>) -> io::Result<Outcome> {
    let path = match global.config.clone().map_or_else(config::default_path, Ok) {
        Ok(path) => path,
        Err(error) => return to.fail(Outcome::Misused, error),
    };
    match action {
        Config::Path => {
            writeln!(to.out, "{}", path.display())?;
            Ok(Outcome::Well)
        }
        Config::Show => {
            let (settings, error) = match settings(global) {
                Ok(found) => found,
                Err(error) => return to.fail(Outcome::Misused, error),
            };
            write!(to.out, "{}", settings.documented())?;
            error.map_or(Ok(Outcome::Well), |error| to.fail(Outcome::Misused, error))
        }
        Config::Edit => edit(&path, global, to),
        Config::Check { json: false } => check(&path, global, to),
        Config::Check { json: true } => check_json(&path, global, to),
    }
}

/// Every command refuses to run if the file of `--config` is missing; without that option the defaults apply.
fn is_allowed(error: &ConfigError, global: &Global) -> bool {
    matches!(error, ConfigError::Missing(_)) && global.config.is_none()
}

fn check(path: &Path, global: &Global, to: &mut Output<'_>) -> io::Result<Outcome> {
    let line = match config::load(path) {
        Ok(_) => tr!("{path}: valid", path = text::path(path)),
        Err(error) if is_allowed(&error, global) => tr!(
            "{path}: no such file; the defaults are in force",
            path = text::path(path)
        ),
        Err(error) => {
            writeln!(to.out, "{error}")?;
            return Ok(Outcome::Misused);
        }
    };
    writeln!(to.out, "{line}")?;
    Ok(Outcome::Well)
}

fn check_json(path: &Path, global: &Global, to: &mut Output<'_>) -> io::Result<Outcome> {
    let loaded = config::load(path);
    let exists = !matches!(loaded, Err(ConfigError::Missing(_)));
    let wrong = loaded.err().filter(|error| !is_allowed(error, global));
    let finding = wrong.map(|error| error.finding(global.config.as_deref()));
    let report = json!({
        "schema": SCHEMA,
        "path": path.to_string_lossy(),
        "exists": exists,
        "valid": finding.is_none(),
        "findings": finding.as_slice(),
    });
    writeln!(to.out, "{report:#}")?;
    Ok(finding.map_or(Outcome::Well, |_| Outcome::Misused))
}

/// `$VISUAL` and `$EDITOR` can have options, so a shell runs them.
fn edit(path: &Path, global: &Global, to: &mut Output<'_>) -> io::Result<Outcome> {
    if let Err(error) = config::write_first(path) {
        return to.fail(Outcome::Misused, error);
    }
    let set = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let editor = set("VISUAL")
        .or_else(|| set("EDITOR"))
        .unwrap_or_else(|| OsString::from("vi"));
    let mut command = editor.clone();
    command.push(" \"$1\"");
    let status = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .arg("muxtray")
        .arg(path)
        .status();
    let editor = text::os(&editor);
    let why = match status {
        Ok(status) if status.success() => return check(path, global, to),
        Ok(status) => tr!(
            "editor `{editor}` failed: {status}; set VISUAL or EDITOR",
            editor,
            status
        ),
        Err(error) => tr!(
            "editor `{editor}` cannot be started: {error}",
            editor,
            error
        ),
    };
    to.fail(Outcome::Unknown, why)
}
