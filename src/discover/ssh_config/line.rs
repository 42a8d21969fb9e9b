//! One line of an ssh configuration file, as readconf.c takes it apart. Bytes in, words out.
//!
//! Sources: `process_config_line_depth()` in readconf.c, `strdelim()` and `argv_split()` in misc.c.

/// The bytes ssh calls WHITESPACE; at the end of a line a form feed counts too.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The keyword of a line in lower case and what follows it, one `=` between them skipped; `None` for an empty line
/// or a comment.
pub(super) fn keyword(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    // ssh reads a line as a C string.
    let end = line.iter().position(|byte| *byte == 0);
    let line = &line[..end.unwrap_or(line.len())];
    let end = line
        .iter()
        .rposition(|byte| !is_blank(*byte) && *byte != b'\x0c');
    let line = skip_blanks(&line[..end.map_or(0, |last| last + 1)]);
    match line.first()? {
        b'#' => None,
        b'"' => {
            let end = line[1..].iter().position(|byte| *byte == b'"')?;
            let (word, rest) = line[1..].split_at(end);
            Some((word.to_ascii_lowercase(), skip_blanks(&rest[1..])))
        }
        _ => {
            let is_end = |byte: &u8| is_blank(*byte) || matches!(byte, b'=' | b'"');
            let end = line.iter().position(is_end).unwrap_or(line.len());
            let (word, rest) = line.split_at(end);
            let rest = skip_blanks(rest);
            let rest = rest.strip_prefix(b"=").map_or(rest, skip_blanks);
            Some((word.to_ascii_lowercase(), rest))
        }
    }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_blank(*byte));
    &text[start.unwrap_or(text.len())..]
}

/// A quote was opened and never closed. ssh refuses the whole configuration then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnclosedQuote;

/// The words of the rest of a line, up to a comment.
///
/// Quotes of both kinds join; a backslash before a quote, a backslash or, outside quotes, a space takes away its
/// meaning, and stands for itself elsewhere.
pub(super) fn words(text: &[u8]) -> Result<Vec<Vec<u8>>, UnclosedQuote> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = match rest {
            [] | [b'#', ..] => return Ok(words),
            [b' ' | b'\t', after @ ..] => after,
            _ => {
                let (word, after) = word(rest)?;
                words.push(word);
                after
            }
        };
    }
}

fn word(text: &[u8]) -> Result<(Vec<u8>, &[u8]), UnclosedQuote> {
    let mut word = Vec::new();
    let mut quote = None;
    let mut rest = text;
    loop {
        rest = match (rest, quote) {
            ([b'\\', escaped @ (b'\'' | b'"' | b'\\'), after @ ..], _)
            | ([b'\\', escaped @ b' ', after @ ..], None) => {
                word.push(*escaped);
                after
            }
            ([], None) | ([b' ' | b'\t', ..], None) => return Ok((word, rest)),
            ([], Some(_)) => return Err(UnclosedQuote),
            ([mark @ (b'"' | b'\''), after @ ..], None) => {
                quote = Some(*mark);
                after
            }
            ([mark, after @ ..], Some(open)) if *mark == open => {
                quote = None;
                after
            }
            ([plain, after @ ..], _) => {
                word.push(*plain);
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_a_keyword_and_the_rest() {
        for (line, parts) in [
            (&b"Host web"[..], Some(("host", &b"web"[..]))),
            (b"  \tHOST   web db  ", Some(("host", b"web db"))),
            (b"ControlPath=~/x", Some(("controlpath", b"~/x"))),
            (b"ControlPath = ~/x", Some(("controlpath", b"~/x"))),
            (b"ControlPath == ~/x", Some(("controlpath", b"= ~/x"))),
            (b"Host web\r\n", Some(("host", b"web"))),
            (b"Host web\x0c", Some(("host", b"web"))),
            (b"\"Host\" web", Some(("host", b"web"))),
            (b"Host \"a b\"", Some(("host", b"\"a b\""))),
            (b"Host web\0 db", Some(("host", b"web"))),
            (b"Host", Some(("host", b""))),
            (b"# Host web", None),
            (b"  # Host web", None),
            (b"\r\n", None),
            (b"", None),
            (b"\"Host", None),
        ] {
            let expected = parts.map(|(word, rest)| (word.as_bytes().to_vec(), rest));
            assert_eq!(keyword(line), expected, "{line:?}");
        }
    }

    #[test]
    fn words_are_split_as_ssh_splits_them() {
        for (text, expected) in [
            (&b"web  db\tmail"[..], Ok(vec!["web", "db", "mail"])),
            (b"\"a b\" 'c d'", Ok(vec!["a b", "c d"])),
            (b"a\" b\"c", Ok(vec!["a bc"])),
            (br"a\ b \\ \x", Ok(vec!["a b", r"\", r"\x"])),
            (br#"\"q\" "\"" "a\ b""#, Ok(vec!["\"q\"", "\"", r"a\ b"])),
            (b"web # comment", Ok(vec!["web"])),
            (b"web#1 #2", Ok(vec!["web#1"])),
            (b"\"\"", Ok(vec![""])),
            (b"", Ok(vec![])),
            (b"\"open", Err(UnclosedQuote)),
            (b"it's", Err(UnclosedQuote)),
        ] {
            let expected = expected.map(|words| {
                words
                    .into_iter()
                    .map(|word| word.as_bytes().to_vec())
                    .collect()
            });
            assert_eq!(words(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some((word, rest)) = keyword(&line) {
                prop_assert!(word.len() <= line.len());
                prop_assert!(words(rest).is_err() || rest.len() <= line.len());
            }
        }
    }
}
