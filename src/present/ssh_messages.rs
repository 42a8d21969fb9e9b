//! The messages that ssh prints about multiplexing and forwarding, one row each, and the most usual ones about something
//! else. `doctor --explain`, the man page and `docs/ssh-messages.md` come from these rows.
//!
//! OpenSSH is not translated, so a message is recognised by its fixed text. Source: mux.c, channels.c, clientloop.c,
//! misc.c, ssh.c, readconf.c and monitor_fdpass.c of OpenSSH 8.9 to 10.5.

mod control_sockets;
mod devices;
mod forwarding;
mod masters;
mod other;
mod pasted;
mod recognise;
mod wording;

pub use recognise::{Recognised, recognise};

use crate::model::finding::FindingId;
use crate::model::text::marked;

#[derive(Debug, PartialEq, Eq)]
pub struct SshMessage {
    /// The texts that mean this, with [`wording::VARIABLES`] for the variable parts. The first part is not variable.
    pub wordings: &'static [&'static str],
    pub meaning: &'static str,
    /// The usual causes, the most likely first.
    pub causes: &'static [&'static str],
    /// The findings that can cause it, the most likely first.
    pub findings: &'static [FindingId],
    /// Each ends with its command, if there is one. HOST, PATH, DIRECTORY and PORT stand for those in the message. A part
    /// in brackets is left out if they are unknown.
    pub remedies: &'static [&'static str],
    /// Replaces the remedies if ansible has started ssh, because it sets the ControlPath itself.
    pub remedies_in_ansible: &'static [&'static str],
}

impl SshMessage {
    /// Whether nothing is wrong if ssh prints it.
    const fn is_normal(&self) -> bool {
        self.causes.is_empty() && self.findings.is_empty() && self.remedies.is_empty()
    }
}

/// A row without facts, for the fields that a row does not set.
const ROW: SshMessage = SshMessage {
    wordings: &[],
    meaning: "",
    causes: &[],
    findings: &[],
    remedies: &[],
    remedies_in_ansible: &[],
};

const WITHOUT_MASTER: &str = marked!("connect without the master: ssh -S none HOST");

const SHOW_MASTERS: &str = marked!("show every master and its state: muxtray list");

const EXAMINE: &str = marked!("find what is wrong now: muxtray doctor");

const CLEAN: &str = marked!("remove the sockets that are proven stale: muxtray clean");

const SHORT_PATH: &str =
    marked!("set in ~/.ssh/config, after mkdir -p -m 700 ~/.ssh/s: ControlPath ~/.ssh/s/%C");

const LOCAL_PATH: &str =
    marked!("use a local filesystem, in ~/.ssh/config: ControlPath /run/user/%i/%C");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Multiplexing,
    Forwarding,
    /// Neither. The remedy has to keep away from sockets.
    Other,
}

/// Specific messages come before general ones, because the first match counts.
pub static SSH_MESSAGES: [(Subject, &[SshMessage]); 6] = [
    (Subject::Forwarding, forwarding::MESSAGES),
    (Subject::Forwarding, devices::MESSAGES),
    (Subject::Multiplexing, control_sockets::MESSAGES),
    (Subject::Multiplexing, masters::MESSAGES),
    (Subject::Forwarding, forwarding::INTERNAL),
    (Subject::Other, other::MESSAGES),
];

/// Returns the texts that ssh prints because of a finding: those with its path, and those of which it is the most likely
/// finding.
pub fn printed_because_of(id: FindingId) -> impl Iterator<Item = &'static str> {
    SSH_MESSAGES
        .iter()
        .flat_map(|(_, messages)| *messages)
        .filter(move |message| message.findings.contains(&id))
        .flat_map(move |message| {
            let is_first = message.findings.first() == Some(&id);
            let wordings = message.wordings.iter().enumerate();
            wordings
                .filter(move |(place, wording)| wording.contains("PATH") || is_first && *place == 0)
                .map(|(_, wording)| *wording)
        })
        .filter(|wording| !wording.ends_with("..."))
}

#[cfg(test)]
mod tests {
    use super::wording::split_at_variable;
    use super::*;

    #[test]
    fn quotes_only_texts_that_name_a_cause() {
        let stale: Vec<&str> = printed_because_of(FindingId::Stale).collect();
        assert!(
            stale.contains(&"Control socket connect(PATH): Connection refused"),
            "{stale:?}"
        );
        assert!(
            !stale.iter().any(|wording| wording.ends_with("...")),
            "{stale:?}"
        );
    }

    #[test]
    fn every_row_has_an_answer() {
        for (subject, message) in SSH_MESSAGES
            .iter()
            .flat_map(|(subject, messages)| messages.iter().map(move |message| (subject, message)))
        {
            let name = message.wordings[0];
            assert!(!message.meaning.is_empty(), "{name}");
            for wording in message.wordings {
                let first = split_at_variable(wording).map_or(*wording, |(first, ..)| first);
                assert!(first.len() >= 5, "{wording} begins with a variable part");
            }
            // A message with a cause has a way out.
            let has_cause = !message.causes.is_empty();
            assert!(!has_cause || !message.remedies.is_empty(), "{name}");
            if *subject == Subject::Other {
                let text = format!("{}{}", message.meaning, message.remedies.concat());
                assert!(!text.contains("socket"), "{name}");
            }
        }
    }
}
