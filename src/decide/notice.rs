//! Desktop notifications, as data.

use std::path::PathBuf;

use super::intent::Intent;
use crate::model::control_path::ControlPath;
use crate::model::finding::FindingId;

/// Which notification: one for each socket and problem, replaced in place and closed by this key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKey {
    /// A socket's problem.
    Socket(ControlPath, FindingId),
    /// A finding of a directory, a host or the configuration: its kind and subject.
    Place(FindingId, String),
    /// Several at once.
    Summary,
    /// The answer to something a person asked for at this path.
    Answer(ControlPath),
    /// What came of a remedy for this file or directory.
    Mended(PathBuf),
    /// The answer to something asked of all.
    AnswerAll,
    /// What went wrong with muxtray's own settings.
    Settings,
}

/// A notification. Texts are plain; whoever sends them escapes markup where the daemon renders it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Which one it is or replaces.
    pub key: NoticeKey,
    /// One line.
    pub summary: String,
    /// A few lines at most.
    pub body: String,
    /// Buttons, the most useful first.
    pub buttons: Vec<Button>,
    /// Whether it may vanish by itself: an answer may, a problem stays until it is over or dismissed.
    pub transient: bool,
}

/// A notification's button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// Its text.
    pub label: String,
    /// What it asks for.
    pub intent: Intent,
}
