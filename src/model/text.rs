//! Text for terminals, menus and notifications. Names from the disk or another process are escaped here: they can contain
//! newlines, terminal escapes, right-to-left overrides and bytes that are no UTF-8.

use std::ffi::{OsStr, OsString};
use std::fmt::{Display, Write as _};
use std::iter::repeat_n;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::time::Duration;

use tr::tr;

macro_rules! marked {
    ($text:literal) => {
        $text
    };
}
pub(crate) use marked;

pub(crate) fn translated(text: &'static str) -> String {
    tr!(text)
}

/// Returns the path as one printable line: control characters and invisible direction marks as `\u{…}`, bytes that are
/// no UTF-8 as `\x…`, and backslashes doubled, so that two paths never look the same.
pub fn path(path: &Path) -> String {
    bytes(path.as_os_str().as_bytes())
}

pub fn os(text: &OsStr) -> String {
    bytes(text.as_bytes())
}

/// Returns an argument as it was typed; bytes that are not UTF-8 are `\\x…`.
pub fn typed(argument: &OsStr) -> String {
    let utf8 = argument.to_str().map(str::to_owned);
    utf8.unwrap_or_else(|| os(argument))
}

pub fn line(text: &str) -> String {
    bytes(text.as_bytes())
}

fn bytes(bytes: &[u8]) -> String {
    // Fast path: nearly every name is plain, and a scan shows thousands.
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

/// Whether the character moves the cursor, changes the direction of text, or is invisible: controls, separators,
/// annotations, and Default_Ignorable_Code_Point of the Unicode Character Database.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Decodes bytes that are written as a backslash and three octal digits, and doubled backslashes: `strnvis()` in ssh's
/// log.c, and proc_pid_mountinfo(5).
pub fn octal_decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let octal = after
            .first_chunk::<3>()
            .filter(|digits| *first == b'\\' && digits.iter().all(u8::is_ascii_digit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        (rest, _) = match (octal, after) {
            (Some(byte), _) => (&after[3..], bytes.push(byte)),
            (None, [b'\\', after @ ..]) if *first == b'\\' => (after, bytes.push(b'\\')),
            (None, _) => (after, bytes.push(*first)),
        };
    }
    bytes
}

/// Writes this byte twice, for programs in which it escapes itself.
pub fn doubled(text: &OsStr, escape: u8) -> OsString {
    let bytes = text.as_bytes().iter();
    let doubled = bytes.flat_map(|byte| repeat_n(*byte, 1 + usize::from(*byte == escape)));
    OsString::from_vec(doubled.collect())
}

/// Quotes a word for a shell: unchanged if that is safe, otherwise in single quotes.
pub fn shell_word(text: &OsStr) -> String {
    let bytes = text.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+:@%=,".contains(byte);
    if !bytes.is_empty() && bytes[0] != b'-' && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(is_hidden) => format!("'{}'", text.replace('\'', r"'\''")),
        // Plain quotes cannot show this on one line. bash, zsh and ksh know $'…', in which
        // `\x` takes any number of digits in ksh.
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
                        let _ = write!(word, "\\{byte:03o}");
                    }
                }
            }
            word.push('\'');
            word
        }
    }
}

/// Returns `-F FILE ` for the command line of ssh and muxtray; empty without a file.
pub fn option_of(ssh_config: Option<&Path>) -> String {
    ssh_config.map_or_else(String::new, |file| {
        format!("-F {} ", shell_word(file.as_os_str()))
    })
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Tilde<'a> {
    /// The home directory; `None` if `~` does not mean the same to ssh and to the shell.
    pub home: Option<&'a Path>,
}

impl Tilde<'_> {
    pub fn path(self, path: &Path) -> String {
        self.with_tilde(path, os)
    }

    /// As [`shell_word`], with `~`, which stays outside of quotes so that the shell expands it.
    pub fn shell_word(self, path: &Path) -> String {
        self.with_tilde(path, shell_word)
    }

    fn with_tilde(self, path: &Path, shown: fn(&OsStr) -> String) -> String {
        match self.home.and_then(|home| path.strip_prefix(home).ok()) {
            Some(below) if below.as_os_str().is_empty() => "~".to_owned(),
            Some(below) => format!("~/{}", shown(below.as_os_str())),
            None => shown(path.as_os_str()),
        }
    }
}

