//! Text that is safe to show: what comes from a disk or another process may hold anything.
//!
//! A file name can carry newlines, terminal escapes, right-to-left overrides and bytes that are no text at all.
//! Every renderer (terminal, menu, notification) shows names through here, so none has to think of it.
//! And what is said in many places alike, in the language of the person: numbers, counts, lengths of time.

use std::ffi::OsStr;
use std::fmt::{Display, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use tr::tr;

/// Marks a text for the catalogues where it is kept; [`translated`] looks it up where it is shown.
macro_rules! marked {
    ($text:literal) => {
        $text
    };
}
pub(crate) use marked;

/// A text that was kept under [`marked`], in the language of the person.
#[must_use]
pub(crate) fn translated(text: &'static str) -> String {
    tr!(text)
}

/// The path as one line of printable text: control characters and invisible direction marks as `\u{…}`, bytes
/// that are no UTF-8 as `\x…`, and a backslash doubled so that the result names one path only.
#[must_use]
pub fn path(path: &Path) -> String {
    bytes(path.as_os_str().as_bytes())
}

/// Like [`path`], for any string of the system's.
#[must_use]
pub fn os(text: &OsStr) -> String {
    bytes(text.as_bytes())
}

/// Like [`path`], for text that another program sent.
#[must_use]
pub fn line(text: &str) -> String {
    bytes(text.as_bytes())
}

fn bytes(bytes: &[u8]) -> String {
    // Nearly every name is plain; a look shows thousands.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
    if bytes.iter().all(is_plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => shown.push_str("\\\\"),
                hidden if is_hidden(hidden) => {
                    let _ = write!(shown, "\\u{{{:x}}}", u32::from(hidden));
                }
                plain => shown.push(plain),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// Characters that move the cursor, change the direction of what follows, or cannot be seen: beside the controls, lines
/// and annotations those with the property Default_Ignorable_Code_Point of the Unicode Character Database.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// A word for a POSIX shell: as it is where that is safe, otherwise in single quotes.
#[must_use]
pub fn shell_word(text: &OsStr) -> String {
    let bytes = text.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+:@%=,".contains(byte);
    if !bytes.is_empty() && bytes[0] != b'-' && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(is_hidden) => format!("'{}'", text.replace('\'', r"'\''")),
        // Bash, zsh and ksh understand $'…'; a name like this is beyond what plain quotes can show on one line.
        _ => {
            let mut word = String::from("$'");
            for byte in bytes {
                match byte {
                    b'\'' | b'\\' => {
                        word.push('\\');
                        word.push(char::from(*byte));
                    }
                    0x20..=0x7e => word.push(char::from(*byte)),
                    _ => {
                        let _ = write!(word, "\\x{byte:02x}");
                    }
                }
            }
            word.push('\'');
            word
        }
    }
}

/// `1 session`, `2 sessions`.
#[must_use]
pub fn sessions(number: u32) -> String {
    tr!("{n} session" | "{n} sessions" % number)
}

/// `1 master`, `2 masters`.
#[must_use]
pub fn masters(number: usize) -> String {
    tr!("{n} master" | "{n} masters" % number)
}

/// `1 problem`, `2 problems`.
#[must_use]
pub fn problems(number: usize) -> String {
    tr!("{n} problem" | "{n} problems" % number)
}

/// `web`, `web, db, build`.
#[must_use]
pub fn list(names: impl IntoIterator<Item = String>) -> String {
    let listed = names
        .into_iter()
        .reduce(|names, name| tr!("{names}, {name}", names, name));
    listed.unwrap_or_default()
}

/// A number with a fraction, as Rust writes it, with the decimal separator of the language.
#[must_use]
pub fn number(shown: impl Display) -> String {
    // Translators: between the whole part of a number and its fraction.
    let separator = tr!("decimal separator" => ".");
    shown.to_string().replace('.', &separator)
}

/// `1 byte`, `2048 bytes`.
#[must_use]
pub fn byte_count(number: u64) -> String {
    tr!("{n} byte" | "{n} bytes" % number)
}

/// The same in its largest unit: `0 bytes`, `12.0 MiB`.
#[must_use]
pub fn size(number: u64) -> String {
    if number < 1024 {
        return byte_count(number);
    }
    // In tenths, by whole numbers: nobody needs more, and no float is rounded.
    let (mut tenths, mut unit) = (u128::from(number) * 10 / 1024, "KiB");
    for larger in ["MiB", "GiB", "TiB", "PiB", "EiB"] {
        if tenths < 10 * 1024 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    let shown = super::text::number(format_args!("{}.{}", tenths / 10, tenths % 10));
    format!("{shown} {unit}")
}

/// A length of time in milliseconds, with tenths: `6.2`.
#[must_use]
pub fn millis(duration: Duration) -> String {
    number(format_args!("{:.1}", duration.as_secs_f64() * 1000.0))
}

/// A length of time as a person says it, in its largest unit: `40 s`, `5 min`, `3 h`, `2 days`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    // Translators: these stand by themselves ("AGE: 40 s") and in sentences ("last heard 40 s ago"), so an
    // abbreviation that is not inflected is best.
    match duration.as_secs() {
        seconds @ 0..120 => tr!("{n} s", n = seconds),
        seconds @ 120..7_200 => tr!("{n} min", n = seconds / 60),
        seconds @ 7_200..172_800 => tr!("{n} h", n = seconds / 3_600),
        seconds => {
            let days = seconds / 86_400;
            tr!("{n} day" | "{n} days" % days)
        }
    }
}

/// The text with a capital at its beginning.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// A remedy as menu and notification say it: an arrow before it, as it may be a command and stay as it is.
#[must_use]
pub fn remedy(remedy: &str) -> String {
    format!("\u{2192} {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_in_their_largest_unit() {
        for (seconds, told) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_200, "2 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn sizes_are_told_in_their_largest_unit() {
        for (number, told) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1536 * 1024, "1.5 MiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(size(number), told);
        }
    }

    #[test]
    fn names_become_one_printable_line() {
        for (raw, shown) in [
            (&b"u@h-22"[..], "u@h-22"),
            (b"a\nb", "a\\u{a}b"),
            (b"\x1b[31mred", "\\u{1b}[31mred"),
            (b"bad\xff", "bad\\xff"),
            (b"back\\slash", "back\\\\slash"),
            (b"\\", "\\\\"),
            ("m\u{fc}ller".as_bytes(), "m\u{fc}ller"),
            ("\u{202e}gpj".as_bytes(), "\\u{202e}gpj"),
            // Seen by nobody, and another name all the same: a tag, a filler, a selector of variants.
            ("we\u{e0062}b".as_bytes(), "we\\u{e0062}b"),
            ("\u{3164}".as_bytes(), "\\u{3164}"),
            ("a\u{fe0f}".as_bytes(), "a\\u{fe0f}"),
        ] {
            assert_eq!(bytes(raw), shown);
        }
    }

    #[test]
    fn shell_words_survive_a_shell() {
        for (raw, word) in [
            (&b"/home/u/.ssh/s/u@h-22"[..], "/home/u/.ssh/s/u@h-22"),
            (b"", "''"),
            (b"-rf", "'-rf'"),
            (b"a b", "'a b'"),
            (b"it's", r"'it'\''s'"),
            (b"a\nb\xff", r"$'a\x0ab\xff'"),
        ] {
            assert_eq!(shell_word(OsStr::from_bytes(raw)), word);
        }
    }

    #[test]
    fn a_length_of_time_changes_its_unit_where_the_next_is_whole() {
        for (seconds, told) in [
            (121, "2 min"),
            (7_199, "119 min"),
            (10_799, "2 h"),
            (172_799, "47 h"),
            (86_400 * 3 - 1, "2 days"),
            (86_400 * 3, "3 days"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn a_size_has_one_tenth_and_the_unit_below_a_thousand_and_some() {
        for (number, told) in [
            (1025, "1.0 KiB"),
            (1127, "1.1 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (1 << 20, "1.0 MiB"),
            (1 << 30, "1.0 GiB"),
            (1 << 60, "1.0 EiB"),
        ] {
            assert_eq!(size(number), told);
        }
    }

    #[test]
    fn what_is_counted_agrees_with_its_number() {
        assert_eq!(
            [0, 1, 2].map(sessions),
            ["0 sessions", "1 session", "2 sessions"]
        );
        assert_eq!(
            [0, 1, 2].map(masters),
            ["0 masters", "1 master", "2 masters"]
        );
        assert_eq!(
            [0, 1, 2].map(problems),
            ["0 problems", "1 problem", "2 problems"]
        );
        assert_eq!([0, 1, 2].map(byte_count), ["0 bytes", "1 byte", "2 bytes"]);
    }

    #[test]
    fn names_are_listed_with_commas() {
        for (names, listed) in [
            (&[][..], ""),
            (&["web"], "web"),
            (&["web", "db"], "web, db"),
            (&["web", "db", "build"], "web, db, build"),
        ] {
            assert_eq!(list(names.iter().map(|name| (*name).to_owned())), listed);
        }
    }

    #[test]
    fn a_sentence_begins_with_a_capital_and_keeps_the_rest() {
        for (text, told) in [
            ("", ""),
            ("a Word", "A Word"),
            ("\u{df}x", "SSx"),
            ("10.0.0.1 is gone", "10.0.0.1 is gone"),
        ] {
            assert_eq!(sentence(text), told);
        }
        assert_eq!(remedy("ssh -v web"), "\u{2192} ssh -v web");
        assert_eq!(millis(Duration::from_micros(6_250)), "6.2");
        assert_eq!(translated(marked!("Clean")), "Clean");
    }

    /// Everything that moves the cursor, changes a direction or cannot be seen, with its neighbours that can.
    #[test]
    fn every_hidden_character_is_shown_by_its_number() {
        let hidden = [
            (0x0, 0x1f),
            (0x7f, 0x9f),
            (0xad, 0xad),
            (0x34f, 0x34f),
            (0x61c, 0x61c),
            (0x115f, 0x1160),
            (0x17b4, 0x17b5),
            (0x180b, 0x180f),
            (0x200b, 0x200f),
            (0x2028, 0x202e),
            (0x2060, 0x206f),
            (0x3164, 0x3164),
            (0xfe00, 0xfe0f),
            (0xfeff, 0xfeff),
            (0xffa0, 0xffa0),
            (0xfff0, 0xfffb),
        ];
        for character in ('\0'..='\u{ffff}').filter(|it| *it != '\\') {
            let number = u32::from(character);
            let is_hidden = hidden
                .iter()
                .any(|(first, last)| (*first..=*last).contains(&number));
            let shown = line(&character.to_string());
            if is_hidden {
                assert_eq!(shown, format!("\\u{{{number:x}}}"));
            } else {
                assert_eq!(shown, character.to_string());
            }
        }
    }

    #[test]
    fn a_path_a_string_of_the_systems_and_a_line_are_shown_alike() {
        let raw = OsStr::from_bytes(b"/a\nb\\\xff");
        assert_eq!(path(Path::new(raw)), "/a\\u{a}b\\\\\\xff");
        assert_eq!(os(raw), path(Path::new(raw)));
        assert_eq!(line("a\tb"), "a\\u{9}b");
    }

    #[test]
    fn a_word_is_quoted_only_where_a_shell_would_read_more_into_it() {
        for byte in 0x20..=0x7e_u8 {
            let is_plain = byte.is_ascii_alphanumeric() || b"/._-+:@%=,".contains(&byte);
            let word = shell_word(OsStr::from_bytes(&[b'a', byte]));
            let is_quoted = word.starts_with('\'');
            assert_eq!(is_quoted, !is_plain, "{word}");
        }
        for (raw, word) in [
            ("a-b", "a-b"),
            ("-a", "'-a'"),
            ("~", "'~'"),
            ("m\u{fc}ller", "'m\u{fc}ller'"),
            ("a'b", r"'a'\''b'"),
            ("a'\\\n\u{fc}~ ", r"$'a\'\\\x0a\xc3\xbc~ '"),
            ("\u{202e}", r"$'\xe2\x80\xae'"),
        ] {
            assert_eq!(shell_word(OsStr::new(raw)), word);
        }
    }
}
