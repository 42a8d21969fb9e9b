//! What each state and each kind of finding means, and what to do about it, in general: the words of the man page and
//! of the README's tables, which a test holds against these.
//!
//! What is true of one socket or directory at one moment, with its numbers and its very command, is said by
//! [`crate::diagnose::remedy`] and [`crate::diagnose`]. Text between backticks is what a person types or reads literally.

use super::finding::{FindingId, Severity};

/// The words for one state or one kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guide {
    /// Its name in JSON, tables and the configuration.
    pub name: &'static str,
    /// How much it matters; none for a state that is well.
    pub severity: Option<Severity>,
    /// What is the case.
    pub means: &'static str,
    /// What to do.
    pub help: &'static str,
}

/// The states, each socket has one: the one that is well, then the others.
pub fn states() -> impl Iterator<Item = Guide> {
    let running = Guide {
        name: "running",
        severity: None,
        means: "a master listens and accepts",
        help: "nothing",
    };
    std::iter::once(running).chain(of_kind(true))
}

/// The findings beside the states.
pub fn findings() -> impl Iterator<Item = Guide> {
    of_kind(false)
}

fn of_kind(states: bool) -> impl Iterator<Item = Guide> {
    FindingId::ALL
        .iter()
        .filter(move |id| id.is_state() == states)
        .map(|&id| guide(id))
}

/// The words for one kind of finding.
#[must_use]
pub const fn guide(id: FindingId) -> Guide {
    let (means, help) = words(id);
    Guide {
        name: id.as_str(),
        severity: Some(id.severity()),
        means,
        help,
    }
}

