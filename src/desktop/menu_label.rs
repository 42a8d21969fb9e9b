//! The text of a menu row, made fit to be drawn: one line, short, and without the marks that menus give a meaning.
//!
//! Knows what hosts do to labels; nothing of what the labels say.

/// The longest label in characters. A path of 107 bytes would make the menu wider than a small screen.
const MAX_CHARS: usize = 60;

/// The label as the drawing library is to be given it: [`shown`], with `&` doubled, since one alone marks a key.
#[must_use]
pub fn escaped(label: &str) -> String {
    shown(label).replace('&', "&&")
}

/// The label as a person is to see it: no control characters, at most 60 characters with an ellipsis in the
/// middle, and no underscore.
///
/// A NUL above all must not pass: no string on D-Bus may hold one, and the lean tray's icon, whose menu travels there
/// as it is, would be gone from the bus for good.
///
/// An underscore marks a key in a menu that travels over D-Bus (com.canonical.dbusmenu), and is doubled to be
/// literal. Qt's hosts undo the doubling once. GTK 3's do it twice, because a label with markup and underline loses
/// its marks in `separate_uline_pattern()` and again in `pango_parse_markup()`: "a_b" is drawn "ab" by Xfce, MATE,
/// waybar. No spelling of the underscore survives both, so labels carry its look-alike U+02CD, which means nothing
/// to any of them. Labels are only read; what is copied to the clipboard is the path itself.
#[must_use]
pub fn shown(label: &str) -> String {
    shortened(label)
        .map(|character| match character {
            '_' => '\u{2cd}',
            hidden if hidden.is_control() => '\u{fffd}',
            plain => plain,
        })
        .collect()
}

/// The characters of `label`; of a long one its beginning, an ellipsis and its end, for a path's directory and a
/// path's name both tell something.
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
    fn no_control_character_reaches_the_bus() {
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
    fn a_long_label_keeps_both_ends() {
        let label = format!("/home/{}/u@h-22", "x".repeat(200));
        let shown = shown(&label);
        assert_eq!(shown.chars().count(), 60);
        assert!(shown.starts_with("/home/xxx"), "{shown}");
        assert!(shown.contains("x\u{2026}x"), "{shown}");
        assert!(shown.ends_with("/u@h-22"), "{shown}");
    }

    #[test]
    fn sixty_characters_are_not_shortened() {
        let label = "\u{fc}".repeat(60);
        assert_eq!(shown(&label), label);
    }
}
