//! The language that people are spoken to in: which one it is, and its catalogue.
//!
//! A text stands in English where it is used, as `tr!("…")`, in whichever room that is. The catalogues (`src/po`, by
//! gettext's rules) are built in; one is read when a language asks for it, so English costs nothing. `packaging/
//! translations.py` takes the texts out of the source, and checks source and catalogues against each other.
//!
//! The catalogue is one for the whole program, set once before anything is said ([`speak`]), and `core` reads it
//! though it is to be pure. That is a trade: handed in as an argument, a catalogue would go through every judgement
//! that ends in a sentence, and through every `Display` of an error, which takes no arguments. What makes it bearable
//! is that it never changes while the program runs, that nothing is decided by a text, and that a library on which
//! nobody calls [`speak`] says everything in English.
//!
//! In no language but English: JSON, which scripts read (`speak` is not called for it), ids and the states that are
//! ids in tables, the log, the usage texts, and what is to be copied or typed. OpenSSH has no translations; what it
//! says is shown as it is.

mod catalogue;

use std::ffi::OsString;
use std::sync::Arc;

pub use catalogue::Catalogue;

/// A language that texts are there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// As the texts stand in the source.
    English,
    /// `de`
    German,
    /// `zh_CN`: Chinese in simplified characters.
    SimplifiedChinese,
}

impl Language {
    /// Every one.
    pub const ALL: &[Self] = &[Self::English, Self::German, Self::SimplifiedChinese];

    /// The language for messages by the environment, as gettext reads it: the first of LC_ALL, LC_MESSAGES and LANG
    /// that is set says whether there is to be any (not in C and POSIX), and LANGUAGE may list what is preferred.
    /// What is not there is passed over; where nothing is left, it is English.
    #[must_use]
    pub fn of(environment: impl Fn(&str) -> Option<OsString>) -> Self {
        let value = |name: &str| {
            let value = environment(name)?.into_string().ok()?;
            (!value.is_empty()).then_some(value)
        };
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(value);
        let Some(locale) = locale.filter(|locale| !is_posix(locale)) else {
            return Self::English;
        };
        let preferred = value("LANGUAGE").unwrap_or(locale);
        preferred
            .split(':')
            .find_map(Self::named)
            .unwrap_or(Self::English)
    }

    /// The language of a locale, `de_AT.UTF-8@euro`. The character set does not matter: everything is UTF-8 here.
    ///
    /// Traditional Chinese is not the simplified one in other letters, and who asks for it mostly rather reads
    /// English than the wrong one; who does not puts zh_CN into LANGUAGE.
    fn named(locale: &str) -> Option<Self> {
        if is_posix(locale) {
            return Some(Self::English);
        }
        let name = locale.split(['.', '@']).next().unwrap_or_default();
        let mut parts = name.split(['_', '-']);
        match parts.next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "de" => Some(Self::German),
            "zh" => {
                let mut parts = parts.map(str::to_ascii_lowercase);
                let is_traditional =
                    parts.any(|part| matches!(&*part, "hant" | "tw" | "hk" | "mo"));
                (!is_traditional).then_some(Self::SimplifiedChinese)
            }
            _ => None,
        }
    }

    /// The catalogue, ready to be asked; none for English. A binary with texts of its own sets it for itself, too, by
    /// [`tr::set_translator`]: the crate keeps one for each.
    #[must_use]
    pub fn catalogue(self) -> Option<Arc<Catalogue>> {
        let text = match self {
            Self::English => return None,
            Self::German => include_str!("../po/de.po"),
            Self::SimplifiedChinese => include_str!("../po/zh_CN.po"),
        };
        Some(Arc::new(Catalogue::read(text)))
    }
}

/// C and POSIX, C.UTF-8 among them.
fn is_posix(locale: &str) -> bool {
    matches!(locale.split('.').next(), Some("C" | "POSIX"))
}

/// Says everything in this language from now on. To be called once, before anything is said.
pub fn speak(language: Language) {
    if let Some(catalogue) = language.catalogue() {
        tr::set_translator!(catalogue);
    }
}

#[cfg(test)]
mod tests {
    use tr::Translator as _;

    use super::*;

    #[test]
    fn the_environment_chooses_as_for_gettext() {
        use Language::{English, German, SimplifiedChinese};
        for (variables, language) in [
            (&[][..], English),
            (&[("LANG", "de_DE.UTF-8")], German),
            (&[("LANG", "de_AT@euro")], German),
            (&[("LANG", "fr_FR.UTF-8")], English),
            (&[("LANG", "nds_DE.UTF-8")], English),
            (&[("LANG", "zh_CN.UTF-8")], SimplifiedChinese),
            (&[("LANG", "zh_SG.UTF-8")], SimplifiedChinese),
            (&[("LANG", "zh_TW.UTF-8")], English),
            (
                &[("LANG", "zh_TW.UTF-8"), ("LANGUAGE", "zh_TW:zh_CN")],
                SimplifiedChinese,
            ),
            (&[("LANG", "de_DE"), ("LC_MESSAGES", "C")], English),
            (
                &[("LANG", "C"), ("LC_MESSAGES", "zh_CN")],
                SimplifiedChinese,
            ),
            (&[("LC_MESSAGES", "zh_CN"), ("LC_ALL", "de_DE")], German),
            (&[("LC_ALL", ""), ("LANG", "de_DE")], German),
            (&[("LANG", "fr_FR"), ("LANGUAGE", "fr:de:en")], German),
            (&[("LANG", "de_DE"), ("LANGUAGE", "en_GB:de")], English),
            (&[("LANG", "de_DE"), ("LANGUAGE", "")], German),
            (&[("LANG", "C.UTF-8"), ("LANGUAGE", "de")], English),
            (&[("LANG", "POSIX"), ("LANGUAGE", "de")], English),
            (&[("LANGUAGE", "de")], English),
            (&[("LC_NUMERIC", "de_DE")], English),
        ] {
            let environment = |name: &str| {
                let mut variables = variables.iter();
                variables.find_map(|(key, value)| (*key == name).then(|| OsString::from(value)))
            };
            assert_eq!(Language::of(environment), language, "{variables:?}");
        }
    }

    #[test]
    fn every_catalogue_is_read_and_its_plural_rule_is_followed() {
        assert!(Language::English.catalogue().is_none());
        for (language, one, several) in [
            (Language::German, "{n} Sitzung", "{n} Sitzungen"),
            (Language::SimplifiedChinese, "{n} 个会话", "{n} 个会话"),
        ] {
            let catalogue = language.catalogue().unwrap();
            let said = |n| {
                catalogue
                    .ntranslate(n, "{n} session", "{n} sessions", None)
                    .into_owned()
            };
            assert_eq!([said(0), said(1), said(2)], [several, one, several]);
            // As many as the template has: none was passed over.
            let texts = include_str!("../po/muxtray.pot")
                .matches("\nmsgid ")
                .count()
                - 1;
            assert_eq!(catalogue.len(), texts, "{language:?}");
        }
    }
}
