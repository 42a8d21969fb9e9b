//! The language of the texts that a person reads.
//!
//! A text is written in English where it is used, as `tr!("…")`. The gettext catalogues in `src/po` are built in, as
//! tables that `build.rs` makes of them. `packaging/translations.py` extracts the texts and checks the catalogues.
//!
//! The catalogue is global: [`set_language`] sets it once, before any text is made, and the pure modules read it. As an
//! argument it would have to go through every `Display` of an error, which takes none. Nothing is decided by a text, and
//! without a call of `set_language` the library is English.
//!
//! These stay English: JSON, ids and states in tables, the log, usage texts, commands and configuration to be copied,
//! and the messages of ssh.

mod catalogue;
#[cfg(test)]
mod po;

use std::ffi::OsString;
use std::sync::Arc;

pub use catalogue::Catalogue;

/// The table that `build.rs` has made of a file in `src/po`.
macro_rules! catalogue {
    ($name:literal) => {
        Some(include_bytes!(concat!(env!("OUT_DIR"), "/", $name)))
    };
}

/// Every language that muxtray speaks. To add one, add its catalogue to `src/po` and a line here.
static LANGUAGES: &[Language] = &[
    Language::new("en", &[], None),
    Language::new("de", &[], catalogue!("de")),
    // Readers of traditional characters mostly prefer English to simplified ones; the others put zh_CN into LANGUAGE.
    Language::new("zh", &["hant", "tw", "hk", "mo"], catalogue!("zh_CN")),
];

#[derive(Debug, PartialEq, Eq)]
pub struct Language {
    code: &'static str,
    /// Territories and scripts that the catalogue does not serve.
    except: &'static [&'static str],
    /// `None` for English, which needs none.
    catalogue: Option<&'static [u8]>,
}

impl Language {
    const fn new(
        code: &'static str,
        except: &'static [&'static str],
        catalogue: Option<&'static [u8]>,
    ) -> Self {
        Self {
            code,
            except,
            catalogue,
        }
    }

    /// Chooses the language as gettext does: the first of LC_ALL, LC_MESSAGES and LANG that is set names the locale. If
    /// that is C or POSIX, texts are English; otherwise the first known language of the list in LANGUAGE wins over it.
    /// Returns English if no language is known.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> &'static Self {
        let value = |name: &str| {
            let value = variable(name)?.into_string().ok()?;
            (!value.is_empty()).then_some(value)
        };
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(value)
            .filter(|locale| !is_posix(locale));
        let preferred = locale.map(|locale| value("LANGUAGE").unwrap_or(locale));
        preferred
            .iter()
            .flat_map(|list| list.split(':'))
            .find_map(Self::from_locale)
            .unwrap_or(&LANGUAGES[0])
    }

    /// The language of a locale such as `de_AT.UTF-8@euro`. The character set is ignored: all output is UTF-8.
    fn from_locale(locale: &str) -> Option<&'static Self> {
        if is_posix(locale) {
            return Some(&LANGUAGES[0]);
        }
        let name = locale.split(['.', '@']).next()?.to_ascii_lowercase();
        let (code, rest) = name.split_once(['_', '-']).unwrap_or((&name, ""));
        LANGUAGES.iter().find(|language| {
            language.code == code
                && !rest
                    .split(['_', '-'])
                    .any(|part| language.except.contains(&part))
        })
    }

    /// `None` for English. A binary with texts of its own calls [`tr::set_translator`] too, because
    /// the crate `tr` keeps a translator for each crate.
    pub fn catalogue(&self) -> Option<Arc<Catalogue>> {
        self.catalogue.map(|table| Arc::new(Catalogue::new(table)))
    }
}

/// C and POSIX, C.UTF-8 among them.
fn is_posix(locale: &str) -> bool {
    matches!(locale.split('.').next(), Some("C" | "POSIX"))
}

/// Makes all texts of this library in this language. Call it once, before the first text is made.
pub fn set_language(language: &Language) {
    if let Some(catalogue) = language.catalogue() {
        tr::set_translator!(catalogue);
    }
}

#[cfg(test)]
mod tests {
    use tr::Translator as _;

    use super::*;

    #[test]
    fn environment_selects_language_as_gettext_does() {
        for (variables, code) in [
            ("", "en"),
            ("LANG=de_DE.UTF-8", "de"),
            ("LANG=de_AT@euro", "de"),
            ("LANG=fr_FR.UTF-8", "en"),
            ("LANG=nds_DE.UTF-8", "en"),
            ("LANG=zh_CN.UTF-8", "zh"),
            ("LANG=zh_SG.UTF-8", "zh"),
            ("LANG=zh_TW.UTF-8", "en"),
            ("LANG=zh_TW.UTF-8 LANGUAGE=zh_TW:zh_CN", "zh"),
            ("LANG=de_DE LC_MESSAGES=C", "en"),
            ("LANG=C LC_MESSAGES=zh_CN", "zh"),
            ("LC_MESSAGES=zh_CN LC_ALL=de_DE", "de"),
            ("LC_ALL= LANG=de_DE", "de"),
            ("LANG=fr_FR LANGUAGE=fr:de:en", "de"),
            ("LANG=de_DE LANGUAGE=en_GB:de", "en"),
            ("LANG=de_DE LANGUAGE=", "de"),
            ("LANG=C.UTF-8 LANGUAGE=de", "en"),
            ("LANG=POSIX LANGUAGE=de", "en"),
            ("LANGUAGE=de", "en"),
            ("LC_NUMERIC=de_DE", "en"),
        ] {
            let environment = |name: &str| {
                let mut pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
                pairs.find_map(|(key, value)| (key == name).then(|| value.into()))
            };
            let language = Language::from_environment(environment);
            assert_eq!(language.code, code, "{variables}");
        }
    }

    #[test]
    fn every_catalogue_has_every_text() {
        let template = include_str!("../po/muxtray.pot");
        let texts = template.matches("\nmsgid ").count() - 1;
        for language in &LANGUAGES[1..] {
            let catalogue = language.catalogue().unwrap();
            assert_eq!(catalogue.len(), texts, "{}", language.code);
            let text = catalogue.ntranslate(2, "{n} session", "{n} sessions", None);
            assert!(text.contains("{n}") && text != "{n} sessions", "{text}");
        }
    }
}
