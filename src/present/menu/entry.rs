use tr::tr;

use crate::decide::intent::Intent;
use crate::decide::notice::Button;
use crate::model::settings::IconShown;

/// Everything that the tray shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayView {
    pub icon: Icon,
    /// Whether the icon is in the panel.
    pub is_shown: bool,
    /// One line: "3 masters, 1 problem".
    pub summary: String,
    pub menu: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icon {
    /// There is no master.
    Idle,
    Running,
    /// There is a problem.
    Attention,
}

impl Icon {
    pub(super) const fn is_shown(self, when: IconShown) -> bool {
        match when {
            IconShown::Always => true,
            IconShown::Masters => !matches!(self, Self::Idle),
            IconShown::Problems => matches!(self, Self::Attention),
        }
    }
}

/// A row of a menu. A submenu contains no submenus: some panels cut them off or do not show them. Labels are printable text without mnemonics and markup. Keys are unique among siblings and stay the
/// same when labels change, so that a row is updated in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Separator,
    Item {
        key: String,
        label: String,
        /// The request of a click; `None` disables the row.
        intent: Option<Intent>,
    },
    /// A row with a check mark, which a click does not change by itself.
    Check {
        key: String,
        label: String,
        checked: bool,
        /// The request of a click; `None` disables the row.
        intent: Option<Intent>,
    },
    Submenu {
        key: String,
        label: String,
        entries: Vec<Entry>,
    },
}

impl Entry {
    pub(super) fn item(key: impl Into<String>, label: impl Into<String>, intent: Intent) -> Self {
        Self::Item {
            key: key.into(),
            label: label.into(),
            intent: Some(intent),
        }
    }

    pub(super) fn button(key: impl Into<String>, button: Button) -> Self {
        Self::item(key, button.label, button.intent)
    }

    /// A disabled row.
    pub(super) fn text(key: impl Into<String>, label: impl Into<String>) -> Self {
        Self::Item {
            key: key.into(),
            label: label.into(),
            intent: None,
        }
    }

    pub(super) fn submenu(
        key: impl Into<String>,
        label: impl Into<String>,
        entries: Vec<Self>,
    ) -> Self {
        Self::Submenu {
            key: key.into(),
            label: label.into(),
            entries,
        }
    }

    /// The row for those that are not shown, if there are any.
    pub(super) fn more(n: usize, command: &str) -> Option<Self> {
        let label = || tr!("\u{2026} {n} more: {command}", n, command);
        (n > 0).then(|| Self::text("more", label()))
    }
}

/// Returns the sections that have rows, with a separator between them.
pub(super) fn separated(sections: impl IntoIterator<Item = Vec<Entry>>) -> Vec<Entry> {
    let mut rows = Vec::new();
    for section in sections.into_iter().filter(|section| !section.is_empty()) {
        if !rows.is_empty() {
            rows.push(Entry::Separator);
        }
        rows.extend(section);
    }
    rows
}

/// Returns the number of rows that are shown. The row "1 more" would be as long as that one.
pub(super) fn shown_of(number: usize, limit: usize) -> usize {
    if number > limit + 1 { limit } else { number }
}
