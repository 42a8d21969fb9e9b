//! The messages that ssh prints when multiplexing fails, one row each. `doctor --explain`, the man page and
//! `docs/ssh-messages.md` come from these rows.
//!
//! OpenSSH is not translated, so a message is recognised by its fixed text. ssh can print `debug1:` or the name of a
//! function before it. Source: mux.c, misc.c and clientloop.c of OpenSSH.

use std::path::Path;

use crate::model::control_path::ControlPath;
use crate::model::finding::FindingId;
use crate::model::text::marked;

#[derive(Debug, PartialEq, Eq)]
pub struct SshMessage {
    /// The texts that mean this, without variable parts: PATH, HOST and NUMBER; `.RANDOM`, the suffix of a master's
    /// temporary name, which may be absent; `...`, anything.
    pub wordings: &'static [&'static str],
    pub meaning: &'static str,
    /// The findings that can cause it, the most likely first; none if nothing has to be wrong.
    pub causes: &'static [FindingId],
    pub remedy: &'static str,
}

/// Specific messages come before those that end in `...`, because the first match counts.
pub static SSH_MESSAGES: &[SshMessage] = &[
    SshMessage {
        wordings: &["Control socket connect(PATH): Connection refused"],
        meaning: marked!(
            "no process listens on the control socket: its master ended without removing it"
        ),
        causes: &[
            FindingId::Stale,
            FindingId::Leftover,
            FindingId::Unverifiable,
        ],
        remedy: marked!("remove the stale socket with: muxtray clean"),
    },
    SshMessage {
        wordings: &["Control socket connect(PATH): Permission denied"],
        meaning: marked!("you may not use the control socket, or a directory on its path"),
        causes: &[
            FindingId::Denied,
            FindingId::Misowned,
            FindingId::DirectoryMisowned,
            FindingId::DirectoryNotWritable,
        ],
        remedy: marked!("use the socket as its owner, without sudo, or choose another ControlPath"),
    },
    SshMessage {
        wordings: &["Control socket connect(PATH): No such file or directory"],
        meaning: marked!("no master is running, or the directory of the ControlPath is missing"),
        causes: &[FindingId::DirectoryMissing],
        remedy: marked!("start a master with: muxtray open HOST"),
    },
    SshMessage {
        wordings: &[
            "Control socket connect(PATH): Socket operation on non-socket",
            "ControlPath PATH is not a socket",
        ],
        meaning: marked!("a file of another type is in the place of the control socket"),
        causes: &[FindingId::NotASocket],
        remedy: marked!("rename or remove the file, or choose another ControlPath"),
    },
    SshMessage {
        wordings: &["Control socket connect(PATH): Resource temporarily unavailable"],
        meaning: marked!(
            "a master holds the control socket but accepts no connections: it is stopped, hung or overloaded"
        ),
        causes: &[FindingId::Unresponsive],
        remedy: marked!(
            "continue the process if it is stopped; otherwise end it with: muxtray exit --end-process HOST"
        ),
    },
    SshMessage {
        wordings: &["Control socket connect(PATH): ..."],
        meaning: marked!("ssh could not connect to the control socket"),
        causes: &[
            FindingId::Stale,
            FindingId::Denied,
            FindingId::Foreign,
            FindingId::Unresponsive,
            FindingId::Unverifiable,
        ],
        remedy: marked!("find the cause with: muxtray doctor"),
    },
    SshMessage {
        wordings: &["Control socket \"PATH\" does not exist"],
        meaning: marked!("no master is running, which is normal on a first connection"),
        causes: &[FindingId::DirectoryMissing],
        remedy: marked!("nothing to do"),
    },
    SshMessage {
        wordings: &["Stale control socket PATH, unlinking"],
        meaning: marked!("ssh found a stale control socket and removed it"),
        causes: &[FindingId::Stale],
        remedy: marked!("nothing to do"),
    },
    SshMessage {
        wordings: &["ControlSocket PATH already exists, disabling multiplexing"],
        meaning: marked!(
            "the path existed when ssh wanted to listen on it: two masters started at once, or the socket is stale and ControlMaster is yes; this connection is not shared"
        ),
        causes: &[FindingId::Stale, FindingId::Orphaned],
        remedy: marked!("set ControlMaster auto, and remove a stale socket with: muxtray clean"),
    },
    SshMessage {
        wordings: &["cannot bind to path PATH.RANDOM: No such file or directory"],
        meaning: marked!("the directory of the ControlPath does not exist, so ssh gave up"),
        causes: &[FindingId::DirectoryMissing],
        remedy: marked!("create the directory with: muxtray doctor --fix"),
    },
    SshMessage {
        wordings: &["cannot bind to path PATH.RANDOM: Permission denied"],
        meaning: marked!(
            "ssh may not create its socket in the directory of the ControlPath, so it gave up"
        ),
        causes: &[
            FindingId::DirectoryNotWritable,
            FindingId::DirectoryMisowned,
        ],
        remedy: marked!(
            "make the directory your own with mode 0700, or choose another ControlPath"
        ),
    },
    SshMessage {
        wordings: &["cannot bind to path PATH.RANDOM: Read-only file system"],
        meaning: marked!("the filesystem of the ControlPath is read-only, so ssh gave up"),
        causes: &[FindingId::DirectoryNotWritable],
        remedy: marked!("choose a ControlPath on a writable filesystem, such as /run/user/%i/%C"),
    },
    SshMessage {
        wordings: &["cannot bind to path PATH.RANDOM: No space left on device"],
        meaning: marked!(
            "the filesystem has no space or no inode left for the socket, so ssh gave up"
        ),
        causes: &[FindingId::FilesystemFull],
        remedy: marked!("free space, or choose a ControlPath on another filesystem"),
    },
    SshMessage {
        wordings: &["cannot bind to path PATH.RANDOM: Disk quota exceeded"],
        meaning: marked!("your quota on the filesystem is used up, so ssh gave up"),
        causes: &[FindingId::FilesystemFull],
        remedy: marked!("free space, or choose a ControlPath on another filesystem"),
    },
    SshMessage {
        wordings: &[
            "cannot bind to path PATH.RANDOM: Operation not supported",
            "cannot bind to path PATH.RANDOM: Operation not permitted",
        ],
        meaning: marked!("the filesystem of the ControlPath cannot hold sockets, so ssh gave up"),
        causes: &[FindingId::FilesystemUnsupported],
        remedy: marked!("choose a ControlPath on a local filesystem, such as /run/user/%i/%C"),
    },
    SshMessage {
        wordings: &["cannot bind to path PATH.RANDOM: ..."],
        meaning: marked!("ssh could not create its socket, so it gave up"),
        causes: &[
            FindingId::DirectoryMissing,
            FindingId::DirectoryNotWritable,
            FindingId::FilesystemFull,
            FindingId::FilesystemUnsupported,
        ],
        remedy: marked!("find the cause with: muxtray doctor"),
    },
    SshMessage {
        wordings: &[
            "\"PATH.RANDOM\" too long for Unix domain socket",
            "ControlPath too long ('PATH' >= NUMBER bytes)",
            "ControlPath too long for Unix domain socket",
        ],
        meaning: marked!(
            "the ControlPath does not fit a socket address with the 17 bytes that ssh appends while it starts"
        ),
        causes: &[FindingId::PathTooLong],
        remedy: marked!("use %C in ControlPath, in a directory with a short path"),
    },
    SshMessage {
        wordings: &[
            "link mux listener PATH.RANDOM => PATH: Operation not permitted",
            "link mux listener PATH.RANDOM => PATH: ...",
        ],
        meaning: marked!(
            "the master could not link its socket to its final name and exited: the filesystem has no hard links, or is full"
        ),
        causes: &[FindingId::FilesystemUnsupported, FindingId::FilesystemFull],
        remedy: marked!("choose a ControlPath on a local filesystem, such as /run/user/%i/%C"),
    },
    SshMessage {
        wordings: &["multiplex uid mismatch: peer euid NUMBER != uid NUMBER"],
        meaning: marked!(
            "another user, often through sudo, asked the master for a session, and the master refused"
        ),
        causes: &[FindingId::Misowned, FindingId::InsecureMode],
        remedy: marked!("run ssh as the user who started the master"),
    },
    SshMessage {
        wordings: &["Session open refused by peer"],
        meaning: marked!(
            "the server opens no more sessions on this connection (MaxSessions in its sshd_config, 10 by default)"
        ),
        causes: &[FindingId::SessionsAtLimit],
        remedy: marked!("close sessions, or connect without the master: ssh -S none HOST"),
    },
    SshMessage {
        wordings: &[
            "read from master failed: Broken pipe",
            "read from master failed: Connection reset by peer",
            "read from master failed: ...",
        ],
        meaning: marked!("the master ended while ssh talked to it, or it is not an ssh"),
        causes: &[
            FindingId::Stale,
            FindingId::Foreign,
            FindingId::Unresponsive,
        ],
        remedy: marked!("connect again; if that fails, find the cause with: muxtray doctor"),
    },
    SshMessage {
        wordings: &[
            "master returned unexpected message NUMBER",
            "master hello exchange failed",
        ],
        meaning: marked!(
            "the program that listens on the control socket does not speak OpenSSH's protocol, or another version of it"
        ),
        causes: &[FindingId::Foreign],
        remedy: marked!("end that program, or choose another ControlPath"),
    },
    SshMessage {
        wordings: &["No ControlPath specified for \"-O\" command"],
        meaning: marked!("the ssh configuration sets no ControlPath for this host"),
        causes: &[],
        remedy: marked!(
            "set ControlMaster auto and ControlPath ~/.ssh/s/%C for the host in ~/.ssh/config"
        ),
    },
    SshMessage {
        wordings: &["Shared connection to HOST closed"],
        meaning: marked!("a session through a master ended normally"),
        causes: &[],
        remedy: marked!("nothing to do"),
    },
];

