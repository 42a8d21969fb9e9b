//! Joins the lines into which a terminal, a YAML printer or a mail program has wrapped a message.

use std::borrow::Cow;

use super::line::{Found, WORDINGS, complete_messages, possible_wordings};

/// The most lines of a message, and the longest of them: a path has 107 bytes at most, a terminal more than 20 columns.
const MAX_LINES: usize = 6;
const MAX_LINE_BYTES: usize = 500;

/// The most lines that are tried as the first one, so that the time for a long text stays linear.
const MAX_TRIED: usize = 50;

/// The shortest part of a message's first text at the end of a line that is taken for its beginning.
const MIN_BEGINNING: usize = 5;

pub(super) fn unwrapped<'a>(lines: &[&'a str]) -> Vec<Cow<'a, str>> {
    let mut all = Vec::with_capacity(lines.len());
    let mut rest = lines;
    let mut tried = 0;
    while let [line, after @ ..] = rest {
        let joined = (tried < MAX_TRIED && line.len() <= MAX_LINE_BYTES)
            .then(|| joined(line, after, &mut tried))
            .flatten();
        let (line, after) = match joined {
            Some((joined, number)) => (Cow::Owned(joined), &after[number..]),
            None => (Cow::Borrowed(*line), after),
        };
        all.push(line);
        rest = after;
    }
    all
}

/// Returns the line with those after it that complete a message which begins in it, and their number.
fn joined(line: &str, after: &[&str], tried: &mut usize) -> Option<(String, usize)> {
    if after.is_empty() || !begins_message(line) {
        return None;
    }
    let alone = complete_messages(line).pop();
    if alone.as_ref().is_some_and(|found| !found.is_general) {
        return None;
    }
    *tried += 1;
    let mut texts = vec![line.trim_end().to_owned()];
    let mut general = None;
    for (number, next) in (1..MAX_LINES).zip(after) {
        let next = without_quotes(next);
        if next.is_empty() || next.len() > MAX_LINE_BYTES {
            break;
        }
        // Within a word or a path first: ssh prints no space there.
        let with = |between| {
            texts
                .iter()
                .map(move |text| format!("{text}{between}{next}"))
        };
        texts = with("").chain(with(" ")).collect();
        for text in &texts {
            let is_completed = |found: &Found| {
                found.range.start < line.len() && found.range.end > text.len() - next.len()
            };
            let is_better = |found: &Found| match &alone {
                Some(alone) => !found.is_general && is_about_same_path(alone, found),
                None => true,
            };
            let mut found = complete_messages(text).into_iter();
            match found.find(|found| is_completed(found) && is_better(found)) {
                Some(found) if !found.is_general => return Some((text.clone(), number)),
                Some(_) if general.is_none() => general = Some((text.clone(), number)),
                _ => {}
            }
        }
    }
    general
}

/// Whether the longer message did not take what follows the path for a part of it.
fn is_about_same_path(alone: &Found, longer: &Found) -> bool {
    let path = &alone.recognised.path;
    path.is_none() || *path == longer.recognised.path
}

/// Whether a message begins in the line, perhaps with the last of its characters.
fn begins_message(line: &str) -> bool {
    let line = line.trim_end();
    possible_wordings(line).any(|(place, start)| {
        let (first, rest) = (WORDINGS[place].first.as_bytes(), &line.as_bytes()[start..]);
        rest.starts_with(first) || rest.len() >= MIN_BEGINNING && first.starts_with(rest)
    })
}

/// Removes the marks of quotations and boxes, as `> ` in mail and `│ ` in terraform's output.
fn without_quotes(line: &str) -> &str {
    line.trim().trim_start_matches(['>', '|', '│']).trim_start()
}
