//! Suggested `ControlPath` lines for the ssh configuration.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use tr::tr;

use super::context::Context;
use crate::model::control_path::MAX_USABLE_BYTES;
use crate::model::finding::Finding;
use crate::model::text;

/// In the runtime directory of the logged-in user, on a local filesystem (`pam_systemd(8)`). `%i` is the user id.
const RUNTIME: &str = "/run/user/%i";

/// Without logind nothing creates the runtime directory. Other directories outside the home do not outlast a restart.
const WITHOUT_RUNTIME: &str = "/var/tmp/ssh-%i";

/// A ControlPath in a directory of the user's own, which the command creates.
#[derive(Debug)]
pub(super) struct Elsewhere {
    pub(super) line: String,
    command: Option<String>,
}

/// Returns a ControlPath that needs nothing of this directory: in the home, or outside if the home has the directory or is
/// below it.
pub(super) fn elsewhere(directory: &Path, context: Context<'_>) -> Elsewhere {
    if directory.starts_with(context.home) || context.home.starts_with(directory) {
        return outside("%C", context);
    }
    for_every_host(context)
}

/// Returns a ControlPath in `~/.ssh/s`, or if that is too long, outside of the home.
fn usual_or_outside(name: &str, length: usize, context: Context<'_>) -> Elsewhere {
    usual(name, length, context).unwrap_or_else(|| outside(name, context))
}

/// Returns a ControlPath in `~/.ssh/s`, unless that is too long.
fn usual(name: &str, length: usize, context: Context<'_>) -> Option<Elsewhere> {
    let [ssh, sockets] = [".ssh", ".ssh/s"].map(|it| context.home.join(it));
    let word = |directory| context.tilde.shell_word(directory);
    Some(Elsewhere {
        line: in_directory_if_short(&sockets, context.home, length, name)?,
        // Changes nothing if the directories exist. With -p, the mode is only that of the last one.
        command: Some(format!("mkdir -p -m 700 {} {}", word(&ssh), word(&sockets))),
    })
}

/// Returns a ControlPath outside of the home: in the runtime directory, which exists after each login.
fn outside(name: &str, context: Context<'_>) -> Elsewhere {
    let in_place = |directory: &str| format!("ControlPath {directory}/{name}");
    if !context.places.lacks_runtime_directory {
        return Elsewhere {
            line: in_place(RUNTIME),
            command: None,
        };
    }
    let directory = WITHOUT_RUNTIME.replace("%i", &context.uid.0.to_string());
    Elsewhere {
        line: in_place(WITHOUT_RUNTIME),
        // With -p it would accept a directory that another user has made.
        command: Some(format!("mkdir -m 700 {directory}")),
    }
}

impl Elsewhere {
    pub(super) fn add_to(&self, mut finding: Finding) -> Finding {
        let line = &self.line;
        finding.remedy = match &self.command {
            Some(_) => tr!(
                "set {line} in place of this ControlPath, and create its directory with",
                line
            ),
            None => tr!("set in place of this ControlPath: {line}", line),
        };
        let finding = finding.with_lines(for_all_hosts(line));
        match &self.command {
            Some(command) => finding.with_command(command),
            None => finding,
        }
    }

    /// Adds the command that makes the directory, if there is one, to a finding with the line.
    pub(super) fn add_command_to(&self, mut finding: Finding) -> Finding {
        let Some(command) = &self.command else {
            return finding;
        };
        finding.remedy = tr!(
            "{remedy}; create its directory with: {command}",
            remedy = finding.remedy,
            command
        );
        finding.with_command(command)
    }
}

pub(super) fn for_all_hosts(line: &str) -> [String; 2] {
    ["Host *".to_owned(), format!("    {line}")]
}

/// The length of `/%C`; `%C` is a SHA-1 in hexadecimal.
const HASH_BYTES: usize = 1 + 40;

/// Returns a ControlPath in this directory, or if that is too long, in `~/.ssh/s` or outside of the home.
pub(super) fn control_path(directory: &Path, context: Context<'_>) -> Elsewhere {
    named(directory, "%C", HASH_BYTES, context)
}

/// Returns a ControlPath for every host, in `~/.ssh/s` if that is short enough.
pub(super) fn for_every_host(context: Context<'_>) -> Elsewhere {
    usual_or_outside("%C", HASH_BYTES, context)
}

