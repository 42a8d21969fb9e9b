//! Finds the messages of the table in one line.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::LazyLock;

use crate::model::control_path::ControlPath;
use crate::model::text;
use crate::present::ssh_messages::row::{SshMessage, Subject};
use crate::present::ssh_messages::table::SSH_MESSAGES;
use crate::present::ssh_messages::wording::{Matched, common_text, matched, split_at_variable};

/// A message with the longest path in octal is shorter. The limits keep the time for a long line linear.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// ssh prints `debug1: ` and the names of two functions at most before a message.
const MAX_WORDS_BEFORE: usize = 8;
const MAX_WORD_BYTES: usize = 300;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// The message as ssh printed it, without the text around it.
    pub line: String,
    pub subject: Subject,
    pub message: &'static SshMessage,
    /// The ControlPath in it; `None` also if that is not absolute, or is cut off.
    pub path: Option<ControlPath>,
    /// The host of the command, or the one that ansible names.
    pub host: Option<String>,
    /// The port of this machine.
    pub port: Option<u16>,
    /// The port of the server.
    pub server_port: Option<u16>,
    pub is_of_ansible: bool,
    /// Whether the command has a ControlPath of its own, and not that of its host.
    pub has_own_path: bool,
    /// Whether nothing has to be wrong: a normal step, or a detail for debugging.
    pub(super) is_step: bool,
}

pub(super) struct Found {
    pub(super) range: Range<usize>,
    /// Whether the wording ends with any text.
    pub(super) is_general: bool,
    pub(super) recognised: Recognised,
}

pub(super) fn messages_of_line(line: &str) -> Vec<Found> {
    let mut found = complete_messages(line);
    if let Some(cut) = cut_off(line) {
        match found.last() {
            None => found.push(cut),
            // The general message has swallowed the beginning of the specific one.
            Some(last) if last.is_general && !cut.is_general => {
                found.pop();
                found.push(cut);
            }
            Some(_) => {}
        }
    }
    found
}

pub(super) fn complete_messages(line: &str) -> Vec<Found> {
    let ends = LazyCell::new(|| Ends::of(line));
    // By their beginnings. No two of them overlap.
    let mut all: BTreeMap<usize, Found> = BTreeMap::new();
    let begins = |(place, start): &(usize, usize)| {
        let first: &str = WORDINGS[*place].first;
        line.as_bytes()[*start..].starts_with(first.as_bytes())
    };
    let mut begun: Vec<_> = possible_wordings(line).filter(begins).collect();
    begun.sort_unstable();
    for (place, start) in begun {
        let Wording {
            subject,
            message,
            text,
            first,
        } = &WORDINGS[place];
        let is_taken = |end| {
            let before = all.range(..end).next_back();
            before.is_some_and(|(_, found)| start < found.range.end)
        };
        // `channel_…` is not in `client_input_channel_req`.
        if is_taken(start + first.len()) || line[..start].ends_with('_') {
            continue;
        }
        let region = &line[start..ends.of_region(line, start, first.len())];
        let Some(values) = matched(text, region) else {
            continue;
        };
        let range = start..start + values.length;
        if !is_taken(range.end) {
            let is_general = text.ends_with("...");
            let mut recognised = recognised(line, range.clone(), *subject, message, &values);
            recognised.is_step |= is_general && recognised.line.starts_with("debug");
            let found = Found {
                range,
                is_general,
                recognised,
            };
            all.insert(start, found);
        }
    }
    all.into_values().collect()
}

/// A wording of the table, and the fixed text with which it begins.
pub(super) struct Wording {
    pub(super) subject: Subject,
    pub(super) message: &'static SshMessage,
    pub(super) text: &'static str,
    pub(super) first: &'static str,
}

/// In the order of the table.
pub(super) static WORDINGS: LazyLock<Vec<Wording>> = LazyLock::new(|| {
    let rows = SSH_MESSAGES
        .iter()
        .flat_map(|(subject, messages)| messages.iter().map(|message| (*subject, message)));
    let wordings = rows.flat_map(|(subject, message)| {
        message.wordings.iter().map(move |text| Wording {
            subject,
            message,
            text,
            first: split_at_variable(text).map_or(*text, |(first, ..)| first),
        })
    });
    wordings.collect()
});

/// No first text is shorter.
const KEY_BYTES: usize = 4;

/// The places in [`WORDINGS`] by the beginning of the first text: a log has many lines, and the table many wordings.
static BY_BEGINNING: LazyLock<HashMap<&[u8], Vec<usize>>> = LazyLock::new(|| {
    let mut all: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (place, wording) in WORDINGS.iter().enumerate() {
        let key = &wording.first.as_bytes()[..KEY_BYTES];
        all.entry(key).or_default().push(place);
    }
    all
});

/// Returns the wordings whose first bytes are in the line: their places in [`WORDINGS`] and in the line.
pub(super) fn possible_wordings(line: &str) -> impl Iterator<Item = (usize, usize)> {
    let keys = line.as_bytes().windows(KEY_BYTES).enumerate();
    keys.flat_map(|(start, key)| {
        let places = BY_BEGINNING.get(key).into_iter().flatten();
        places.map(move |place| (*place, start))
    })
}

/// The texts with which a message about multiplexing or forwarding begins, without those that are a part of another.
static FIRST_TEXTS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let wordings = || WORDINGS.iter().filter(|it| it.subject != Subject::Other);
    let is_part = |text: &str| wordings().any(|it| it.text.find(text).is_some_and(|at| at > 0));
    wordings()
        .map(|wording| wording.first)
        .filter(|first| first.len() >= 8 && !is_part(first))
        .collect()
});

