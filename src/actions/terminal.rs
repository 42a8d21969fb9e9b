//! Opens a new session in the terminal of the desktop. The terminal lives on when muxtray ends.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::process::Command;
use std::time::Duration;

use tr::tr;

use super::desktop_program::{self, is_installed};
use crate::bounded_command::run;
use crate::decide::terminal::{NoTerminal, Wishes, is_known_terminal, terminal};
use crate::xdg;

/// How long a terminal may take to fail. An exit status after that is of the session.
const LIMIT: Duration = Duration::from_secs(2);

const GSETTINGS_LIMIT: Duration = Duration::from_secs(2);

/// The choice of a terminal in the settings of a desktop.
#[derive(Debug, Clone, Copy)]
enum Chosen {
    /// A file below `$XDG_CONFIG_HOME` or `$XDG_CONFIG_DIRS` with a section (empty: none) and a key.
    File(&'static str, &'static str, &'static str),
    /// A schema of gsettings(1) with the keys `exec` and `exec-arg`.
    Schema(&'static str),
}

const CHOSEN: [(&str, Chosen); 7] = [
    (
        "KDE",
        Chosen::File("kdeglobals", "General", "TerminalApplication"),
    ),
    // libexo reads it; exo-open(1) itself would pass the command to a shell's parser.
    (
        "XFCE",
        Chosen::File("xfce4/helpers.rc", "", "TerminalEmulator"),
    ),
    ("GNOME", Chosen::Schema(GNOME)),
    ("Budgie", Chosen::Schema(GNOME)),
    ("Unity", Chosen::Schema(GNOME)),
    (
        "X-Cinnamon",
        Chosen::Schema("org.cinnamon.desktop.default-applications.terminal"),
    ),
    ("MATE", Chosen::Schema("org.mate.applications-terminal")),
];
const GNOME: &str = "org.gnome.desktop.default-applications.terminal";

#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    #[error("{}", .0)]
    None(#[from] NoTerminal),
    #[error("{}", tr!("{program} cannot be started: {error}", program = .0, error = .1))]
    NotStarted(String, std::io::Error),
    /// Many terminals end with the exit status of the command.
    #[error("{}", tr!("{program} ended with {status}", program = .0, status = .1))]
    Failed(String, std::process::ExitStatus),
}

/// Starts the command in a terminal. `setting` is the setting `terminal`. Returns when the terminal runs, or has ended.
///
/// # Errors
/// There is no terminal, or it failed at once.
pub fn open(setting: &[String], command: &[OsString]) -> Result<(), TerminalError> {
    let words = terminal(&wishes(setting), is_installed)?;
    let (program, options) = words.split_first().ok_or(NoTerminal::Unknown)?;
    tracing::debug!("the terminal of a new session: {words:?}");
    let mut start = Command::new(program);
    start.args(options).args(command);
    match desktop_program::start(start, "", LIMIT) {
        Ok(Some(status)) if !status.success() => {
            Err(TerminalError::Failed(program.clone(), status))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(TerminalError::NotStarted(program.clone(), error)),
    }
}

fn wishes(setting: &[String]) -> Wishes {
    let desktops = xdg::current_desktops();
    let mut chosen = CHOSEN.iter();
    let chosen = chosen.find(|(desktop, _)| desktops.iter().any(|name| name == desktop));
    Wishes {
        setting: setting.to_vec(),
        // The settings of the desktop do not matter then.
        chosen: match chosen.filter(|_| setting.is_empty()) {
            Some((_, Chosen::File(file, section, key))) => value_in(file, section, key),
            Some((_, Chosen::Schema(schema))) => in_gsettings(schema),
            None => Vec::new(),
        },
        variable: words(&env::var("TERMINAL").unwrap_or_default()),
        desktops,
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn value_in(file: &str, section: &str, key: &str) -> Vec<String> {
    let directories = xdg::config_home().into_iter().chain(xdg::config_dirs());
    let mut texts =
        directories.filter_map(|directory| fs::read_to_string(directory.join(file)).ok());
    let value = texts.find_map(|text| ini_value(&text, section, key));
    words(&value.unwrap_or_default())
}

fn ini_value(text: &str, section: &str, key: &str) -> Option<String> {
    let mut current = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            current = name.strip_suffix(']').unwrap_or_default();
        } else if let Some((name, value)) = line.split_once('=')
            && current == section
            && name.trim() == key
        {
            // Xfce's name of Debian's alternative.
            let value = value.trim();
            let value = value.strip_prefix("debian-").unwrap_or(value);
            return Some(value.to_owned()).filter(|value| !value.is_empty());
        }
    }
    None
}

/// An own program of the user may need the option that the desktop has for it.
fn in_gsettings(schema: &str) -> Vec<String> {
    let program = gsettings(schema, "exec");
    let option = gsettings(schema, "exec-arg");
    match (program, option) {
        (Some(program), option) if is_known_terminal(&program) || option.is_none() => vec![program],
        (program, option) => program.into_iter().chain(option).collect(),
    }
}

/// Returns a text of the desktop's settings; `None` if it is empty, or without the schema or the program.
fn gsettings(schema: &str, key: &str) -> Option<String> {
    let mut command = Command::new("gsettings");
    command.args(["get", schema, key]);
    let output = run(command, GSETTINGS_LIMIT).ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let value = text.trim().trim_matches('\'');
    (output.status.success() && !value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_key_of_its_section() {
        let kde =
            "Name=x\n[Other]\nTerminalApplication=no\n[General]\nTerminalApplication = kitty -1\n";
        let xfce = "# none\nTerminalEmulator=debian-x-terminal-emulator\n";
        for (text, section, key, value) in [
            (kde, "General", "TerminalApplication", Some("kitty -1")),
            (kde, "", "TerminalApplication", None),
            (
                "[General]\nTerminalApplication=\n",
                "General",
                "TerminalApplication",
                None,
            ),
            (xfce, "", "TerminalEmulator", Some("x-terminal-emulator")),
        ] {
            assert_eq!(ini_value(text, section, key).as_deref(), value);
        }
    }
}