/// Returns the texts that ssh prints because of a finding, without those that can have any cause.
pub fn printed_because_of(id: FindingId) -> impl Iterator<Item = &'static str> {
    SSH_MESSAGES
        .iter()
        .filter(move |message| message.causes.contains(&id))
        .flat_map(|message| message.wordings)
        .copied()
        .filter(|wording| !wording.ends_with("..."))
}

/// A line that contains a known message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// The line without white space around it.
    pub line: String,
    pub message: &'static SshMessage,
    /// The ControlPath in it; `None` also if that is not absolute.
    pub path: Option<ControlPath>,
}

/// Returns the known messages in a text, in its order, each once.
#[must_use]
pub fn recognise(text: &str) -> Vec<Recognised> {
    let mut all: Vec<Recognised> = Vec::new();
    for recognised in text.split(['\n', '\r']).filter_map(recognise_line) {
        if !all.contains(&recognised) {
            all.push(recognised);
        }
    }
    all
}

fn recognise_line(line: &str) -> Option<Recognised> {
    let line = line.trim();
    // Older versions print a colon.
    let current = line.replace("cannot bind to path: ", "cannot bind to path ");
    SSH_MESSAGES.iter().find_map(|message| {
        let path = message
            .wordings
            .iter()
            .find_map(|wording| matched(wording, &current))?;
        Some(Recognised {
            line: line.to_owned(),
            message,
            path: path.and_then(|path| ControlPath::new(Path::new(path))),
        })
    })
}

