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

/// The texts of one language.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// By context and English text. One text, or one for each plural form.
    texts: HashMap<String, Vec<String>>,
}

impl Catalogue {
    /// Parses a .po file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut catalogue = Self::default();
        let mut entry = Entry::default();
        for line in text.lines().map(str::trim) {
            let (keyword, rest) = match line.find('"') {
                Some(quote) if !line.starts_with('#') => (line[..quote].trim(), &line[quote..]),
                Some(_) | None => {
                    // A blank line or a comment: the next line begins another entry.
                    catalogue.insert(std::mem::take(&mut entry));
                    entry.is_fuzzy = line.starts_with("#,") && line.contains("fuzzy");
                    continue;
                }
            };
            // A line without a keyword continues the text before.
            if !keyword.is_empty() {
                entry.begin(keyword);
            }
            unquote(rest, entry.current());
        }
        catalogue.insert(entry);
        catalogue
    }

    /// Adds the entry, unless it is the header, fuzzy or incomplete.
    fn insert(&mut self, entry: Entry) {
        let is_complete = entry.forms.iter().all(|form| !form.is_empty());
        if !entry.text.is_empty() && !entry.is_fuzzy && is_complete {
            let key = key(&entry.text, entry.context.as_deref()).into_owned();
            self.texts.insert(key, entry.forms);
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

impl Translator for Catalogue {
    fn translate<'a>(&'a self, text: &'a str, context: Option<&'a str>) -> Cow<'a, str> {
        let forms = self.texts.get(&*key(text, context));
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
        let form = self.texts.get(&*key(singular, context)).and_then(|forms| {
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

#[derive(Debug, Default)]
struct Entry {
    context: Option<String>,
    text: String,
    /// Not part of the key.
    plural: String,
    forms: Vec<String>,
    is_fuzzy: bool,
    part: Part,
}

/// The field of an entry to which quoted lines belong.
#[derive(Debug, Clone, Copy, Default)]
enum Part {
    #[default]
    Text,
    Context,
    Plural,
    Form,
}

impl Entry {
    fn begin(&mut self, keyword: &str) {
        self.part = match keyword {
            "msgctxt" => Part::Context,
            "msgid_plural" => Part::Plural,
            // gettext writes the forms in the order of their numbers.
            form if form.starts_with("msgstr") => {
                self.forms.push(String::new());
                Part::Form
            }
            _ => Part::Text,
        };
    }

    fn current(&mut self) -> &mut String {
        match (self.part, self.forms.last_mut()) {
            (Part::Form, Some(form)) => form,
            (Part::Context, _) => self.context.get_or_insert_default(),
            (Part::Plural, _) => &mut self.plural,
            (Part::Text | Part::Form, _) => &mut self.text,
        }
    }
}

/// Appends a quoted string to the text, without quotes and escapes.
fn unquote(quoted: &str, text: &mut String) {
    let inner = quoted.trim_start_matches('"');
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut characters = inner.chars();
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
        assert_eq!(catalogue.len(), 6);
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