/// Like [`control_path`], with a path for each name that a user types. The longest has `name_bytes`.
pub(super) fn per_name(directory: &Path, name_bytes: usize, context: Context<'_>) -> Elsewhere {
    named(directory, "%C-%n", HASH_BYTES + 1 + name_bytes, context)
}

fn named(directory: &Path, name: &str, length: usize, context: Context<'_>) -> Elsewhere {
    if let Some(line) = in_directory_if_short(directory, context.home, length, name) {
        return Elsewhere {
            line,
            command: None,
        };
    }
    usual_or_outside(name, length, context)
}

fn in_directory_if_short(
    directory: &Path,
    home: &Path,
    length: usize,
    name: &str,
) -> Option<String> {
    let is_short = directory.as_os_str().len() + length <= MAX_USABLE_BYTES;
    is_short.then(|| in_directory(directory, home, name))?
}

/// Returns the configuration line; `None` if the path cannot be written there.
fn in_directory(directory: &Path, home: &Path, name: &str) -> Option<String> {
    let (start, rest) = match directory.strip_prefix(home) {
        Ok(below) => ("~/", below.as_os_str()),
        Err(_) => ("", directory.as_os_str()),
    };
    let rest = rest.to_str().filter(|rest| !rest.contains('"'))?;
    if text::os(OsStr::from_bytes(rest.as_bytes())) != rest {
        return None;
    }
    let rest = rest.trim_end_matches('/').replace('%', "%%");
    let slash = if rest.is_empty() && start == "~/" {
        ""
    } else {
        "/"
    };
    let path = format!("{start}{rest}{slash}{name}");
    Some(if path.contains(char::is_whitespace) {
        format!("ControlPath \"{path}\"")
    } else {
        format!("ControlPath {path}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::places::Places;
    use crate::model::samples::context_with;

    const OUTSIDE: &str = "ControlPath /run/user/%i/%C";

    fn line(directory: &str, home: &str) -> String {
        context_with(&Places::default(), &[], |context| {
            let home = Path::new(home);
            let place = control_path(Path::new(directory), Context { home, ..context });
            place.line
        })
    }

    #[test]
    fn the_suggested_path_fits_and_reads_back() {
        let long = format!("/home/u/{}", "x".repeat(60));
        for (directory, home, expected) in [
            ("/home/u/.ssh", "/home/u", "ControlPath ~/.ssh/%C"),
            ("/home/u", "/home/u", "ControlPath ~/%C"),
            ("/s", "/home/u", "ControlPath /s/%C"),
            ("/a b/50%", "/home/u", "ControlPath \"/a b/50%%/%C\""),
            (long.as_str(), "/home/u", "ControlPath ~/.ssh/s/%C"),
            (long.as_str(), long.as_str(), OUTSIDE),
            ("/new\nline", "/home/u", "ControlPath ~/.ssh/s/%C"),
            ("/", "/home/u", "ControlPath /%C"),
            ("/home/u2/s", "/home/u", "ControlPath /home/u2/s/%C"),
        ] {
            assert_eq!(line(directory, home), expected);
        }
    }

    #[test]
    fn ninety_bytes_are_room_for_a_hash_and_no_byte_more() {
        let of_length = |length: usize| format!("/{}", "x".repeat(length - 1));
        let suggested = |length| line(&of_length(length), "/home/u");
        assert_eq!(suggested(49), format!("ControlPath {}/%C", of_length(49)));
        assert_eq!(suggested(50), "ControlPath ~/.ssh/s/%C");
        assert_eq!(49 + HASH_BYTES, MAX_USABLE_BYTES);
    }

    #[test]
    fn directory_of_a_suggested_path_exists_or_has_a_command() {
        for (lacks_runtime_directory, directory, line, has_command) in [
            (false, "/h/s", OUTSIDE, false),
            (true, "/h/s", "ControlPath /var/tmp/ssh-%i/%C", true),
            (false, "/", OUTSIDE, false),
            (true, "/net/s", "ControlPath ~/.ssh/s/%C", true),
        ] {
            let places = Places {
                lacks_runtime_directory,
                ..Places::default()
            };
            context_with(&places, &[], |context| {
                let home = Path::new("/h");
                let place = elsewhere(Path::new(directory), Context { home, ..context });
                assert_eq!((&*place.line, place.command.is_some()), (line, has_command));
            });
        }
    }
}
