//! The users and groups of other sources than the files (nsswitch.conf(5)), asked by getent(1): sssd, LDAP, winbind,
//! systemd-homed and others.
//!
//! glibc looks in every source for a user's groups at login, so each is asked by itself.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::bounded_command::{BoundedCommand, Failure};
use crate::model::group::GroupId;
use crate::unconfined::{self, Lifetime};

/// The limit for one getent: it hangs with the server of a directory service.
const DEADLINE: Duration = Duration::from_secs(2);

/// The exit statuses of getent with an answer: all or some keys found, or the source lists nothing.
const ANSWERS: [i32; 3] = [0, 2, 3];

/// The answer of a source, in the form of passwd(5) and group(5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Entries {
    /// Those that the source lists, which may not be all.
    pub(super) passwd: String,
    /// The groups that were asked for.
    pub(super) group: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing runs that could answer.
    NotInUse,
    Entries(Entries),
    None,
}

/// The sources whose library comes with glibc, systemd or a daemon. Any of the paths exists while its daemon runs; a source
/// without one reads files, besides the processes of systemd.
const SOURCES: [(&str, &[&str]); 7] = [
    ("systemd", &[]),
    ("mymachines", &[]),
    // `/usr/lib/passwd` of ostree.
    ("altfiles", &[]),
    ("extrausers", &[]),
    ("db", &[]),
    ("sss", &["/var/lib/sss/pipes/nss"]),
    ("winbind", &["/run/samba/winbindd/pipe"]),
];

fn sockets(source: &str) -> Option<&'static [&'static str]> {
    let known = SOURCES.iter().find(|(name, _)| *name == source);
    known.map(|(_, sockets)| *sockets)
}

/// Whether a source lists all its users: a directory service does not.
pub(super) fn lists_users(source: &str) -> bool {
    sockets(source).is_some_and(<[_]>::is_empty)
}

/// Returns the sources of users and groups besides the files. `compat` is `files` unless an entry begins with `+` or `-`.
pub(super) fn sources(nsswitch: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in nsswitch.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((database, sources)) = line.split_once(':') else {
            continue;
        };
        if !matches!(database.trim(), "passwd" | "group" | "initgroups") {
            continue;
        }
        // Brackets hold actions, not sources: `files [SUCCESS=merge] systemd`.
        for part in sources.split(['[', ']']).step_by(2) {
            for source in part.split_whitespace() {
                if !matches!(source, "files" | "compat") && !found.contains(&source) {
                    found.push(source);
                }
            }
        }
    }
    found
}

/// Asks each source for its users and these groups, all at a time.
pub(super) fn ask(sources: &[&str], groups: &[GroupId]) -> Vec<Answer> {
    let keys: Vec<String> = groups.iter().map(|group| group.0.to_string()).collect();
    let started = sources.iter().map(|source| {
        let known = sockets(source);
        let sockets = known.unwrap_or_default();
        let is_in_use = sockets.is_empty() || sockets.iter().any(|path| Path::new(path).exists());
        let getent = |database, keys| start(source, database, keys);
        let running = is_in_use.then(|| (getent("passwd", &[]), getent("group", &keys)));
        (known, running)
    });
    let started: Vec<_> = started.collect();
    let answers = started.into_iter().map(|(known, running)| {
        let Some((passwd, group)) = running else {
            return Answer::NotInUse;
        };
        let (Some(passwd), Some(group)) = (finish(passwd), finish(group)) else {
            return Answer::None;
        };
        // A source that is not known here answered if it has anything.
        if known.is_none() && passwd.is_empty() && group.is_empty() {
            return Answer::None;
        }
        Answer::Entries(Entries { passwd, group })
    });
    answers.collect()
}

fn start(source: &str, database: &str, keys: &[String]) -> Result<BoundedCommand, Failure> {
    let mut command = Command::new("getent");
    command.args(["-s", source, database]).args(keys);
    let command = unconfined::command(command, Lifetime::Limited(DEADLINE));
    BoundedCommand::start(command, DEADLINE)
}

fn finish(getent: Result<BoundedCommand, Failure>) -> Option<String> {
    let output = getent
        .and_then(BoundedCommand::finish)
        .inspect_err(|failure| tracing::debug!("getent: {failure:?}"))
        .ok()?;
    let is_answer = output.status.code().is_some_and(|it| ANSWERS.contains(&it));
    is_answer.then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_besides_the_files() {
        for (nsswitch, expected) in [
            ("", &[][..]),
            ("passwd: files\ngroup: files\nhosts: files dns\n", &[]),
            (
                "passwd:\tfiles systemd\ngroup: files [SUCCESS=merge] systemd # x\n",
                &["systemd"],
            ),
            (
                "group: files [!UNAVAIL=return SUCCESS=merge] systemd\n",
                &["systemd"],
            ),
            ("passwd: compat\n", &[]),
            (
                "passwd: sss files systemd\ngroup: sss files\n",
                &["sss", "systemd"],
            ),
            (
                "initgroups: files winbind\n  group : files ldap\n",
                &["winbind", "ldap"],
            ),
            ("#group: files sss\n", &[]),
        ] {
            assert_eq!(sources(nsswitch), expected, "{nsswitch}");
        }
    }

    #[test]
    fn a_source_without_a_library_or_daemon_does_not_answer() {
        let answers = ask(&["no-such-source", "sss"], &[GroupId(0)]);
        assert_eq!(answers[0], Answer::None);
        if !Path::new("/var/lib/sss/pipes/nss").exists() {
            assert_eq!(answers[1], Answer::NotInUse);
        }
    }
}