/// Variable parts of a wording. Where one name begins with another, the longer one is first.
const VARIABLES: [&str; 5] = ["PATH.RANDOM", "PATH", "HOST", "NUMBER", "..."];

/// Splits a wording at its first variable part.
fn split_at_variable(wording: &str) -> Option<(&str, &str, &str)> {
    let is_at = |name: &&str| Some((wording.find(name)?, name.len()));
    let (at, length) = VARIABLES
        .iter()
        .filter_map(is_at)
        .min_by_key(|(at, length)| (*at, usize::MAX - length))?;
    let (before, rest) = wording.split_at(at);
    let (name, after) = rest.split_at(length);
    Some((before, name, after))
}

/// Returns the path in the line if the line contains the wording.
fn matched<'a>(wording: &str, line: &'a str) -> Option<Option<&'a str>> {
    let Some((start, mut name, mut wording)) = split_at_variable(wording) else {
        return line.contains(wording).then_some(None);
    };
    let mut found = None;
    let (_, mut rest) = line.split_once(start)?;
    loop {
        let next = split_at_variable(wording);
        let literal = next.map_or(wording, |(literal, ..)| literal);
        let (value, after) = if literal.is_empty() {
            (rest, "")
        } else if name.starts_with("PATH") {
            // A path can contain every other text.
            rest.rsplit_once(literal)?
        } else {
            rest.split_once(literal)?
        };
        match name {
            "PATH" => found = Some(value),
            "PATH.RANDOM" => found = Some(without_random_suffix(value)),
            _ => {}
        }
        let Some((_, next_name, next_wording)) = next else {
            return Some(found);
        };
        (rest, name, wording) = (after, next_name, next_wording);
    }
}

