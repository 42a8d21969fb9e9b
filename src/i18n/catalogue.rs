//! [`Catalogue`]: the texts of one language, read from a .po file that is built in, by gettext's rules.
//!
//! It is lenient: a line that it does not understand is passed over, and a text that is not there is English. Whether
//! a catalogue is whole and agrees with the source is checked by `packaging/translations.py`, not each time it is read.
//!
//! The translators that come with the crate `tr` are not used: its reader of .po files takes none from memory (0.1.11
//! gives an empty catalogue), and misses a plural rule as gettext writes it, with a space before `plural`.
//!
//! Source: "The Format of PO Files" and "Plural forms" in the manual of GNU gettext.

mod plural;

use std::borrow::Cow;
use std::collections::HashMap;

use tr::Translator;

/// What stands between a context and its text in a key, as in gettext's own files.
const AFTER_CONTEXT: char = '\u{4}';

/// The texts of one language.
#[derive(Debug, Default)]
pub struct Catalogue {
    /// By the English text, its context in front of it. One text, or one for each plural form.
    texts: HashMap<String, Vec<String>>,
    /// The rule that picks a plural form.
    rule: String,
}

impl Catalogue {
    /// Reads the text of a .po file.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut catalogue = Self::default();
        let mut entry = Entry::default();
        for line in text.lines().map(str::trim) {
            let (keyword, rest) = match line.find('"') {
                Some(quote) if !line.starts_with('#') => (line[..quote].trim(), &line[quote..]),
                Some(_) | None => {
                    // A blank line or a comment: the next line begins another entry.
                    catalogue.take(std::mem::take(&mut entry));
                    entry.is_fuzzy = line.starts_with("#,") && line.contains("fuzzy");
                    continue;
                }
            };
            // A quoted line by itself goes on with the text before.
            if !keyword.is_empty() {
                entry.begin(keyword);
            }
            unquote(rest, entry.current());
        }
        catalogue.take(entry);
        catalogue
    }

    fn take(&mut self, entry: Entry) {
        let Entry {
            context,
            text,
            forms,
            is_fuzzy,
            ..
        } = entry;
        if text.is_empty() {
            let header = forms.first().map_or("", String::as_str);
            if let Some(rule) = header.lines().find_map(plural::rule) {
                rule.clone_into(&mut self.rule);
            }
        } else if !is_fuzzy && forms.iter().all(|form| !form.is_empty()) {
            self.texts
                .insert(key(&text, context.as_deref()).into_owned(), forms);
        }
    }

    /// How many texts it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether it has none.
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
        let form = || {
            let forms = self.texts.get(&*key(singular, context))?;
            forms.get(plural::form(&self.rule, n)?)
        };
        let english = if n == 1 { singular } else { plural };
        form().map_or(english, String::as_str).into()
    }
}

fn key<'a>(text: &'a str, context: Option<&str>) -> Cow<'a, str> {
    match context {
        None => text.into(),
        Some(context) => format!("{context}{AFTER_CONTEXT}{text}").into(),
    }
}

/// An entry while it is read.
#[derive(Debug, Default)]
struct Entry {
    context: Option<String>,
    text: String,
    /// The text for more than one; it is no part of the key.
    plural: String,
    forms: Vec<String>,
    is_fuzzy: bool,
    part: Part,
}

/// Which of its texts is being read.
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
            // The forms stand in the order of their numbers.
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

/// Adds what stands between the quotes.
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

    const TEXT: &str = r#"
# A comment with "quotes".
msgid ""
msgstr ""
"Language: xx\n"
"Plural-Forms: nplurals=3; plural=n%10==1 && n%100!=11 ? 0 : n%10>=2 && "
"n%10<=4 ? 1 : 2;\n"

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
msgstr[0] "eins {n}"
msgstr[1] "wenige {n}"
msgstr[2] "viele {n}"

#, fuzzy
msgid "guessed"
msgstr "geraten"

msgid "missing"
msgstr ""

#~ msgid "old"
#~ msgstr "alt"
"#;

    #[test]
    fn texts_are_found_by_themselves_and_their_context() {
        let catalogue = Catalogue::read(TEXT);
        for (text, context, found) in [
            ("a \"quoted\" \\ text", None, "ein \"zitierter\" \\ Text"),
            ("open", None, "offen"),
            ("open", Some("menu"), "öffnen"),
            ("open", Some("door"), "open"),
            ("in two lines", None, "in zwei Zeilen"),
            ("guessed", None, "guessed"),
            ("missing", None, "missing"),
            ("old", None, "old"),
            ("never heard of", None, "never heard of"),
        ] {
            assert_eq!(catalogue.translate(text, context), found);
        }
        assert_eq!(catalogue.len(), 5);
    }

    #[test]
    fn the_rule_of_the_header_picks_the_plural() {
        let catalogue = Catalogue::read(TEXT);
        for (number, found) in [
            (1, "eins {n}"),
            (3, "wenige {n}"),
            (5, "viele {n}"),
            (11, "viele {n}"),
            (22, "wenige {n}"),
        ] {
            let told = catalogue.ntranslate(number, "{n} host", "{n} hosts", None);
            assert_eq!(told, found, "{number}");
        }
        let told = catalogue.ntranslate(2, "{n} door", "{n} doors", None);
        assert_eq!(told, "{n} doors");
    }
}
