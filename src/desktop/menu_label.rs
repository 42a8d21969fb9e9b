//! Labels for menu rows: one line, at most 60 characters, and no characters that menus interpret.

/// The longest label in characters. A path of 107 bytes would make the menu wider than a small screen.
const MAX_CHARS: usize = 60;

/// Returns [`shown`] with `&` doubled for muda, in which a single `&` marks a mnemonic.
pub fn escaped(label: &str) -> String {
    shown(label).replace('&', "&&")
}

/// Returns the label as displayed: no control characters, at most 60 characters with an ellipsis in the middle, and no
/// underscore.
///
/// D-Bus strings must not contain a NUL: the lean tray would lose its bus connection.
///
/// An underscore marks a mnemonic in com.canonical.dbusmenu, and is doubled to be literal. Qt undoes the doubling once.
/// GTK 3 does it twice, because a label with markup and underline is parsed by `separate_uline_pattern()` and again by
/// `pango_parse_markup()`: Xfce, MATE and waybar show "a_b" as "ab". No spelling of the underscore works in both, so
/// labels contain the similar U+02CD, which no menu interprets. Labels are only read; the clipboard gets the path
/// itself.
pub fn shown(label: &str) -> String {
    shortened(label)
        .map(|character| match character {
            '_' => '\u{2cd}',
            hidden if hidden.is_control() => '\u{fffd}',
            plain => plain,
        })
        .collect()
}

/// Returns the characters of `label`. If it is too long, the middle becomes an ellipsis, because both the directory and
/// the file name of a path matter.
fn shortened(label: &str) -> impl Iterator<Item = char> + '_ {
    let count = label.chars().count();
    let (head, tail) = if count > MAX_CHARS {
        (MAX_CHARS / 2, MAX_CHARS - MAX_CHARS / 2 - 1)
    } else {
        (count, 0)
    };
    label
        .chars()
        .take(head)
        .chain((tail > 0).then_some('\u{2026}'))
        .chain(label.chars().skip(count - tail).take(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_lose_what_menus_would_interpret() {
        for (label, drawn) in [
            ("web, running", "web, running"),
            ("a & b && c", "a && b &&&& c"),
            ("u_x@h", "u\u{2cd}x@h"),
            ("a\nb\0c\u{1b}d", "a\u{fffd}b\u{fffd}c\u{fffd}d"),
            ("<b>bold</b>", "<b>bold</b>"),
            ("", ""),
        ] {
            assert_eq!(escaped(label), drawn);
        }
    }

    #[test]
    fn replaces_control_characters() {
        for control in (0..=0x9f).filter_map(char::from_u32) {
            if control.is_control() {
                let label = format!("a{control}b");
                assert_eq!(escaped(&label), "a\u{fffd}b", "{control:?}");
                let long = format!("{0}{control}{0}", "x".repeat(200));
                assert!(!escaped(&long).contains(control), "{control:?}");
            }
        }
    }

    #[test]
    fn shortens_long_label_in_the_middle() {
        let label = format!("/home/{}/u@h-22", "x".repeat(200));
        let shown = shown(&label);
        assert_eq!(shown.chars().count(), 60);
        assert!(shown.starts_with("/home/xxx"), "{shown}");
        assert!(shown.contains("x\u{2026}x"), "{shown}");
        assert!(shown.ends_with("/u@h-22"), "{shown}");
    }

    #[test]
    fn keeps_sixty_characters() {
        let label = "\u{fc}".repeat(60);
        assert_eq!(shown(&label), label);
    }
}