pub fn sessions(number: u32) -> String {
    tr!("{n} session" | "{n} sessions" % number)
}

pub fn masters(number: usize) -> String {
    tr!("{n} master" | "{n} masters" % number)
}

pub fn problems(number: usize) -> String {
    tr!("{n} problem" | "{n} problems" % number)
}

pub fn list(names: impl IntoIterator<Item = String>) -> String {
    let listed = names
        .into_iter()
        .reduce(|names, name| tr!("{names}, {name}", names, name));
    listed.unwrap_or_default()
}

/// Lists the first texts, and the number of the others.
pub fn short_list(mut texts: Vec<String>, most: usize) -> String {
    let rest = texts.len().saturating_sub(most);
    texts.truncate(most);
    texts.extend((rest > 0).then(|| tr!("{n} more" | "{n} more" % rest)));
    list(texts)
}

/// Returns a number, formatted by Rust, with the decimal separator of the language.
pub fn number(shown: impl Display) -> String {
    // Translators: between the whole part of a number and its fraction.
    let separator = tr!("decimal separator" => ".");
    shown.to_string().replace('.', &separator)
}

pub fn byte_count(number: u64) -> String {
    tr!("{n} byte" | "{n} bytes" % number)
}

/// Returns a number of bytes in its largest unit: `0 bytes`, `12.0 MiB`.
pub fn size(number: u64) -> String {
    if number < 1024 {
        return byte_count(number);
    }
    // Tenths as whole numbers, so that no float is rounded.
    let (mut tenths, mut unit) = (u128::from(number) * 10 / 1024, "KiB");
    for larger in ["MiB", "GiB", "TiB", "PiB", "EiB"] {
        if tenths < 10 * 1024 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    let shown = self::number(format_args!("{}.{}", tenths / 10, tenths % 10));
    format!("{shown} {unit}")
}

pub fn millis(duration: Duration) -> String {
    number(format_args!("{:.1}", duration.as_secs_f64() * 1000.0))
}

/// Returns a duration in its largest unit: `40 s`, `5 min`, `3 h`, `2 days`.
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

/// Returns the text with a capital at its beginning, unless it begins with the name of a program.
pub fn sentence(text: &str) -> String {
    let word = text.split(|it: char| !it.is_alphanumeric()).next();
    if matches!(word, Some("ssh" | "muxtray")) {
        return text.to_owned();
    }
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// Returns the remedy as it is shown. The arrow stands for a capital, which a command must not get.
pub fn remedy(remedy: &str) -> String {
    format!("\u{2192} {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_have_their_largest_unit() {
        for (seconds, shown) in [
            (0, "0 s"),
            (119, "119 s"),
            (120, "2 min"),
            (7_199, "119 min"),
            (7_200, "2 h"),
            (172_799, "47 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), shown);
        }
        for (number, shown) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1536 * 1024, "1.5 MiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (u64::MAX, "15.9 EiB"),
        ] {
            assert_eq!(size(number), shown);
        }
        assert_eq!(millis(Duration::from_micros(6_250)), "6.2");
    }

    #[test]
    fn names_become_one_printable_line() {
        for (raw, shown) in [
            (&b"u@h-22"[..], "u@h-22"),
            (b"a\nb", "a\\u{a}b"),
            (b"\x1b[31mred", "\\u{1b}[31mred"),
            (b"bad\xff", "bad\\xff"),
            (b"back\\slash", "back\\\\slash"),
            ("m\u{fc}ller".as_bytes(), "m\u{fc}ller"),
            ("\u{202e}gpj".as_bytes(), "\\u{202e}gpj"),
            ("we\u{e0062}b".as_bytes(), "we\\u{e0062}b"),
        ] {
            assert_eq!(bytes(raw), shown);
        }
    }

    /// The Unicode Character Database's ranges, checked with their visible neighbours.
    #[test]
    fn hidden_characters_are_escaped_and_no_others() {
        let hidden = "0-1f 7f-9f ad-ad 34f-34f 61c-61c 115f-1160 17b4-17b5 180b-180f 200b-200f 2028-202e 2060-206f \
            3164-3164 fe00-fe0f feff-feff ffa0-ffa0 fff0-fffb";
        let hidden: Vec<_> = hidden
            .split(' ')
            .filter_map(|range| range.split_once('-'))
            .map(|(first, last)| [first, last].map(|hex| u32::from_str_radix(hex, 16).unwrap()))
            .collect();
        for character in ('\0'..='\u{ffff}').filter(|it| *it != '\\') {
            let number = u32::from(character);
            let is_hidden = hidden
                .iter()
                .any(|[first, last]| (*first..=*last).contains(&number));
            let escaped = format!("\\u{{{number:x}}}");
            assert_eq!(
                line(&character.to_string()) == escaped,
                is_hidden,
                "{escaped}"
            );
        }
    }

    #[test]
    fn words_are_quoted_only_if_a_shell_would_change_them() {
        for byte in 0x20..=0x7e_u8 {
            let is_plain = byte.is_ascii_alphanumeric() || b"/._-+:@%=,".contains(&byte);
            let word = shell_word(OsStr::from_bytes(&[b'a', byte]));
            assert_eq!(word.starts_with('\''), !is_plain, "{word}");
        }
        for (raw, word) in [
            (&b""[..], "''"),
            (b"-rf", "'-rf'"),
            (b"~", "'~'"),
            (b"it's", r"'it'\''s'"),
            (b"a\nb\xff", r"$'a\012b\377'"),
            ("a'\\\n\u{fc}~ ".as_bytes(), r"$'a\'\\\012\303\274~ '"),
        ] {
            assert_eq!(shell_word(OsStr::from_bytes(raw)), word);
        }
    }

    #[test]
    fn paths_below_the_home_directory_begin_with_a_tilde() {
        let tilde = Tilde {
            home: Some(Path::new("/home/u")),
        };
        for (file, shown, word) in [
            ("/home/u", "~", "~"),
            ("/home/u/.ssh/s/web", "~/.ssh/s/web", "~/.ssh/s/web"),
            ("/home/u/a b", "~/a b", "~/'a b'"),
            ("/home/u/a\nb", "~/a\\u{a}b", r"~/$'a\012b'"),
            ("/home/u2/a", "/home/u2/a", "/home/u2/a"),
            ("/tmp/a b", "/tmp/a b", "'/tmp/a b'"),
        ] {
            let path = Path::new(file);
            let found = [tilde.path(path), tilde.shell_word(path)];
            assert_eq!(found, [shown, word]);
        }
        let path = Path::new("/home/u/a");
        assert_eq!(Tilde::default().path(path), "/home/u/a");
        assert_eq!(Tilde::default().shell_word(path), "/home/u/a");
    }

    #[test]
    fn bytes_in_octal_are_decoded() {
        for (text, expected) in [
            (r"/home/j\303\266rg", "/home/jörg"),
            (r"/a\\b", r"/a\b"),
            (r"/a\777", r"/a\777"),
            (r"/a\+40", r"/a\+40"),
            (r"/a\", r"/a\"),
            (r"/mnt/a\040b", "/mnt/a b"),
            ("/ü", "/ü"),
        ] {
            assert_eq!(
                octal_decoded(text.as_bytes()),
                expected.as_bytes(),
                "{text}"
            );
        }
    }

    #[test]
    fn counts_lists_and_sentences() {
        assert_eq!(
            [0, 1, 2].map(sessions),
            ["0 sessions", "1 session", "2 sessions"]
        );
        for (names, listed) in [
            (&[][..], ""),
            (&["web"], "web"),
            (&["a", "b", "c"], "a, b, c"),
        ] {
            assert_eq!(list(names.iter().map(|name| (*name).to_owned())), listed);
        }
        for (text, shown) in [
            ("", ""),
            ("a Word", "A Word"),
            ("\u{df}x", "SSx"),
            ("ssh: timed out", "ssh: timed out"),
            ("sshd is", "Sshd is"),
            ("muxtray's file", "muxtray's file"),
        ] {
            assert_eq!(sentence(text), shown);
        }
    }
}