const fn words(id: FindingId) -> (&'static str, &'static str) {
    match id {
        FindingId::Suspect => (
            "a master runs, but the network behind it is doubtful: data is being sent again, there is no route, or \
             nothing was heard since the machine slept or the way changed",
            "wait for the next answer, which settles it",
        ),
        FindingId::Stranded => (
            "a master runs, but its connection is dead: its local address is gone (a VPN, another Wi-Fi), or data met \
             no answer for 15 seconds (ServerAliveInterval times ServerAliveCountMax where set)",
            "`muxtray open --force` ends it and starts another, as Reconnect in the menu does; or bring the address back",
        ),
        FindingId::Unresponsive => (
            "a master holds the socket but does not accept or answer",
            "`kill -CONT` if its process is stopped; else `muxtray exit --end-process`",
        ),
        FindingId::Stale => (
            "nobody listens: the master died without cleaning up",
            "`muxtray clean`",
        ),
        FindingId::Misowned => (
            "the file belongs to another user, often root after `sudo ssh`",
            "remove it as that user",
        ),
        FindingId::Foreign => (
            "something that is not an ssh of yours listens",
            "do not connect through it; look who it is",
        ),
        FindingId::NotASocket => (
            "a file, directory or symlink stands where the socket should",
            "move it away",
        ),
        FindingId::Denied => (
            "you may not look or connect",
            "mend the mode of the file or directory",
        ),
        FindingId::Leftover => (
            "the temporary name of a start that broke off",
            "`muxtray clean`",
        ),
        FindingId::Orphaned => (
            "a master lives on without its socket file",
            "let its sessions end, then `muxtray exit --end-process`; a plain `kill` may remove its successor's socket",
        ),
        FindingId::Unverifiable => (
            "nothing can be proven: on a network filesystem, where it may be another machine's",
            "look there; put `%C` or `%L` into ControlPath",
        ),
        FindingId::InsecureMode => (
            "group or others may use the socket",
            "`chmod 600`, or `muxtray doctor --fix`",
        ),
        FindingId::SessionsAtLimit => (
            "ten sessions or more: as many as a server's MaxSessions takes by default",
            "close some, or have MaxSessions raised on the server",
        ),
        FindingId::NoPersistExpiry => (
            "ControlPersist never ends the master, and nobody has used it for a day",
            "`muxtray exit`; give ControlPersist a time, such as `10m`",
        ),
        FindingId::DirectoryMissing => (
            "ControlPath's directory is not there, so ssh fails",
            "make it with `mkdir -m 700`, or `muxtray doctor --fix`",
        ),
        FindingId::DirectoryInsecure => (
            "others may put their own socket there: group or others may write to it, or to a directory above without \
             the sticky bit",
            "`chmod go-w`, or `muxtray doctor --fix`; in a directory for all, such as `/tmp`, give ControlPath another",
        ),
        FindingId::DirectoryMisowned => (
            "it belongs to another user, often root after `sudo`",
            "`sudo chown` it to you",
        ),
        FindingId::DirectoryNotWritable => (
            "you may not make a socket in it: its mode, a closed parent, a read-only mount",
            "`chmod u+rwx`, or give ControlPath another directory",
        ),
        FindingId::FilesystemUnsupported => (
            "no sockets or no hard links there: vfat, exfat, NTFS, Windows drives",
            "give ControlPath a directory on another filesystem",
        ),
        FindingId::FilesystemFull => (
            "no space or no inode left for you, or your quota is used up",
            "make room",
        ),
        FindingId::FilesystemNetwork => (
            "NFS, CIFS, sshfs and others: sockets may be another machine's",
            "give ControlPath a directory of this machine's, such as `/run/user/%i/%C`",
        ),
        FindingId::PathTooLong => (
            "over 90 bytes once expanded, for any configured host",
            "a shorter ControlPath; `%C` is always 40 bytes",
        ),
        FindingId::PathCollision => (
            "hosts with different user, host name or port share a path: you would reach the wrong one",
            "put `%C` into ControlPath",
        ),
        FindingId::PathNotPerMachine => (
            "a shared home, and neither `%C` nor `%l` nor `%L` in ControlPath",
            "put `%C` into ControlPath",
        ),
        FindingId::NoControlPersist => (
            "ControlMaster without ControlPersist: the first session has to stay open for the others",
            "`ControlPersist 10m`",
        ),
        FindingId::NoKeepalive => (
            "multiplexing with ServerAliveInterval 0: a dead network hangs every session",
            "`ServerAliveInterval 15`",
        ),
        FindingId::ConfigInvalid => (
            "muxtray's own configuration file is not valid; the last good settings stay in force",
            "`muxtray config edit`",
        ),
        FindingId::SshConfigInvalid => (
            "a part of the ssh configuration could not be read or understood",
            "mend the file and line it names",
        ),
        FindingId::WatchLimit => (
            "a limit of the kernel's is reached (inotify, open files), so muxtray looks every 30 seconds instead",
            "`sudo sysctl fs.inotify.max_user_watches=524288`, or whichever limit it names",
        ),
        FindingId::SshMissing => ("ssh cannot be started", "install it, or set `ssh_program`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_is_told_once() {
        let told: Vec<_> = states().chain(findings()).map(|guide| guide.name).collect();
        let mut all: Vec<_> = FindingId::ALL.iter().map(|id| id.as_str()).collect();
        all.push("running");
        let mut sorted = told.clone();
        sorted.sort_unstable();
        all.sort_unstable();
        assert_eq!(sorted, all);
    }

    #[test]
    fn the_words_fit_a_row_of_a_table() {
        for guide in states().chain(findings()) {
            for text in [guide.means, guide.help] {
                assert!(!text.contains(['|', '\n', '\\']), "{text}");
                assert!(!text.contains("  "), "{text}");
                assert_eq!(text.matches('`').count() % 2, 0, "{text}");
                assert!(!text.ends_with('.'), "{text}");
            }
        }
    }

    #[test]
    fn states_and_findings_are_told_apart_each_with_its_words() {
        let line = |guide: Guide| {
            let Guide {
                name,
                severity,
                means,
                help,
            } = guide;
            assert!(!means.is_empty() && !help.is_empty(), "{name}");
            let severity = severity.map_or("well", Severity::as_str);
            format!("{name} ({severity}): {means}\n    {help}")
        };
        let states: Vec<String> = states().map(line).collect();
        let findings: Vec<String> = findings().map(line).collect();
        assert_eq!(states.len(), 12);
        insta::assert_snapshot!(format!("{}\n\n{}", states.join("\n"), findings.join("\n")));
    }
}