/// mux.c appends a dot and 16 letters or digits to the ControlPath until the master listens.
fn without_random_suffix(path: &str) -> &str {
    match path.rsplit_once('.') {
        Some((stem, suffix))
            if suffix.len() == 16 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            stem
        }
        Some(_) | None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the first wording of the only message in the text, and its path.
    fn only(text: &str) -> (&'static str, Option<String>) {
        let all = recognise(text);
        assert_eq!(all.len(), 1, "{text}: {all:?}");
        let path = all[0].path.as_ref().map(ToString::to_string);
        (all[0].message.wordings[0], path)
    }

    #[test]
    fn recognises_every_wording_with_its_path() {
        for message in SSH_MESSAGES {
            for wording in message.wordings {
                for (prefix, suffix) in [("debug1: ", ".yDXYs2d7ScOlhAEI"), ("mux_client: ", "")] {
                    let line = wording
                        .replace(".RANDOM", suffix)
                        .replace("PATH", "/s/u@h-22")
                        .replace("NUMBER", "17")
                        .replace("...", "Something new");
                    let path = wording.contains("PATH").then(|| "/s/u@h-22".to_owned());
                    let line = format!("{prefix}{line}");
                    assert_eq!(only(&line), (message.wordings[0], path), "{line}");
                }
            }
        }
    }

    #[test]
    fn recognises_lines_that_openssh_printed() {
        for (line, wording, path) in [
            (
                "unix_listener: cannot bind to path /s/a.yDXYs2d7ScOlhAEI: Permission denied",
                "cannot bind to path PATH.RANDOM: Permission denied",
                Some("/s/a"),
            ),
            // Older versions print a colon.
            (
                "cannot bind to path: /s/a: Permission denied",
                "cannot bind to path PATH.RANDOM: Permission denied",
                Some("/s/a"),
            ),
            (
                "unix_listener: path \"/s/a.yDXYs2d7ScOlhAEI\" too long for Unix domain socket",
                "\"PATH.RANDOM\" too long for Unix domain socket",
                Some("/s/a"),
            ),
            (
                "mux_client_request_alive: master returned unexpected message 1397966893",
                "master returned unexpected message NUMBER",
                None,
            ),
            (
                "mux_client_request_session: session request failed: Session open refused by peer",
                "Session open refused by peer",
                None,
            ),
            (
                "Shared connection to h closed.\r",
                "Shared connection to HOST closed",
                None,
            ),
            // Paths with the text of messages in them, and one that is not absolute.
            (
                "Control socket connect(/s/a): b): Connection refused",
                "Control socket connect(PATH): Connection refused",
                Some("/s/a): b"),
            ),
            (
                "ControlSocket /my sockets/[::1] => b already exists, disabling multiplexing",
                "ControlSocket PATH already exists, disabling multiplexing",
                Some("/my sockets/[::1] => b"),
            ),
            (
                "Control socket connect(\u{2026}): Connection refused",
                "Control socket connect(PATH): Connection refused",
                None,
            ),
        ] {
            assert_eq!(only(line), (wording, path.map(str::to_owned)), "{line}");
        }
    }

    #[test]
    fn ignores_other_lines_and_repetitions() {
        let text = "debug1: auto-mux: Trying existing master\r\n\
                    Control socket connect(/s/a): Connection refused\r\n\
                    debug1: Authentication succeeded (publickey).\n\
                    Control socket connect(/s/a): Connection refused\r\n  \
                    cannot bind to path /s/b.yDXYs2d7ScOlhAEI: Permission denied\n";
        assert_eq!(recognise(text).len(), 2);
        for line in [
            "",
            "Permission denied (publickey).",
            "Connection to h closed.",
            "Shared connection to h",
            "Control socket connect(/s/a) failed",
            "ControlSocket /s/a was made",
            "link mux listener /s/a",
        ] {
            assert_eq!(recognise(line), [], "{line}");
        }
    }

    #[test]
    fn removes_only_the_suffix_of_a_temporary_name() {
        for (path, expected) in [
            ("/s/u@h-22.yDXYs2d7ScOlhAEI", "/s/u@h-22"),
            ("/s/u@h-22.yDXYs2d7ScOlhAE", "/s/u@h-22.yDXYs2d7ScOlhAE"),
            ("/s/u@h-22.yDXYs2d7ScOlh-EI", "/s/u@h-22.yDXYs2d7ScOlh-EI"),
            ("/s/web.example.org", "/s/web.example.org"),
        ] {
            assert_eq!(without_random_suffix(path), expected);
        }
    }

    #[test]
    fn quotes_only_texts_that_name_a_cause() {
        let stale: Vec<&str> = printed_because_of(FindingId::Stale).collect();
        assert!(
            stale.contains(&"read from master failed: Broken pipe"),
            "{stale:?}"
        );
        assert!(
            !stale.iter().any(|wording| wording.ends_with("...")),
            "{stale:?}"
        );
    }
}
