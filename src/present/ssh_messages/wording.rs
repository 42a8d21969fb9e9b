//! Compares a wording of the table with text.

/// The variable parts of a wording. `.RANDOM`, the suffix of a master's temporary name, may be absent, and `...` is any
/// text. PORT is a port of this machine, SERVERPORT one of the server.
pub(super) const VARIABLES: [&str; 8] = [
    "PATH.RANDOM",
    "PATH",
    "HOST",
    "ADDRESS",
    "SERVERPORT",
    "PORT",
    "NUMBER",
    "...",
];

/// Splits a wording at its first variable part.
pub(super) fn split_at_variable(wording: &str) -> Option<(&str, &str, &str)> {
    let is_at = |name: &&str| Some((wording.find(name)?, name.len()));
    let (at, length) = VARIABLES
        .iter()
        .filter_map(is_at)
        .min_by_key(|(at, length)| (*at, usize::MAX - length))?;
    let (before, rest) = wording.split_at(at);
    let (name, after) = rest.split_at(length);
    Some((before, name, after))
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Matched<'a> {
    pub(super) path: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    pub(super) port: Option<u16>,
    pub(super) server_port: Option<u16>,
    /// Of the whole message.
    pub(super) length: usize,
}

pub(super) fn matched<'a>(wording: &str, text: &'a str) -> Option<Matched<'a>> {
    let mut values = Matched::default();
    let Some((first, mut name, mut wording)) = split_at_variable(wording) else {
        values.length = text.starts_with(wording).then_some(wording.len())?;
        return Some(values);
    };
    let mut rest = text.strip_prefix(first)?;
    loop {
        let next = split_at_variable(wording);
        let literal = next.map_or(wording, |(literal, ..)| literal);
        let (value, after) = if literal.is_empty() {
            rest.split_at(end_of_value(name, rest))
        } else if name.starts_with("PATH") {
            // A path can contain every other text.
            rest.rsplit_once(literal)?
        } else {
            rest.split_once(literal)?
        };
        match name {
            "PATH.RANDOM" | "PATH" => values.path = Some(value),
            "HOST" | "ADDRESS" if !is_name(value) => return None,
            "HOST" => values.host = Some(value),
            "..." if value.trim().is_empty() => return None,
            "PORT" => values.port = Some(value.parse().ok()?),
            "SERVERPORT" => values.server_port = Some(value.parse().ok()?),
            "NUMBER" if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) => {
                return None;
            }
            _ => {}
        }
        let Some((_, next_name, next_wording)) = next else {
            values.length = text.len() - after.len();
            return Some(values);
        };
        (rest, name, wording) = (after, next_name, next_wording);
    }
}

/// Whether the value can be a host: `web`, `127.0.0.1`, `fe80::1%eth0`.
fn is_name(value: &str) -> bool {
    !value.is_empty()
        && !value
            .contains(|character: char| character.is_whitespace() || "\"'()".contains(character))
}

/// Returns where the last part of a message ends in the rest of its line.
fn end_of_value(name: &str, rest: &str) -> usize {
    let end = match name {
        "PORT" | "SERVERPORT" | "NUMBER" => {
            rest.find(|character: char| !character.is_ascii_digit())
        }
        "HOST" | "ADDRESS" => {
            rest.find(|character: char| !is_name(character.encode_utf8(&mut [0; 4])))
        }
        _ => None,
    };
    end.unwrap_or(rest.len())
}

/// Returns where the wording begins in the line, how much of its fixed text is there, and whether the line ends with it.
pub(super) fn common_text(wording: &str, line: &str) -> Option<(usize, usize, bool)> {
    let (first, _, rest) = split_at_variable(wording).unwrap_or((wording, "", ""));
    if let Some(start) = line.rfind(first) {
        let after = &line[start + first.len()..];
        let next = split_at_variable(rest).map_or(rest, |(literal, ..)| literal);
        let common = (1..=next.len())
            .rev()
            .find(|length| next.is_char_boundary(*length) && after.ends_with(&next[..*length]))
            .unwrap_or(0);
        return Some((start, first.len() + common, common > 0));
    }
    let common = (1..=first.len())
        .rev()
        .find(|length| first.is_char_boundary(*length) && line.ends_with(&first[..*length]))?;
    Some((line.len() - common, common, true))
}
