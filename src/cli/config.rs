use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use tr::tr;

use crate::config::{self, ConfigError};
use crate::model::text;

use super::args::{Config, Global};
use super::context::{misused, settings};
use super::outcome::Outcome;

pub(super) fn run(
    global: &Global,
    action: Config,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let path = match global.config.clone().map_or_else(config::default_path, Ok) {
        Ok(path) => path,
        Err(error) => return misused(&error, err),
    };
    match action {
        Config::Path => {
            writeln!(out, "{}", path.display())?;
            Ok(Outcome::Well)
        }
        Config::Show => match settings(global) {
            Ok((settings, None)) => {
                write!(out, "{}", settings.documented())?;
                Ok(Outcome::Well)
            }
            Ok((settings, Some(error))) => {
                write!(out, "{}", settings.documented())?;
                misused(&error, err)
            }
            Err(error) => misused(&error, err),
        },
        Config::Edit => edit(&path, out, err),
        Config::Check => check(&path, out, err),
    }
}

fn check(path: &Path, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Outcome> {
    match config::load(path) {
        Ok(_) => {
            writeln!(out, "{}", tr!("{path}: valid", path = text::path(path)))?;
            Ok(Outcome::Well)
        }
        Err(ConfigError::Missing(_)) => {
            let path = text::path(path);
            writeln!(
                out,
                "{}",
                tr!("{path}: no such file; the defaults are in force", path)
            )?;
            Ok(Outcome::Well)
        }
        Err(error) => misused(&error, err),
    }
}

/// `$VISUAL` and `$EDITOR` can have options, so a shell runs them.
fn edit(path: &Path, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Outcome> {
    if let Err(error) = config::write_first(path) {
        return misused(&error, err);
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
    match status {
        Ok(status) if status.success() => check(path, out, err),
        Ok(status) => {
            writeln!(
                err,
                "muxtray: {}",
                tr!(
                    "editor `{editor}` failed: {status}; set VISUAL or EDITOR",
                    editor = text::os(&editor),
                    status
                )
            )?;
            Ok(Outcome::Unknown)
        }
        Err(error) => {
            writeln!(
                err,
                "muxtray: {}",
                tr!(
                    "editor `{editor}` cannot be started: {error}",
                    editor = text::os(&editor),
                    error
                )
            )?;
            Ok(Outcome::Unknown)
        }
    }
}
