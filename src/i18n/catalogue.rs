//! Looks up texts in a table that `po.rs` has made of a gettext catalogue. Nothing of it is read before a text is
//! needed.

use std::borrow::Cow;
use std::cmp::Ordering;

use tr::Translator;

/// The texts of one language, by context and English text.
#[derive(Debug)]
pub struct Catalogue(&'static [u8]);

impl Catalogue {
    /// The table as `po::table` returns it.
    pub const fn new(table: &'static [u8]) -> Self {
        Self(table)
    }

    pub(super) fn len(&self) -> usize {
        // The first string begins behind the offsets: two for each text, and one for the end.
        self.offset(0).unwrap_or_default() / 8
    }

    /// Returns the forms of a text.
    fn forms(
        &self,
        text: &str,
        context: Option<&str>,
    ) -> Option<impl Iterator<Item = &'static str>> {
        let key = key(text, context);
        let (mut first, mut end) = (0, self.len());
        while first < end {
            let middle = usize::midpoint(first, end);
            match self.string(2 * middle)?.cmp(&key) {
                Ordering::Less => first = middle + 1,
                Ordering::Equal => return Some(self.string(2 * middle + 1)?.split('\0')),
                Ordering::Greater => end = middle,
            }
        }
        None
    }

    fn string(&self, number: usize) -> Option<&'static str> {
        let bytes = self.0.get(self.offset(number)?..self.offset(number + 1)?)?;
        str::from_utf8(bytes).ok()
    }

    fn offset(&self, number: usize) -> Option<usize> {
        let bytes = self.0.get(4 * number..)?.first_chunk()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    }
}

impl Translator for Catalogue {
    fn translate<'a>(&'a self, text: &'a str, context: Option<&'a str>) -> Cow<'a, str> {
        let forms = self.forms(text, context);
        forms
            .and_then(|mut forms| forms.next())
            .unwrap_or(text)
            .into()
    }

    fn ntranslate<'a>(
        &'a self,
        n: u64,
        singular: &'a str,
        plural: &'a str,
        context: Option<&'a str>,
    ) -> Cow<'a, str> {
        let form = self.forms(singular, context).and_then(|mut forms| {
            // One form for every number, or `plural=(n != 1)`; translations.py refuses other rules.
            let first = forms.next();
            let other = (n != 1).then(|| forms.next()).flatten();
            other.or(first)
        });
        let english = if n == 1 { singular } else { plural };
        form.unwrap_or(english).into()
    }
}

fn key<'a>(text: &'a str, context: Option<&str>) -> Cow<'a, str> {
    match context {
        None => text.into(),
        Some(context) => format!("{context}\u{4}{text}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::po;

    fn parsed(text: &str) -> Catalogue {
        Catalogue::new(po::table(text).leak())
    }

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
        let catalogue = parsed(CATALOGUE);
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
        let catalogue = parsed(CATALOGUE);
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
