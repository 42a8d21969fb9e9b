//! Programs that are the person's, started outside the confines that muxtray itself keeps.
//!
//! The systemd unit of the applet takes from muxtray what it does not need: new privileges, the network, namespaces.
//! Every child of it would lose the same, and ssh, what `Match exec` and ProxyCommand run, and an editor may need all of
//! it. So under that unit they are started as units of their own, by systemd-run(1). Elsewhere nothing of this happens.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::process::Command;
use std::time::Duration;

/// Set by the unit, to say that its children are confined.
const VARIABLE: &str = "MUXTRAY_CONFINED";

/// What says something of a unit to its own processes only; see systemd.exec(5), "Environment variables".
const OF_THE_UNIT: [&str; 10] = [
    VARIABLE,
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

/// What may remain of a program that is started outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// What it leaves in the background lives on, such as a master.
    Children,
    /// Nothing: after this time it and all that it has started are killed. Its caller does that sooner; but of a unit it
    /// can only kill the messenger.
    Nothing(Duration),
}

/// Whether this process is confined.
#[must_use]
pub fn is_needed() -> bool {
    env::var_os(VARIABLE).is_some_and(|value| !value.is_empty())
}

/// The command, started outside where this process is confined: same arguments, environment and directory, same
/// standard streams, same exit status. How it is spawned (streams, process group) is to be set on what is returned.
#[must_use]
pub fn command(command: Command, remains: Remains) -> Command {
    if is_needed() {
        wrapped(&command, remains, env::vars_os())
    } else {
        command
    }
}

fn wrapped(
    command: &Command,
    remains: Remains,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Command {
    let mut outside = Command::new("systemd-run");
    outside
        .args(["--user", "--quiet", "--collect", "--wait", "--pipe"])
        .args(["--same-dir", "--service-type=exec"])
        // Or the journal would have three lines for each host that ssh is asked about.
        .args(["--property", "LogLevelMax=notice"]);
    match remains {
        Remains::Children => outside.args(["--property", "KillMode=process"]),
        Remains::Nothing(limit) => {
            let seconds = limit.as_secs() + 1;
            outside.arg(format!("--property=RuntimeMaxSec={seconds}"))
        }
    };
    let mut variables: Vec<(OsString, OsString)> = environment.collect();
    for (name, value) in command.get_envs() {
        variables.retain(|(known, _)| known != name);
        match value {
            Some(value) => {
                outside.env(name, value);
                variables.push((name.to_owned(), value.to_owned()));
            }
            None => drop(outside.env_remove(name)),
        }
    }
    for (name, value) in variables {
        if can_be_handed_on(&name, &value) {
            // The name alone: everybody may read arguments.
            outside.arg("--setenv").arg(name);
        }
    }
    if let Some(directory) = command.get_current_dir() {
        outside.current_dir(directory);
    }
    outside.arg("--").arg(command.get_program());
    outside.args(command.get_args().map(literal));
    outside
}

/// systemd refuses the whole command for one variable that a shell could not have made.
fn can_be_handed_on(name: &OsStr, value: &OsStr) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let is_named = name.as_bytes().iter().all(is_name)
        && name
            .as_bytes()
            .first()
            .is_some_and(|byte| !byte.is_ascii_digit());
    let is_printable = |text: &str| {
        !text
            .chars()
            .any(|one| one.is_control() && !matches!(one, '\n' | '\t'))
    };
    is_named
        && !OF_THE_UNIT.iter().any(|own| name == *own)
        && value.to_str().is_some_and(is_printable)
}

/// systemd replaces `$NAME` in arguments; `$$` is a dollar sign to it.
fn literal(argument: &OsStr) -> OsString {
    let bytes = argument.as_bytes().iter();
    let doubled = bytes.flat_map(|byte| std::iter::repeat_n(*byte, 1 + usize::from(*byte == b'$')));
    OsString::from_vec(doubled.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> Vec<&str> {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_str().unwrap()).collect()
    }

    fn environment(pairs: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
        let owned: Vec<_> = pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        owned.into_iter()
    }

    #[test]
    fn a_command_is_handed_on_whole() {
        let mut ssh = Command::new("/usr/bin/ssh");
        ssh.args(["-S", "/s/a$b %h", "--", "web"])
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env_remove("G_SLICE")
            .current_dir("/home");
        let around = environment(&[
            ("PATH", "/bin"),
            ("G_SLICE", "always-malloc"),
            ("INVOCATION_ID", "1"),
            ("MUXTRAY_CONFINED", "1"),
            ("BASH_FUNC_x%%", "() { :; }"),
            ("1ST", ""),
            ("BELL", "\u{7}"),
            ("LINES", "a\n\tb"),
        ]);
        let outside = wrapped(&ssh, Remains::Children, around);
        let words = words(&outside);
        let (before, after) = words.split_at(words.iter().position(|word| *word == "--").unwrap());
        assert_eq!(
            after,
            ["--", "/usr/bin/ssh", "-S", "/s/a$$b %h", "--", "web"]
        );
        assert!(before.contains(&"KillMode=process"), "{before:?}");
        let handed: Vec<&str> = before
            .windows(2)
            .filter_map(|pair| (pair[0] == "--setenv").then_some(pair[1]))
            .collect();
        assert_eq!(handed, ["PATH", "LINES", "SSH_ASKPASS_REQUIRE"]);
        assert!(outside.get_envs().any(|(name, value)| {
            name == "SSH_ASKPASS_REQUIRE" && value == Some(OsStr::new("force"))
        }));
        assert_eq!(outside.get_current_dir(), Some("/home".as_ref()));
    }

    #[test]
    fn what_may_leave_nothing_has_a_limit_of_its_own() {
        let remains = Remains::Nothing(Duration::from_secs(5));
        let outside = wrapped(&Command::new("ssh"), remains, environment(&[]));
        let words = words(&outside);
        assert!(words.contains(&"--property=RuntimeMaxSec=6"), "{words:?}");
        assert!(!words.contains(&"KillMode=process"), "{words:?}");
    }

    #[test]
    fn the_tests_are_not_confined() {
        let mut plain = Command::new("ssh");
        plain.arg("-G");
        let plain = command(plain, Remains::Children);
        assert_eq!(words(&plain), ["ssh", "-G"]);
    }
}
