use muxtray::VERSION;
use muxtray::decide::intent::Intent;
use muxtray::present::menu::Entry;

/// Returns the menu without the entries that need a window, or a clipboard if `can_copy` is false.
///
/// Copy entries are removed: a row above them already shows the path or command. About becomes a disabled row with
/// the version.
pub(super) fn supported_entries(entries: Vec<Entry>, can_copy: bool) -> Vec<Entry> {
    let supported = entries
        .into_iter()
        .filter_map(|entry| supported_entry(entry, can_copy));
    supported.collect()
}

fn supported_entry(entry: Entry, can_copy: bool) -> Option<Entry> {
    match entry {
        Entry::Item {
            intent: Some(Intent::Copy(_) | Intent::CopyText(_) | Intent::CopyFindings(_)),
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
            entries: supported_entries(entries, can_copy),
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
    fn removes_copy_entries_and_turns_about_into_text() {
        let wanted = vec![
            submenu(vec![
                item("check", Some(Intent::CheckAll)),
                item("path", None),
                item("copy", Some(Intent::Copy("/s/u@h".into()))),
                item("copy-command-0", Some(Intent::CopyText("ls".into()))),
                item("copy-findings", Some(Intent::CopyFindings(None))),
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
        let copying = supported_entries(wanted.clone(), true);
        assert_eq!(copying[0], wanted[0], "nothing is missing");
        assert_eq!(
            supported_entries(wanted, false),
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
