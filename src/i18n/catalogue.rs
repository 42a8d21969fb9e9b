//! Reads a gettext catalogue that is built in.
//!
//! The reader is lenient: it skips lines that it does not understand, and a missing text stays English.
//! `packaging/translations.py check` refuses such a catalogue before it is built in.
//!
//! The translators of the crate `tr` are of no use here: 0.1.11 cannot read a .po file from memory.
//!
//! Source: "The Format of PO Files" in the manual of GNU gettext.

use std::borrow::Cow;
use std::collections::HashMap;

use tr::Translator;

/// Separates the context from the text in a key, as in gettext's binary catalogues.
const CONTEXT_SEPARATOR: char = '\u{4}';

/// The texts of one language: by context and English text, one text or one for each plural form.
#[derive(Debug, Default)]
pub struct Catalogue(pub(super) HashMap<String, Vec<String>>);

impl Catalogue {
    /// Parses a .po file. A blank line ends an entry.
    pub fn parse(text: &str) -> Self {
        Self(text.split("\n\n").filter_map(entry).collect())
    }
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
    let key = key(text, field("msgctxt").map(|(_, context)| context.as_str())).into_owned();
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

impl Translator for Catalogue {
    fn translate<'a>(&'a self, text: &'a str, context: Option<&'a str>) -> Cow<'a, str> {
        let forms = self.0.get(&*key(text, context));
        forms
            .and_then(|forms| forms.first())
            .map_or(text, String::as_str)
            .into()
    }

    fn ntranslate<'a>(
        &'a self,
        n: u64,
        singular: &'a str,
        plural: &'a str,
        context: Option<&'a str>,
    ) -> Cow<'a, str> {
        let form = self.0.get(&*key(singular, context)).and_then(|forms| {
            // One form for every number, or `plural=(n != 1)`; translations.py refuses other rules.
            forms.get(usize::from(n != 1)).or_else(|| forms.first())
        });
        let english = if n == 1 { singular } else { plural };
        form.map_or(english, String::as_str).into()
    }
}

fn key<'a>(text: &'a str, context: Option<&str>) -> Cow<'a, str> {
    match context {
        None => text.into(),
        Some(context) => format!("{context}{CONTEXT_SEPARATOR}{text}").into(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOGUE: &str = r#"
# A comment with "quotes".
msgid ""
msgstr ""
"Language: xx\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

#: src/a.rs
msgid "a \"quoted\" \\ text"
msgstr "ein \"zitierter\" \\ Text"

msgctxt "menu"
msgid "open"
msgstr "öffnen"

msgid "open"
msgstr "offen"

msgid ""
"in two "
"lines"
msgstr ""
"in zwei "
"Zeilen"

msgid "{n} host"
msgid_plural "{n} hosts"
msgstr[0] "{n} Rechner"
msgstr[1] "{n} Rechnern"

msgid "{n} file"
msgid_plural "{n} files"
msgstr[0] "{n} 个文件"

#, fuzzy
msgid "guessed"
msgstr "geraten"

msgid "missing"
msgstr ""

#~ msgid "old"
#~ msgstr "alt"
"#;

    #[test]
    fn finds_texts_by_text_and_context() {
        let catalogue = Catalogue::parse(CATALOGUE);
        for (text, context, found) in [
            ("a \"quoted\" \\ text", None, "ein \"zitierter\" \\ Text"),
            ("open", None, "offen"),
            ("open", Some("menu"), "öffnen"),
            ("open", Some("door"), "open"),
            ("in two lines", None, "in zwei Zeilen"),
            ("guessed", None, "guessed"),
            ("missing", None, "missing"),
            ("old", None, "old"),
            ("unknown", None, "unknown"),
        ] {
            assert_eq!(catalogue.translate(text, context), found);
        }
        assert_eq!(catalogue.0.len(), 6);
    }

    #[test]
    fn selects_plural_form_by_number() {
        let catalogue = Catalogue::parse(CATALOGUE);
        for (n, singular, plural, form) in [
            (1, "{n} host", "{n} hosts", "{n} Rechner"),
            (0, "{n} host", "{n} hosts", "{n} Rechnern"),
            (2, "{n} host", "{n} hosts", "{n} Rechnern"),
            (1, "{n} file", "{n} files", "{n} 个文件"),
            (2, "{n} file", "{n} files", "{n} 个文件"),
            (2, "{n} door", "{n} doors", "{n} doors"),
        ] {
            assert_eq!(catalogue.ntranslate(n, singular, plural, None), form);
        }
    }
}
