//! Foreign text on its way to a person or a shell.
//!
//! A shown text is one line without hidden characters, and can be read backwards into the original: no two names look
//! alike. A quoted word means the original text to a shell.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use muxtray::model::text;
use muxtray_fuzz::{assert_printable, choice};

fuzz_target!(|data: &[u8]| {
    let Some((_, bytes)) = choice(data) else {
        return;
    };
    let os = OsStr::from_bytes(&bytes);
    let shown = text::os(os);
    assert_printable(&shown);
    assert_eq!(read_backwards(&shown), bytes);
    assert_eq!(text::path(Path::new(os)), shown);
    if let Ok(line) = std::str::from_utf8(&bytes) {
        assert_eq!(text::line(line), shown);
    }
    assert_printable(&text::sentence(&shown));
    assert_printable(&text::remedy(&shown));

    let word = text::shell_word(os);
    assert_printable(&word);
    assert_eq!(as_a_shell_reads(&word), Some(bytes), "{word}");
});

fn read_backwards(shown: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = shown;
    while let Some(at) = rest.find('\\') {
        bytes.extend(rest[..at].bytes());
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('\\') {
            bytes.push(b'\\');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('x') {
            bytes.push(u8::from_str_radix(&after[..2], 16).expect("two digits"));
            rest = &after[2..];
        } else {
            let after = rest
                .strip_prefix("u{")
                .expect("a backslash begins one of three");
            let (number, after) = after.split_once('}').expect("it is closed");
            let number = u32::from_str_radix(number, 16).expect("a number");
            let character = char::from_u32(number).expect("a character");
            bytes.extend(character.to_string().bytes());
            rest = after;
        }
    }
    bytes.extend(rest.bytes());
    bytes
}

/// One word: plain, in single quotes (with `\'` between them), or in `$'…'`.
fn as_a_shell_reads(word: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    if let Some(coded) = rest.strip_prefix(b"$'") {
        rest = coded;
        loop {
            rest = match rest {
                [b'\''] => return Some(bytes),
                [b'\\', one @ (b'0'..=b'3'), two, three, after @ ..] => {
                    let digits = [*one, *two, *three];
                    let digits = std::str::from_utf8(&digits).ok()?;
                    bytes.push(u8::from_str_radix(digits, 8).ok()?);
                    after
                }
                [b'\\', escaped @ (b'\\' | b'\''), after @ ..] => {
                    bytes.push(*escaped);
                    after
                }
                [b'\\' | b'\'', ..] | [] => return None,
                [plain, after @ ..] => {
                    bytes.push(*plain);
                    after
                }
            };
        }
    }
    if rest.is_empty() || rest.first() == Some(&b'-') {
        return None;
    }
    loop {
        rest = match rest {
            [] => return Some(bytes),
            [b'\'', quoted @ ..] => {
                let end = quoted.iter().position(|byte| *byte == b'\'')?;
                bytes.extend(&quoted[..end]);
                &quoted[end + 1..]
            }
            [b'\\', escaped, after @ ..] => {
                bytes.push(*escaped);
                after
            }
            [special, ..] if b" \t\n\"$`&|;<>()*?[]#~!{}".contains(special) => return None,
            [plain, after @ ..] => {
                bytes.push(*plain);
                after
            }
        };
    }
}
