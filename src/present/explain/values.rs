//! Puts the path, host and port of a message into its remedies.

use std::collections::BTreeMap;

use crate::model::control_path::ControlPath;
use crate::model::port_holder::PortHolder;
use crate::model::socket::{Snapshot, Socket};
use crate::model::text;
use crate::present::ssh_messages::Recognised;

/// The present state, read after the messages.
#[derive(Debug)]
pub struct Situation<'a> {
    /// Includes the paths in the messages.
    pub snapshot: &'a Snapshot,
    /// The ControlPath of each host in the messages.
    pub control_paths: &'a BTreeMap<String, ControlPath>,
    /// The listeners on each port in the messages.
    pub ports: &'a BTreeMap<u16, Vec<PortHolder>>,
    /// See [`crate::model::places::Places::ssh_option`].
    pub ssh_option: &'a str,
}

const END_PROCESS: &str = "muxtray exit --end-process HOST";

/// The commands whose HOST is a running master.
const ABOUT_MASTER: &[&str] = &[
    "muxtray check ",
    "muxtray exit ",
    "muxtray exit --end-process ",
];

/// The values of a message that its remedies name.
pub(super) struct Values {
    pub(super) path: Option<ControlPath>,
    /// With the names in a remedy; the values are shell words.
    words: [(&'static str, Option<String>); 5],
    /// The path of the master, if it is not the one of the host.
    other_master: Option<String>,
    /// Ends the process of a master that answers, which [`END_PROCESS`] leaves alone.
    kill: Option<String>,
    /// `-F FILE `, or empty.
    ssh_option: String,
}

impl Values {
    pub(super) fn of(recognised: &Recognised, situation: &Situation<'_>) -> Self {
        let path = path_of(recognised, situation);
        let socket_at = |path: &ControlPath| {
            let mut sockets = situation.snapshot.sockets.iter();
            sockets.find(|socket| socket.path == *path)
        };
        let host_at = |path: &ControlPath| Some(socket_at(path)?.hosts.first()?.0.clone());
        let answers = |socket: &&Socket| socket.is_running() && !socket.refuses;
        let kill = path.as_ref().and_then(socket_at).filter(answers);
        let kill = kill.and_then(|socket| Some(format!("kill {}", socket.pid?.0)));
        let host = recognised
            .host
            .clone()
            .or_else(|| path.as_ref().and_then(host_at));
        let in_message = recognised.path.as_ref();
        let of_host = host.as_ref().map(|host| situation.control_paths.get(host));
        let other_master = in_message.filter(|path| of_host.is_some_and(|of| of != Some(*path)));
        let word = |path: &ControlPath| text::shell_word(path.as_path().as_os_str());
        let number = |port: Option<u16>| port.map(|port| port.to_string());
        let words = [
            ("SERVERPORT", number(recognised.server_port)),
            ("PORT", number(recognised.port)),
            (
                "DIRECTORY",
                in_message.map(|path| text::shell_word(path.directory().as_os_str())),
            ),
            ("PATH", in_message.map(word)),
            ("HOST", host.map(|host| text::shell_word(host.as_ref()))),
        ];
        Self {
            path,
            other_master: other_master.map(word),
            kill,
            words,
            ssh_option: situation.ssh_option.to_owned(),
        }
    }

    /// Puts the values into a remedy. A part in brackets with an unknown value is left out; `None` if nothing is left.
    pub(super) fn fill(&self, remedy: &str) -> Option<String> {
        let mut filled = String::new();
        let with_kill = (self.kill.as_ref()).map(|kill| remedy.replace(END_PROCESS, kill));
        let mut rest = with_kill.as_deref().unwrap_or(remedy);
        while let Some((before, part, after)) = self.bracketed(rest) {
            filled.push_str(&self.with_values(before));
            let is_known = self
                .words
                .iter()
                .all(|(name, value)| value.is_some() || !has_word(part, name));
            if is_known {
                filled.push_str(&self.with_values(part));
            }
            rest = after;
        }
        filled.push_str(&self.with_values(rest));
        let filled = filled.trim();
        (!filled.is_empty()).then(|| self.with_option(filled))
    }

    /// Adds the option to the command at the end.
    fn with_option(&self, remedy: &str) -> String {
        let Some((text, command)) = remedy
            .rsplit_once(": ")
            .filter(|_| !self.ssh_option.is_empty())
        else {
            return remedy.to_owned();
        };
        let file = self.ssh_option.trim_start_matches("-F ").trim_end();
        let text = text.replace("~/.ssh/config", file);
        let mut words = String::new();
        for word in command.split_inclusive(' ') {
            let is_program = words.is_empty() || words.ends_with(", or ");
            words.push_str(word);
            if is_program && ["ssh ", "muxtray "].contains(&word) {
                words.push_str(&self.ssh_option);
            }
        }
        format!("{text}: {words}")
    }

    fn with_values(&self, text: &str) -> String {
        let first_value = |text: &str| {
            let known = self.words.iter().filter_map(|(name, value)| {
                let value = value.as_ref()?;
                Some((find_word(text, name)?, name.len(), value))
            });
            known.min_by_key(|(at, ..)| *at)
        };
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((at, length, value)) = first_value(rest) {
            filled.push_str(&rest[..at]);
            let is_of_master = ABOUT_MASTER.iter().any(|command| filled.ends_with(command));
            let other = self.other_master.as_ref().filter(|_| is_of_master);
            filled.push_str(other.unwrap_or(value));
            rest = &rest[at + length..];
        }
        filled + rest
    }

    /// Returns the first part in brackets that contains a name of a value, with the text before and after it.
    fn bracketed<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
        let starts = text.match_indices('[').map(|(start, _)| start);
        starts
            .filter_map(|start| {
                let (part, after) = text[start + 1..].split_once(']')?;
                Some((&text[..start], part, after))
            })
            .find(|(_, part, _)| self.words.iter().any(|(name, _)| has_word(part, name)))
    }
}

/// Returns the path in the message or command, or that of its host. A master of ansible has another path than the host's.
pub(super) fn path_of(recognised: &Recognised, situation: &Situation<'_>) -> Option<ControlPath> {
    let of_host = || {
        let host = recognised
            .host
            .as_ref()
            .filter(|_| !recognised.is_of_ansible && !recognised.has_own_path)?;
        situation.control_paths.get(host)
    };
    recognised.path.clone().or_else(|| of_host().cloned())
}

fn has_word(text: &str, word: &str) -> bool {
    find_word(text, word).is_some()
}

/// `PATH` is no word in `ANSIBLE_SSH_CONTROL_PATH`.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let is_part = |character: Option<char>| {
        character.is_some_and(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        !is_part(text[..*at].chars().next_back())
            && !is_part(text[at + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_into_remedies() {
        let values = Values {
            path: None,
            other_master: None,
            kill: None,
            words: [
                ("SERVERPORT", None),
                ("PORT", Some("80".to_owned())),
                ("DIRECTORY", Some("/d/HOST".to_owned())),
                ("PATH", None),
                ("HOST", Some("web".to_owned())),
            ],
            ssh_option: String::new(),
        };
        for (remedy, filled) in [
            ("ssh HOST", Some("ssh web")),
            ("check [HOST]", Some("check web")),
            ("[ls PATH]", None),
            ("ls [PATH]", Some("ls")),
            ("[ss :SERVERPORT]", None),
            ("ss :PORT", Some("ss :80")),
            (
                "below [ssh_connection]: HOST",
                Some("below [ssh_connection]: web"),
            ),
            (
                "export ANSIBLE_SSH_CONTROL_PATH_DIR=DIRECTORY",
                Some("export ANSIBLE_SSH_CONTROL_PATH_DIR=/d/HOST"),
            ),
            ("cat PATH", Some("cat PATH")),
        ] {
            assert_eq!(values.fill(remedy).as_deref(), filled, "{remedy}");
        }
        let values = Values {
            ssh_option: "-F /f ".to_owned(),
            other_master: Some("/s/x".to_owned()),
            ..values
        };
        for (remedy, filled) in [
            ("go: ssh HOST", "go: ssh -F /f web"),
            (
                "e.g.: ssh -D 1 HOST, or ssh -L 8:h:80 HOST",
                "e.g.: ssh -F /f -D 1 web, or ssh -F /f -L 8:h:80 web",
            ),
            (
                "end: muxtray exit --end-process HOST",
                "end: muxtray -F /f exit --end-process /s/x",
            ),
            ("start: muxtray open HOST", "start: muxtray -F /f open web"),
            ("go: muxtray list", "go: muxtray -F /f list"),
            ("set in ~/.ssh/config: A b", "set in /f: A b"),
            ("remove: ssh-keygen -R HOST", "remove: ssh-keygen -R web"),
        ] {
            assert_eq!(values.fill(remedy).as_deref(), Some(filled));
        }
        let values = Values {
            kill: Some("kill 7".to_owned()),
            ..values
        };
        let filled = values.fill("end: muxtray exit --end-process HOST");
        assert_eq!(filled.as_deref(), Some("end: kill 7"));
    }
}
