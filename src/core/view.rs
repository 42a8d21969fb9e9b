//! What the tray shows, as data: the summary, the icon, and a menu whose entries hold an [`Intent`].
//!
//! A view is compared before it is drawn: no change, no redraw.

use super::intent::Intent;

/// Everything the tray shows at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayView {
    /// Which of the three looks the icon has.
    pub icon: Icon,
    /// One line: "3 masters, 1 problem".
    pub summary: String,
    /// The menu, from top to bottom.
    pub menu: Vec<Entry>,
}

/// The icon's looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icon {
    /// No master.
    Idle,
    /// Masters are running.
    Running,
    /// Something needs a person.
    Attention,
}

/// One row of a menu. Labels are plain printable text: no mnemonics, no markup; whoever draws them escapes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A line.
    Separator,
    /// A row that does something, or says something when it has no intent: then it is drawn disabled.
    Item {
        /// What stays the same while labels change, so that a row is updated in place: unique among its siblings.
        key: String,
        /// The text.
        label: String,
        /// What a click asks for; `None`: the row is disabled.
        intent: Option<Intent>,
    },
    /// A row that opens more rows.
    Submenu {
        /// As for items.
        key: String,
        /// The text.
        label: String,
        /// The rows.
        entries: Vec<Entry>,
    },
}
