//! Finds the messages of the table in pasted text.

mod wrapped;

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::ptr;
use std::sync::LazyLock;

use wrapped::unwrapped;

use super::pasted;
use super::row::{SshMessage, Subject};
use super::table::SSH_MESSAGES;
use super::wording::{Matched, common_text, matched, split_at_variable};
use crate::model::control_path::ControlPath;
use crate::model::finding::FindingId;
use crate::model::text;

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
    is_step: bool,
}

const FORWARD_FAILED: &str = "master forward request failed";
const CONFIGURATION_REFUSED: &str = "bad configuration options";

/// Returns the known messages in a text, in its order, each once. Normal steps count only if there is nothing else.
pub fn recognise(text: &str) -> Vec<Recognised> {
    // The forms before OpenSSH 8.9.
    let text = pasted::plain_text(text)
        .replace("cannot bind to path: ", "cannot bind to path ")
        .replace("unix_listener: \"", "unix_listener: path \"");
    let lines: Vec<&str> = text.lines().flat_map(|line| line.split('\r')).collect();
    let lines = unwrapped(&lines);
    let lines: Vec<&str> = lines.iter().map(|line| &**line).collect();
    let mut all = messages(&lines);
    // Messages without a path are mostly about the path beside them.
    let mut paths = all.iter().filter_map(|message| message.path.clone());
    if let Some(path) = paths.next()
        && paths.all(|other| other == path)
    {
        for message in &mut all {
            if message.subject == Subject::Multiplexing && message.path.is_none() {
                message.path = Some(path.clone());
            }
        }
    }
    if !all.iter().all(|message| message.is_step) {
        all.retain(|message| !message.is_step);
    } else if all.iter().any(|it| it.message.is_normal()) {
        // The detail of a step is no failure, and several steps have one meaning.
        let mut rows: Vec<*const SshMessage> = Vec::new();
        all.retain(|it| {
            let is_new = !rows.contains(&ptr::from_ref(it.message));
            rows.push(it.message);
            is_new && it.message.is_normal()
        });
    }
    // Follows the message with the cause (`muxclient()` in mux.c).
    let has_cause = |message: &Recognised| !message.line.contains(FORWARD_FAILED);
    let mut forwardings = all.iter().filter(|it| it.subject == Subject::Forwarding);
    if forwardings.any(has_cause) {
        all.retain(has_cause);
    }
    // Follows the line with the cause (`read_config_file_depth()` in readconf.c).
    let names_line = |it: &Recognised| it.message.findings.contains(&FindingId::SshConfigInvalid);
    if all.iter().any(names_line) {
        all.retain(|it| !it.line.contains(CONFIGURATION_REFUSED));
    }
    all
}

fn messages(lines: &[&str]) -> Vec<Recognised> {
    let mut all: Vec<Recognised> = Vec::new();
    let mut command = pasted::Command::default();
    let mut ansible_host: Option<&str> = None;
    let is_of_ansible = lines
        .iter()
        .any(|line| line.contains("/.ansible/") || line.contains("to the host via ssh: "));
    for line in lines {
        if let Some(found) = pasted::command(line) {
            command = found;
        }
        ansible_host = pasted::host_of_ansible(line).or(ansible_host);
        for Found { mut recognised, .. } in messages_of_line(line) {
            recognised.is_of_ansible = is_of_ansible || ansible_host.is_some();
            let named = [ansible_host, Some(command.host.as_str())];
            let named = named.into_iter().flatten().find(|host| !host.is_empty());
            recognised.host = recognised.host.or_else(|| named.map(str::to_owned));
            if recognised.subject == Subject::Forwarding {
                recognised.port = recognised.port.or(command.port);
            }
            if let Some(path) = &command.control_path {
                recognised.has_own_path = true;
                recognised.path = recognised.path.or_else(|| typed_path(path));
            }
            // A playbook has many hosts.
            let is_of_any_host = recognised.path.is_some() || recognised.is_of_ansible;
            let is_same = |other: &Recognised| {
                ptr::eq(other.message, recognised.message)
                    && (&other.path, other.port, other.server_port)
                        == (&recognised.path, recognised.port, recognised.server_port)
                    && (is_of_any_host || other.host == recognised.host)
            };
            if !all.iter().any(is_same) {
                all.push(recognised);
            }
        }
    }
    all
}

struct Found {
    range: Range<usize>,
    /// Whether the wording ends with any text.
    is_general: bool,
    recognised: Recognised,
}

fn messages_of_line(line: &str) -> Vec<Found> {
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

fn complete_messages(line: &str) -> Vec<Found> {
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
struct Wording {
    subject: Subject,
    message: &'static SshMessage,
    text: &'static str,
    first: &'static str,
}

/// In the order of the table.
static WORDINGS: LazyLock<Vec<Wording>> = LazyLock::new(|| {
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
fn possible_wordings(line: &str) -> impl Iterator<Item = (usize, usize)> {
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
        let messages = places(&FIRST_TEXTS).into_iter();
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

/// The ControlPath of a command; `None` if only ssh or the shell knows it.
fn typed_path(typed: &str) -> Option<ControlPath> {
    let is_plain = !typed.contains(['%', '$', '*', '\\']);
    is_plain.then(|| ControlPath::new(typed))?
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

#[cfg(test)]
mod tests;
