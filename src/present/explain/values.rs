//! Puts the path, host and port of a message into its remedies.

use super::{Facts, path_of};
use crate::model::control_path::ControlPath;
use crate::model::text;
use crate::present::ssh_messages::Recognised;

/// The values of a message that its remedies name.
pub(super) struct Values {
    pub(super) path: Option<ControlPath>,
    /// With the names in a remedy; the values are shell words.
    words: [(&'static str, Option<String>); 5],
}

impl Values {
    pub(super) fn of(recognised: &Recognised, facts: &Facts<'_>) -> Self {
        let path = path_of(recognised, facts);
        let host_at = |path: &ControlPath| {
            let sockets = &mut facts.snapshot.sockets.iter();
            let socket = sockets.find(|socket| socket.path == *path)?;
            Some(socket.hosts.first()?.0.clone())
        };
        let host = recognised
            .host
            .clone()
            .or_else(|| path.as_ref().and_then(host_at));
        let in_message = recognised.path.as_ref();
        let number = |port: Option<u16>| port.map(|port| port.to_string());
        let words = [
            ("SERVERPORT", number(recognised.server_port)),
            ("PORT", number(recognised.port)),
            (
                "DIRECTORY",
                in_message.map(|path| text::shell_word(path.directory().as_os_str())),
            ),
            (
                "PATH",
                in_message.map(|path| text::shell_word(path.as_path().as_os_str())),
            ),
            ("HOST", host.map(|host| text::shell_word(host.as_ref()))),
        ];
        Self { path, words }
    }

    /// Puts the values into a remedy. A part in brackets whose value is unknown is left out; `None` if nothing is left.
    pub(super) fn fill(&self, remedy: &str) -> Option<String> {
        let mut filled = String::new();
        let mut rest = remedy;
        while let Some((before, part, after)) = bracketed(rest) {
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
        (!filled.is_empty()).then(|| filled.to_owned())
    }

    fn with_values(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.words {
            if let Some(value) = value {
                let mut filled = String::new();
                let mut rest = text.as_str();
                while let Some(at) = find_word(rest, name) {
                    filled.push_str(&rest[..at]);
                    filled.push_str(value);
                    rest = &rest[at + name.len()..];
                }
                filled.push_str(rest);
                text = filled;
            }
        }
        text
    }
}

/// Returns the first part in brackets that contains a name of a value, with the text before and after it.
fn bracketed(text: &str) -> Option<(&str, &str, &str)> {
    let names = ["SERVERPORT", "PORT", "DIRECTORY", "PATH", "HOST"];
    let starts = text.match_indices('[').map(|(start, _)| start);
    starts
        .filter_map(|start| {
            let (part, after) = text[start + 1..].split_once(']')?;
            Some((&text[..start], part, after))
        })
        .find(|(_, part, _)| names.iter().any(|name| has_word(part, name)))
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
            words: [
                ("SERVERPORT", None),
                ("PORT", Some("80".to_owned())),
                ("DIRECTORY", Some("/d".to_owned())),
                ("PATH", None),
                ("HOST", Some("web".to_owned())),
            ],
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
                Some("export ANSIBLE_SSH_CONTROL_PATH_DIR=/d"),
            ),
            ("cat PATH", Some("cat PATH")),
        ] {
            assert_eq!(values.fill(remedy).as_deref(), filled, "{remedy}");
        }
    }
}