/// The places of a line at which a message can end.
struct Ends {
    /// The beginnings of messages and of their first texts, in order.
    messages: Vec<(usize, usize)>,
    /// The ends of strings in JSON or Python, in order.
    strings: Vec<usize>,
}

impl Ends {
    fn of(line: &str) -> Self {
        let places = |texts: &[&str]| -> Vec<usize> {
            let places = texts.iter().flat_map(|text| line.match_indices(text));
            places.map(|(at, _)| at).collect()
        };
        // A path can contain such a text.
        let is_in_word = |at: &usize| {
            let before = line[..*at].chars().next_back();
            before.is_some_and(|it| it.is_alphanumeric() || it == '/')
        };
        let messages = places(&FIRST_TEXTS).into_iter();
        let messages = messages.filter(|at| !is_in_word(at));
        let messages = messages.map(|at| (start_of_message(line, at), at));
        let mut messages: Vec<_> = messages.collect();
        messages.sort_unstable();
        let mut strings = places(&["\", \"", "\"}", "\"]", "\",", "', '", "'}", "']"]);
        strings.sort_unstable();
        Self { messages, strings }
    }

    /// Returns where the message with a first text of this length at `start` ends at the latest: before the next message,
    /// and at the end of its string in JSON or Python.
    fn of_region(&self, line: &str, start: usize, length: usize) -> usize {
        let after = start + length;
        let mut longest = line.len().min(after + MAX_MESSAGE_BYTES);
        while !line.is_char_boundary(longest) {
            longest -= 1;
        }
        let next = self.messages.partition_point(|(begin, _)| *begin <= start);
        let next = self.messages[next..]
            .iter()
            .take_while(|(begin, _)| *begin < longest)
            // A text after a colon is a part of this message.
            .find(|(begin, text)| *text >= after && !line[start..*begin].ends_with(": "))
            .map(|(begin, _)| *begin);
        let string = self.strings.partition_point(|end| *end < after);
        let ends = next.into_iter().chain(self.strings.get(string).copied());
        ends.chain([longest]).min().unwrap_or(longest)
    }
}

/// Returns where the words that ssh prints before its messages begin.
fn start_of_message(line: &str, at: usize) -> usize {
    let mut start = at;
    for _ in 0..MAX_WORDS_BEFORE {
        let Some(word) = word_of_ssh(&line[..start]) else {
            break;
        };
        start -= word.len() + 2;
    }
    start
}

fn recognised(
    line: &str,
    range: Range<usize>,
    subject: Subject,
    message: &'static SshMessage,
    values: &Matched<'_>,
) -> Recognised {
    let start = start_of_message(line, range.start);
    // `u@h: Permission denied (publickey)`
    let user_and_host = line[start..range.start]
        .split(": ")
        .find(|word| word.contains('@'));
    Recognised {
        line: line[start..range.end].trim().to_owned(),
        subject,
        message,
        path: values.path.and_then(control_path),
        host: values.host.or(user_and_host).map(str::to_owned),
        port: values.port,
        server_port: values.server_port,
        is_of_ansible: false,
        has_own_path: false,
        is_step: message.is_normal(),
    }
}

/// Returns the word before a message if ssh printed it: `debug1: `, the function, the name of the program, `u@h: `.
fn word_of_ssh(before: &str) -> Option<&str> {
    let before = before.strip_suffix(": ")?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.@".contains(byte);
    let bytes = before.bytes().rev().take(MAX_WORD_BYTES);
    let (before_word, word) = before.split_at(before.len() - bytes.take_while(is_plain).count());
    if !before_word.is_empty() && !before_word.ends_with([' ', '\t', '"', '\'']) {
        return None;
    }
    // "via ssh: " is ansible's.
    let is_of_ssh = word.contains(['_', '@'])
        || word.starts_with("debug")
        || word == "muxclient"
        || word == "ssh" && !before.ends_with("via ssh");
    is_of_ssh.then_some(word)
}

fn control_path(shown: &str) -> Option<ControlPath> {
    if shown.contains('\u{2026}') || shown.contains("...") {
        return None;
    }
    let path = ControlPath::new(OsStr::from_bytes(&text::octal_decoded(shown.as_bytes())))?;
    Some(path.without_temporary_suffix().unwrap_or(path))
}

/// Returns the message at the end of a line that is cut off, the one with the longest common text. If several have it,
/// the general one.
fn cut_off(line: &str) -> Option<Found> {
    /// A shorter part of a message can be anything.
    const MIN_LENGTH: usize = 12;
    let line = line.trim_end().trim_end_matches(['"', '\'']);
    let line = line
        .strip_suffix('\u{2026}')
        .or_else(|| line.strip_suffix("..."))?
        .trim_end();
    let mut begun: Vec<usize> = possible_wordings(line).map(|(place, _)| place).collect();
    begun.sort_unstable();
    begun.dedup();
    let candidates = begun.into_iter().filter_map(|place| {
        let wording = &WORDINGS[place];
        let (start, common, is_to_end) = common_text(wording.text, line)?;
        let is_general = wording.text.ends_with("...");
        (common >= MIN_LENGTH).then_some(((is_to_end, common), is_general, wording, start))
    });
    let (_, is_general, wording, start) =
        candidates.max_by_key(|(common, is_general, ..)| (*common, *is_general))?;
    let values = Matched {
        length: line.len() - start,
        ..Matched::default()
    };
    let range = start..line.len();
    Some(Found {
        range: range.clone(),
        is_general,
        recognised: recognised(line, range, wording.subject, wording.message, &values),
    })
}
