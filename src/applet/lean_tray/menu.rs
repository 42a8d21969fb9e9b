//! What of a menu there is without windows of one's own, and perhaps without a clipboard.

use muxtray::VERSION;
use muxtray::decide::intent::Intent;
use muxtray::present::menu::Entry;

/// The entries without what this tray cannot do: where nothing can copy, what copies is left out, as the path or
/// command itself stands in a row above it; and About is the row of text that its window would show.
pub(super) fn fitted(entries: Vec<Entry>, can_copy: bool) -> Vec<Entry> {
    let fitted = entries.into_iter().filter_map(|entry| fit(entry, can_copy));
    fitted.collect()
}

fn fit(entry: Entry, can_copy: bool) -> Option<Entry> {
    match entry {
        Entry::Item {
            intent: Some(Intent::Copy(_) | Intent::CopyText(_)),
            ..
        } if !can_copy => None,
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
            entries: fitted(entries, can_copy),
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
        let copying = fitted(wanted.clone(), true);
        assert_eq!(copying[0], wanted[0], "nothing is missing");
        assert_eq!(
            fitted(wanted, false),
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
