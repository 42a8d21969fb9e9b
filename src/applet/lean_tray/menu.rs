//! What of a menu there is without windows and a clipboard of one's own.

use muxtray::VERSION;
use muxtray::core::intent::Intent;
use muxtray::core::view::Entry;

/// The entries without what this tray cannot do: what copies is left out, as the path or command itself stands in a row
/// above it, and About is the row of text that its window would show.
pub(super) fn fitted(entries: Vec<Entry>) -> Vec<Entry> {
    entries.into_iter().filter_map(fit).collect()
}

fn fit(entry: Entry) -> Option<Entry> {
    match entry {
        Entry::Item {
            intent: Some(Intent::Copy(_) | Intent::CopyText(_)),
            ..
        } => None,
        Entry::Item {
            key,
            intent: Some(Intent::About),
            ..
        } => Some(Entry::Item {
            key,
            label: format!("muxtray {VERSION}"),
            intent: None,
        }),
        Entry::Submenu {
            key,
            label,
            entries,
        } => Some(Entry::Submenu {
            key,
            label,
            entries: fitted(entries),
        }),
        other @ (Entry::Separator | Entry::Item { .. } | Entry::Check { .. }) => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str, intent: Option<Intent>) -> Entry {
        Entry::Item {
            key: key.to_owned(),
            label: key.to_owned(),
            intent,
        }
    }

    fn submenu(entries: Vec<Entry>) -> Entry {
        Entry::Submenu {
            key: "web".to_owned(),
            label: "web".to_owned(),
            entries,
        }
    }

    #[test]
    fn what_needs_a_window_or_a_clipboard_is_no_row_to_click() {
        let wanted = vec![
            submenu(vec![
                item("check", Some(Intent::CheckAll)),
                item("path", None),
                item("copy", Some(Intent::Copy("/s/u@h".into()))),
                item("copy-command-0", Some(Intent::CopyText("ls".into()))),
            ]),
            Entry::Separator,
            item("about", Some(Intent::About)),
            item("quit", Some(Intent::Quit)),
        ];
        let about = Entry::Item {
            key: "about".to_owned(),
            label: format!("muxtray {VERSION}"),
            intent: None,
        };
        assert_eq!(
            fitted(wanted),
            [
                submenu(vec![
                    item("check", Some(Intent::CheckAll)),
                    item("path", None),
                ]),
                Entry::Separator,
                about,
                item("quit", Some(Intent::Quit)),
            ]
        );
    }
}
