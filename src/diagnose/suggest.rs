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
pub(super) const RUNTIME: &str = "ControlPath /run/user/%i/%C";

/// A ControlPath in a directory of the user's own, which the command creates.
#[derive(Debug)]
pub(super) struct Elsewhere {
    line: String,
    command: Option<String>,
}

/// Returns a ControlPath that needs nothing of this directory: in the home, or if the directory is there already, in the
/// runtime directory, which exists after each login.
pub(super) fn elsewhere(directory: &Path, context: Context<'_>) -> Elsewhere {
    let usual = context.home.join(".ssh/s");
    let line = if directory.starts_with(context.home) {
        RUNTIME.to_owned()
    } else {
        control_path(&usual, context.home)
    };
    let make = || format!("mkdir -p -m 700 {}", context.tilde.shell_word(&usual));
    Elsewhere {
        command: (line != RUNTIME).then(make),
        line,
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
}

pub(super) fn for_all_hosts(line: &str) -> [String; 2] {
    ["Host *".to_owned(), format!("    {line}")]
}

/// The length of `/%C`; `%C` is a SHA-1 in hexadecimal.
const HASH_BYTES: usize = 1 + 40;

/// Returns a ControlPath in this directory, or if that is too long, in `~/.ssh/s` or in the runtime directory.
pub(super) fn control_path(directory: &Path, home: &Path) -> String {
    in_first(directory, home, HASH_BYTES, "%C").unwrap_or_else(|| RUNTIME.to_owned())
}

/// Like [`control_path`], with a path for each name that a user types. The longest has `name_bytes`.
pub(super) fn per_name(directory: &Path, home: &Path, name_bytes: usize) -> String {
    in_first(directory, home, HASH_BYTES + 1 + name_bytes, "%C-%n")
        .unwrap_or_else(|| format!("{RUNTIME}-%n"))
}

fn in_first(directory: &Path, home: &Path, length: usize, name: &str) -> Option<String> {
    let usual = home.join(".ssh/s");
    [directory, &usual]
        .into_iter()
        .find(|directory| directory.as_os_str().len() + length <= MAX_USABLE_BYTES)
        .and_then(|directory| in_directory(directory, home, name))
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

    #[test]
    fn the_suggested_path_fits_and_reads_back() {
        let long = format!("/home/u/{}", "x".repeat(60));
        for (directory, home, line) in [
            ("/home/u/.ssh", "/home/u", "ControlPath ~/.ssh/%C"),
            ("/home/u", "/home/u", "ControlPath ~/%C"),
            ("/s", "/home/u", "ControlPath /s/%C"),
            ("/a b/50%", "/home/u", "ControlPath \"/a b/50%%/%C\""),
            (long.as_str(), "/home/u", "ControlPath ~/.ssh/s/%C"),
            (long.as_str(), long.as_str(), RUNTIME),
            ("/new\nline", "/home/u", RUNTIME),
            ("/quo\"te", "/home/u", RUNTIME),
            ("/", "/home/u", "ControlPath /%C"),
            ("/home/u2/s", "/home/u", "ControlPath /home/u2/s/%C"),
        ] {
            assert_eq!(control_path(Path::new(directory), Path::new(home)), line);
        }
    }

    #[test]
    fn ninety_bytes_are_room_for_a_hash_and_no_byte_more() {
        let of_length = |length: usize| format!("/{}", "x".repeat(length - 1));
        let suggested = |length| control_path(Path::new(&of_length(length)), Path::new("/home/u"));
        assert_eq!(suggested(49), format!("ControlPath {}/%C", of_length(49)));
        assert_eq!(suggested(50), "ControlPath ~/.ssh/s/%C");
        assert_eq!(49 + HASH_BYTES, MAX_USABLE_BYTES);
    }
}
