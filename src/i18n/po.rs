//! Reads gettext's .po files, when muxtray is built, and writes the tables that `catalogue.rs` looks texts up in.
//!
//! The reader is lenient: it skips lines that it does not understand, and a missing text stays English.
//! `packaging/translations.py check` refuses such a file before it is built in.
//!
//! The translators of the crate `tr` are of no use here: 0.1.11 cannot read a .po file from memory.
//!
//! Source: "The Format of PO Files" in the manual of GNU gettext.

use std::collections::BTreeMap;

/// Separates the context from the text in a key, as in gettext's binary catalogues.
const CONTEXT_SEPARATOR: char = '\u{4}';

/// Separates the forms of a plural, as in gettext's binary catalogues.
const FORM_SEPARATOR: &str = "\0";

/// Returns the table of a .po file: the keys in their order with their texts, one after the other; before them the offset
/// of each, and of the end, as little-endian numbers of 32 bits.
#[must_use]
pub(crate) fn table(text: &str) -> Vec<u8> {
    // A blank line ends an entry.
    let entries: BTreeMap<String, Vec<String>> = text.split("\n\n").filter_map(entry).collect();
    let strings = entries.into_iter();
    let strings: Vec<String> = strings
        .flat_map(|(key, forms)| [key, forms.join(FORM_SEPARATOR)])
        .collect();
    let mut offset = 4 * (strings.len() + 1);
    let mut table = Vec::new();
    for string in strings.iter().map(String::as_str).chain([""]) {
        table.extend(u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
        offset += string.len();
    }
    table.extend(strings.concat().bytes());
    table
}

/// Returns the key and the texts of an entry, unless it is the header, obsolete, fuzzy or incomplete.
fn entry(lines: &str) -> Option<(String, Vec<String>)> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in lines.lines() {
        if line.starts_with("#,") && line.contains("fuzzy") {
            return None;
        }
        let Some((keyword, quoted)) = line.split_once('"').filter(|_| !line.starts_with('#'))
        else {
            continue;
        };
        // A line without a keyword continues the text before.
        if !keyword.is_empty() {
            fields.push((keyword.trim_end(), String::new()));
        }
        unquote(quoted, &mut fields.last_mut()?.1);
    }
    let field = |name| fields.iter().find(|(keyword, _)| *keyword == name);
    let (_, text) = field("msgid").filter(|(_, text)| !text.is_empty())?;
    let key = match field("msgctxt") {
        None => text.clone(),
        Some((_, context)) => format!("{context}{CONTEXT_SEPARATOR}{text}"),
    };
    // gettext writes the forms in the order of their numbers.
    let forms = fields
        .into_iter()
        .filter(|(keyword, _)| keyword.starts_with("msgstr"));
    let forms: Vec<String> = forms.map(|(_, form)| form).collect();
    forms
        .iter()
        .all(|form| !form.is_empty())
        .then_some((key, forms))
}

/// Appends the rest of a quoted string to the text, without escapes.
fn unquote(quoted: &str, text: &mut String) {
    let mut characters = quoted.strip_suffix('"').unwrap_or(quoted).chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next().map(|escaped| match escaped {
                'n' => '\n',
                't' => '\t',
                other => other,
            })),
            plain => text.push(plain),
        }
    }
}
