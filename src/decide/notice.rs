//! Desktop notifications and their buttons, as data.

use std::path::PathBuf;

use tr::tr;

use super::intent::{Intent, SessionConsent};
use crate::model::carried::Carried;
use crate::model::control_path::{ControlPath, HostAlias};
use crate::model::finding::FindingId;
use crate::model::socket::{Socket, Target};

/// The key of a notification, by which it is replaced and closed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKey {
    Socket(ControlPath, FindingId),
    /// A finding of a directory, a host or the configuration, with its subject.
    Place(FindingId, String),
    Summary,
    /// The result of an action on the socket at this path.
    Answer(ControlPath),
    /// The result of a fix for this file or directory.
    Fixed(PathBuf),
    /// The result of an action on several sockets.
    AnswerAll,
    /// ControlPersist ends the master at this path soon; several masters with `None`.
    End(Option<ControlPath>),
    Settings,
}

/// A notification. Texts are plain; the sender escapes them if the daemon renders markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub key: NoticeKey,
    pub summary: String,
    /// A few lines at most. The first is the cause and makes sense alone: some desktops show only the beginning.
    pub body: String,
    /// The way without the buttons, which not every daemon shows.
    pub advice: Option<String>,
    /// The most useful first.
    pub buttons: Vec<Button>,
    /// Whether the notification may expire: a result may, a problem stays until it is over or dismissed.
    pub transient: bool,
    /// Whether it asks for consent. A tray with windows shows it in one.
    pub is_question: bool,
}

impl Notice {
    /// One that stays, without advice and buttons.
    pub const fn new(key: NoticeKey, summary: String, body: String) -> Self {
        Self {
            key,
            summary,
            body,
            advice: None,
            buttons: Vec::new(),
            transient: false,
            is_question: false,
        }
    }

    /// Returns the texts in one line of a log.
    pub fn line(&self) -> String {
        let lines = self.body.lines().chain(self.advice.as_deref());
        let lines: Vec<_> = lines.map(|line| line.trim_end_matches('.')).collect();
        let text = lines.join("; ");
        // The cause may begin with the summary.
        match text.starts_with(self.summary.as_str()) {
            true => text,
            false => format!("{}: {text}", self.summary),
        }
    }
}

/// A button of a notification, or a row of the menu. The label names the connections that a click closes;
/// `None` if they cannot be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    pub label: String,
    pub intent: Intent,
}

impl Button {
    pub fn exit(target: Target, carried: Option<Carried>) -> Self {
        let label = match carried {
            Some(Carried::NONE) => tr!("Exit"),
            Some(carried) => tr!("Exit, closing {carried}", carried),
            None => tr!("Exit, closing its sessions"),
        };
        let consent = SessionConsent::to_close(carried);
        let intent = Intent::Exit { target, consent };
        Self { label, intent }
    }

    pub fn end_process(target: Target, carried: Carried) -> Self {
        let label = match carried {
            Carried::NONE => tr!("End process"),
            carried => tr!("End process, closing {carried}", carried),
        };
        let consent = SessionConsent::UpTo(carried);
        let intent = Intent::EndProcess { target, consent };
        Self { label, intent }
    }

    /// Ends a stranded master of the host and starts another.
    pub fn reconnect(host: HostAlias, carried: Option<Carried>) -> Self {
        let label = match carried {
            Some(Carried::NONE) => tr!("Reconnect"),
            Some(carried) => tr!("Reconnect, closing {carried}", carried),
            None => tr!("Reconnect, closing its sessions"),
        };
        let consent = SessionConsent::to_close(carried);
        let intent = Intent::Open { host, consent };
        Self { label, intent }
    }

    /// Replaces the stranded masters of several hosts.
    pub(super) fn reconnect_all(masters: &[(&HostAlias, &Socket)]) -> Self {
        let carried = masters.iter().map(|(_, socket)| socket.carried());
        let total = carried
            .clone()
            .try_fold(Carried::NONE, |sum, one| Some(sum + one?));
        let label = tr!("Reconnect {n} master" | "Reconnect {n} masters" % masters.len());
        let label = match total {
            Some(Carried::NONE) => label,
            Some(total) => tr!(
                "{reconnect}, closing {carried}",
                reconnect = label,
                carried = total
            ),
            None => tr!("{reconnect}, closing their sessions", reconnect = label),
        };
        let consent = carried.map(SessionConsent::to_close);
        let hosts = masters.iter().map(|(host, _)| (*host).clone());
        let intent = Intent::OpenAll(hosts.zip(consent).collect());
        Self { label, intent }
    }

    /// The same request without consent to close connections, so that it asks first if there are any.
    #[must_use]
    pub fn ask_first(mut self) -> Self {
        if self.intent.withdraw_consent() {
            self.label.push('\u{2026}');
        }
        self
    }

    pub(super) fn keep() -> Self {
        Self {
            label: tr!("Keep"),
            intent: Intent::Keep,
        }
    }

    pub(super) fn show(target: Option<Target>) -> Self {
        Self {
            label: tr!("Show"),
            intent: Intent::Show(target),
        }
    }
}

/// Returns the first lines of a notification's body, and the number of the others.
pub(super) fn first_lines(mut lines: Vec<String>) -> String {
    const SHOWN: usize = 5;
    if lines.len() > SHOWN {
        let more = tr!("and {n} more", n = lines.len() - SHOWN);
        lines.truncate(SHOWN);
        lines.push(more);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_one_line_of_a_log() {
        for (summary, body, advice, line) in [
            (
                "ssh cannot be started",
                "ssh cannot be started: there is no such program.\nssh",
                Some("→ install it"),
                "ssh cannot be started: there is no such program; ssh; → install it",
            ),
            (
                "web is stale",
                "nobody listens.",
                None,
                "web is stale: nobody listens",
            ),
        ] {
            let notice = Notice {
                advice: advice.map(str::to_owned),
                ..Notice::new(NoticeKey::Summary, summary.to_owned(), body.to_owned())
            };
            assert_eq!(notice.line(), line);
        }
    }
}
