use super::row::{SshMessage, Subject};
use super::{control_sockets, devices, forwarding, masters, other};
use crate::model::finding::FindingId;

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
        .filter(move |message| message.findings.contains(&id) && !message.is_normal())
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
    use super::*;
    use crate::present::ssh_messages::wording::split_at_variable;

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
