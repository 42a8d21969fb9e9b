//! Desktop notifications, as data.

use std::path::PathBuf;

use super::intent::Intent;
use crate::model::control_path::ControlPath;
use crate::model::finding::FindingId;

/// The key of a notification, by which it is replaced and closed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKey {
    Socket(ControlPath, FindingId),
    /// A finding of a directory, a host or the configuration, with its subject.
    Place(FindingId, String),
    /// Several problems.
    Summary,
    /// The result of an action on the socket at this path.
    Answer(ControlPath),
    /// The result of a fix for this file or directory.
    Mended(PathBuf),
    /// The result of an action on several sockets.
    AnswerAll,
    /// A problem with muxtray's settings.
    Settings,
}

/// A notification. Texts are plain; the sender escapes them if the daemon renders markup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub key: NoticeKey,
    pub summary: String,
    /// A few lines at most.
    pub body: String,
    /// The most useful first.
    pub buttons: Vec<Button>,
    /// Whether the notification may expire: a result may, a problem stays until it is over or dismissed.
    pub transient: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    pub label: String,
    pub intent: Intent,
}
