//! Whether ssh can ask a person in a window, as a master does with ControlMaster ask and autoask.
//!
//! Source: `read_passphrase()` in readpass.c.

use std::ffi::OsStr;
use std::path::Path;

use crate::files;
use crate::model::control_path::Known;

/// ssh has the path of its default program compiled in; these are the distributions'.
const DEFAULTS: [&str; 5] = [
    "/usr/bin/ssh-askpass",
    "/usr/libexec/openssh/ssh-askpass",
    "/usr/lib/ssh/ssh-askpass",
    "/usr/libexec/ssh-askpass",
    "/usr/X11R6/bin/ssh-askpass",
];

pub(super) fn can_ask(known: &Known) -> bool {
    can_ask_with(|name| known.variable(name), files::is_program)
}

fn can_ask_with<'a>(
    variable: impl Fn(&str) -> Option<&'a OsStr>,
    is_executable: impl Fn(&Path) -> bool,
) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let required = variable("SSH_ASKPASS_REQUIRE").unwrap_or_default();
    let has_display = is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
    let may_ask = if required.eq_ignore_ascii_case("force") {
        true
    } else {
        has_display && !required.eq_ignore_ascii_case("never")
    };
    may_ask
        && match variable("SSH_ASKPASS").map(Path::new) {
            // A name without a slash is looked up, as execlp(3) does.
            Some(name) if name.components().count() == 1 && !name.is_absolute() => {
                let path = variable("PATH").unwrap_or_default();
                std::env::split_paths(path).any(|directory| is_executable(&directory.join(name)))
            }
            Some(program) => is_executable(program),
            None => DEFAULTS.iter().any(|path| is_executable(Path::new(path))),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_needs_a_display_and_a_program() {
        for (variables, expected) in [
            (&[("DISPLAY", ":0")][..], false),
            (&[("SSH_ASKPASS", "/a/ask")], false),
            (&[("DISPLAY", ":0"), ("SSH_ASKPASS", "/a/ask")], true),
            (&[("DISPLAY", ""), ("SSH_ASKPASS", "/a/ask")], false),
            (&[("WAYLAND_DISPLAY", "w"), ("SSH_ASKPASS", "/a/ask")], true),
            (&[("DISPLAY", ":0"), ("SSH_ASKPASS", "/a/none")], false),
            (&[("DISPLAY", ":0"), ("SSH_ASKPASS", "")], false),
            (
                &[("DISPLAY", ":0"), ("SSH_ASKPASS", "ask"), ("PATH", "/b:/a")],
                true,
            ),
            (
                &[("SSH_ASKPASS_REQUIRE", "force"), ("SSH_ASKPASS", "/a/ask")],
                true,
            ),
            (
                &[("SSH_ASKPASS_REQUIRE", "prefer"), ("SSH_ASKPASS", "/a/ask")],
                false,
            ),
            (
                &[
                    ("DISPLAY", ":0"),
                    ("SSH_ASKPASS_REQUIRE", "never"),
                    ("SSH_ASKPASS", "/a/ask"),
                ],
                false,
            ),
        ] {
            let variable = |name: &str| {
                let mut found = variables.iter().filter(|(known, _)| *known == name);
                found.next().map(|(_, value)| OsStr::new(*value))
            };
            let found = can_ask_with(variable, |path| path == Path::new("/a/ask"));
            assert_eq!(found, expected, "{variables:?}");
        }
    }
}
