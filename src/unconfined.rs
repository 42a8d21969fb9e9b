//! Starts the user's programs outside the sandbox of the applet's systemd unit.
//!
//! `muxtray.service` takes new privileges, the network and namespaces from muxtray and its children. But ssh, the
//! programs of `Match exec` and ProxyCommand, and an editor may need them. Under that unit systemd-run(1) starts each of
//! these programs as a unit of its own. Elsewhere commands are not changed.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;
use std::time::Duration;

use crate::model::text;

/// Set by `muxtray.service`.
const CONFINED: &str = "MUXTRAY_CONFINED";

/// Variables that are valid only for processes of the unit; see systemd.exec(5), "Environment variables".
const UNIT_VARIABLES: [&str; 10] = [
    CONFINED,
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "MAINPID",
    "MANAGERPID",
    "NOTIFY_SOCKET",
    "SYSTEMD_EXEC_PID",
];

/// Environment variables that lower the applet's memory use. The programs that it opens must not inherit them.
pub const APPLET_ENVIRONMENT: [(&str, &str); 3] = [
    // GTK would load GL drivers for nothing: tens of megabytes.
    ("GDK_GL", "disable"),
    // The C library would give every thread a heap of its own; ours sleep.
    ("MALLOC_ARENA_MAX", "1"),
    // GLib before 2.76 keeps small blocks in pages of its own beside that heap.
    ("G_SLICE", "always-malloc"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Children in the background, such as a master, outlive the program.
    Unlimited,
    /// systemd kills the unit after this time. The caller, which has the same limit, can kill only systemd-run.
    Limited(Duration),
}

pub fn is_confined() -> bool {
    env::var_os(CONFINED).is_some_and(|value| !value.is_empty())
}

/// Wraps the command in systemd-run if this process is confined, with the same arguments, environment, directory,
/// standard streams and exit status. Set streams and process group on the returned command.
pub fn command(command: Command, lifetime: Lifetime) -> Command {
    if is_confined() {
        wrapped(&command, lifetime, env::vars_os())
    } else {
        command
    }
}

fn wrapped(
    command: &Command,
    lifetime: Lifetime,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Command {
    let mut outside = Command::new("systemd-run");
    outside
        .args(["--user", "--quiet", "--collect", "--wait", "--pipe"])
        .args(["--same-dir", "--service-type=exec"])
        // Without it the journal has three lines for each `ssh -G`.
        .args(["--property", "LogLevelMax=notice"]);
    match lifetime {
        Lifetime::Unlimited => outside.args(["--property", "KillMode=process"]),
        Lifetime::Limited(limit) => {
            let seconds = limit.as_secs() + 1;
            outside.arg(format!("--property=RuntimeMaxSec={seconds}"))
        }
    };
    let mut variables: Vec<(OsString, OsString)> = environment.collect();
    for (name, value) in command.get_envs() {
        variables.retain(|(known, _)| known != name);
        if let Some(value) = value {
            outside.env(name, value);
            variables.push((name.to_owned(), value.to_owned()));
        } else {
            outside.env_remove(name);
        }
    }
    variables.retain(|(name, value)| can_be_passed(name, value));
    for (name, _) in variables {
        // Without the value, since every user can read arguments.
        outside.arg("--setenv").arg(name);
    }
    if let Some(directory) = command.get_current_dir() {
        outside.current_dir(directory);
    }
    outside.arg("--").arg(command.get_program());
    // systemd replaces `$NAME` in arguments, and `$$` with a dollar sign.
    outside.args(command.get_args().map(|it| text::doubled(it, b'$')));
    outside
}

/// systemd-run fails if the name or value of one variable is not valid; see `env_assignment_is_valid()` in systemd.
fn can_be_passed(name: &OsStr, value: &OsStr) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let is_printable = |one: char| !one.is_control() || matches!(one, '\n' | '\t');
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|first| !first.is_ascii_digit())
        && bytes.iter().all(is_name)
        && !UNIT_VARIABLES.iter().any(|own| name == *own)
        && value
            .to_str()
            .is_some_and(|text| text.chars().all(is_printable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> Vec<&str> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_str().unwrap()).collect()
    }

    #[test]
    fn command_keeps_arguments_environment_and_directory() {
        let mut ssh = Command::new("/usr/bin/ssh");
        ssh.args(["-S", "/s/a$b %h", "--", "web"])
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env_remove("G_SLICE")
            .current_dir("/home");
        let around = [
            ("PATH", "/bin"),
            ("G_SLICE", "always-malloc"),
            ("INVOCATION_ID", "1"),
            ("MUXTRAY_CONFINED", "1"),
            ("BASH_FUNC_x%%", "() { :; }"),
            ("1ST", ""),
            ("BELL", "\u{7}"),
            ("LINES", "a\n\tb"),
        ];
        let around = around.map(|(name, value)| (name.into(), value.into()));
        let outside = wrapped(&ssh, Lifetime::Unlimited, around.into_iter());
        let words = words(&outside);
        let (before, after) = words.split_at(words.iter().position(|word| *word == "--").unwrap());
        assert_eq!(
            after,
            ["--", "/usr/bin/ssh", "-S", "/s/a$$b %h", "--", "web"]
        );
        assert!(before.contains(&"KillMode=process"), "{before:?}");
        let passed: Vec<&str> = before
            .windows(2)
            .filter_map(|pair| (pair[0] == "--setenv").then_some(pair[1]))
            .collect();
        assert_eq!(passed, ["PATH", "LINES", "SSH_ASKPASS_REQUIRE"]);
        assert!(outside.get_envs().any(|(name, value)| {
            name == "SSH_ASKPASS_REQUIRE" && value == Some(OsStr::new("force"))
        }));
        assert_eq!(outside.get_current_dir(), Some("/home".as_ref()));
    }

    #[test]
    fn limited_command_has_a_second_more_than_its_caller() {
        let lifetime = Lifetime::Limited(Duration::from_secs(5));
        let outside = wrapped(&Command::new("ssh"), lifetime, std::iter::empty());
        let words = words(&outside);
        assert!(words.contains(&"--property=RuntimeMaxSec=6"), "{words:?}");
        assert!(!words.contains(&"KillMode=process"), "{words:?}");
    }
}
