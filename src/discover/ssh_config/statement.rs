//! One line of an ssh configuration file, parsed as readconf.c does it.
//!
//! Sources: `process_config_line_depth()` in readconf.c, `strdelim()` and `argv_split()` in misc.c.

/// The statements that name hosts or control sockets. `ssh -G` evaluates all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    /// The names in `Host`, `Match host` and `Match originalhost` that have no wildcard and no negation.
    Hosts(Vec<Vec<u8>>),
    Include(Vec<Vec<u8>>),
    ControlPath(Vec<u8>),
    /// ControlMaster no or ControlPath none.
    SwitchOff,
}

/// Parses a keyword and its arguments. Returns `None` for other keywords and for lines that ssh rejects.
pub(super) fn parse(keyword: &[u8], arguments: &[u8]) -> Option<Statement> {
    if !matches!(
        keyword,
        b"host" | b"match" | b"include" | b"controlpath" | b"controlmaster"
    ) {
        return None;
    }
    let mut words = words(arguments)?;
    if words.first().is_none_or(Vec::is_empty) {
        return None;
    }
    match keyword {
        b"host" => {
            words.retain(|name| is_concrete(name));
            Some(Statement::Hosts(words))
        }
        b"match" => {
            let mut names = hosts_of_match(&words);
            names.retain(|name| is_concrete(name));
            Some(Statement::Hosts(names))
        }
        b"include" => Some(Statement::Include(words)),
        b"controlmaster" => {
            let is_no = matches!(words[0].as_slice(), b"no" | b"false");
            is_no.then_some(Statement::SwitchOff)
        }
        _ => match <[Vec<u8>; 1]>::try_from(words) {
            Ok([template]) if template.eq_ignore_ascii_case(b"none") => Some(Statement::SwitchOff),
            Ok([template]) => Some(Statement::ControlPath(template)),
            Err(_) => None,
        },
    }
}

/// Returns the first name with a wildcard in `Host`, `Match host` and `Match originalhost`, but not `*`.
pub(super) fn wildcard(keyword: &[u8], arguments: &[u8]) -> Option<Vec<u8>> {
    let words = words(arguments)?;
    let names = match keyword {
        b"host" => words,
        b"match" => hosts_of_match(&words),
        _ => return None,
    };
    let is_wildcard = |name: &Vec<u8>| *name != b"*" && name[..1] != *b"!" && !is_concrete(name);
    names
        .into_iter()
        .find(|name| !name.is_empty() && is_wildcard(name))
}

/// Whether the name as it is typed is part of the place to which this setting leads.
pub(super) fn contains_name(keyword: &[u8], arguments: &[u8]) -> bool {
    let leads = matches!(
        keyword,
        b"proxycommand" | b"proxyjump" | b"identityfile" | b"certificatefile"
    );
    let is_name = |token: &[u8]| token == b"%n" || token == b"%k";
    leads && arguments.windows(2).any(is_name)
}

fn is_concrete(name: &[u8]) -> bool {
    !name.is_empty() && name[0] != b'!' && !name.iter().any(|byte| b"*?".contains(byte))
}

/// `attribute=value` may be one word or two.
fn hosts_of_match(words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut hosts = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let (attribute, value) = match word.iter().position(|byte| *byte == b'=') {
            Some(end) => (&word[..end], Some(&word[end + 1..])),
            None => (word.as_slice(), None),
        };
        let attribute = attribute.to_ascii_lowercase();
        let has_no_value = matches!(
            attribute.strip_prefix(b"!").unwrap_or(&attribute),
            b"all" | b"canonical" | b"final"
        );
        if has_no_value {
            continue;
        }
        let Some(value) = value.or_else(|| rest.next().map(Vec::as_slice)) else {
            break;
        };
        if matches!(attribute.as_slice(), b"host" | b"originalhost") {
            let names = value.split(|byte| *byte == b',');
            hosts.extend(names.map(<[u8]>::to_vec));
        }
    }
    hosts
}

/// The bytes of WHITESPACE in misc.c; at the end of a line ssh strips form feeds too.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Returns the keyword of a line in lower case and its arguments, or `None` for an empty line or a comment.
pub(super) fn split(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
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

/// Splits arguments into words, up to a comment. Returns `None` if a quote is not closed: ssh rejects the configuration.
///
/// Words in quotes join what is beside them. A backslash escapes a quote, a backslash and, outside quotes, a space;
/// before any other byte it is an ordinary byte.
fn words(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = match rest {
            [] | [b'#', ..] => return Some(words),
            [b' ' | b'\t', after @ ..] => after,
            _ => {
                let (word, after) = word(rest)?;
                words.push(word);
                after
            }
        };
    }
}

fn word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
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
            ([], None) | ([b' ' | b'\t', ..], None) => return Some((word, rest)),
            ([], Some(_)) => return None,
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

    fn statement(line: &[u8]) -> Option<Statement> {
        let (keyword, arguments) = split(line)?;
        parse(&keyword, arguments)
    }

    #[test]
    fn finds_the_wildcard_of_a_block() {
        for (line, expected) in [
            ("Host web *.prod 10.*", Some("*.prod")),
            ("Host * web", None),
            ("Host !*.lab web?", Some("web?")),
            ("Match host=a,*.lab user me", Some("*.lab")),
            ("Match !host *.lab", None),
            ("Match all", None),
            ("User *", None),
        ] {
            let (keyword, arguments) = split(line.as_bytes()).unwrap();
            let found = wildcard(&keyword, arguments);
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn parses_the_statements_that_name_hosts_or_sockets() {
        let hosts = |names: &[&str]| {
            let names = names.iter().map(|name| name.as_bytes().to_vec());
            Some(Statement::Hosts(names.collect()))
        };
        for (line, expected) in [
            ("Host web db *.example.org !mail ?x", hosts(&["web", "db"])),
            ("  \tHOST   web\tdb\r\n", hosts(&["web", "db"])),
            ("HOST=\"quoted\" # comment", hosts(&["quoted"])),
            (
                "\"Host\" \"a b\" 'c d' e\" f\"g",
                hosts(&["a b", "c d", "e fg"]),
            ),
            (r"Host a\ b \\ \x", hosts(&["a b", r"\", r"\x"])),
            (
                r#"Host \"q\" "\"" "a\ b""#,
                hosts(&["\"q\"", "\"", r"a\ b"]),
            ),
            ("Host web#1 #2", hosts(&["web#1"])),
            ("Host web\0 db", hosts(&["web"])),
            ("Host web\x0c", hosts(&["web"])),
            ("Match originalhost a,b* user me", hosts(&["a"])),
            ("Match all", hosts(&[])),
            ("Match exec \"true host no\" host=c,!d", hosts(&["c"])),
            ("Match !host e host f", hosts(&["f"])),
            ("Match final host g", hosts(&["g"])),
            ("Match host", hosts(&[])),
            ("Host \"a", None),
            ("Host it's", None),
            ("Host", None),
            ("  # Host web", None),
            ("\"Host", None),
            ("\r\n", None),
            ("ControlMaster no", Some(Statement::SwitchOff)),
            ("ControlPath none", Some(Statement::SwitchOff)),
            ("ControlMaster auto", None),
            ("ControlPath", None),
            ("ControlPath \"\"", None),
            ("ControlPath a b", None),
            ("ControlPath == ~/x", None),
            ("User me", None),
        ] {
            assert_eq!(statement(line.as_bytes()), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn accepts_any_bytes(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some((word, rest)) = split(&line) {
                prop_assert!(word.len() <= line.len());
                prop_assert!(words(rest).is_none() || rest.len() <= line.len());
            }
        }
    }
}
