//! From text with backticks to the fonts of a page, and from the configuration file to its keys.

use clap_mangen::roff::{Inline, bold, roman};

/// The text with what stands between backticks in bold: what is typed or read literally.
pub(super) fn marked(text: &str) -> Vec<Inline> {
    let set = |(index, part): (usize, &str)| {
        if index % 2 == 0 {
            roman(part)
        } else {
            bold(part)
        }
    };
    let is_there = |(_, part): &(usize, &str)| !part.is_empty();
    text.split('`')
        .enumerate()
        .filter(is_there)
        .map(set)
        .collect()
}

/// How long a line of the page's source gets, where it can be broken.
const WIDTH: usize = 78;

/// The page with its long lines of text broken at spaces, as roff's sources are kept. Lines of requests are left as they
/// are, and so is what is one line by its meaning: the name of an entry.
pub(super) fn wrapped(page: &str) -> String {
    let mut source = String::with_capacity(page.len());
    let mut is_name = false;
    for line in page.lines() {
        if line.starts_with('.') || is_name {
            source.push_str(line);
        } else {
            wrap(line, &mut source);
        }
        source.push('\n');
        is_name = matches!(line, ".TP" | ".TQ");
    }
    source
}

fn wrap(line: &str, source: &mut String) {
    let mut width = 0;
    for word in line.split_ascii_whitespace() {
        // A line that begins with one of these would be a request.
        if width > 0 && width + 1 + word.len() > WIDTH && !word.starts_with(['.', '\'']) {
            source.push('\n');
            width = 0;
        } else if width > 0 {
            source.push(' ');
            width += 1;
        }
        source.push_str(word);
        width += word.len();
    }
}

/// Keys of the configuration file that have one explanation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The table they are in; empty for the first.
    pub(super) table: String,
    /// The keys with their values, as they stand in the file.
    pub(super) settings: Vec<String>,
    /// What the comment above them says.
    pub(super) about: String,
}

/// The keys of a file that documents itself: paragraphs of comment lines, each followed by what it is about.
pub(super) fn keys(file: &str) -> Vec<Key> {
    let mut table = String::new();
    let mut keys = Vec::new();
    for paragraph in file.split("\n\n") {
        let mut about: Vec<&str> = Vec::new();
        let mut settings = Vec::new();
        for line in paragraph.lines() {
            if let Some(comment) = line.strip_prefix('#') {
                about.push(comment.trim());
            } else if let Some(name) = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'))
            {
                name.clone_into(&mut table);
            } else if !line.trim().is_empty() {
                settings.push(line.to_owned());
            }
        }
        // The first paragraph is about the file.
        if !settings.is_empty() {
            keys.push(Key {
                table: table.clone(),
                settings,
                about: about.join(" "),
            });
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_literal_is_bold() {
        for (text, inlines) in [
            ("plain", vec![roman("plain")]),
            ("`a` or `b`", vec![bold("a"), roman(" or "), bold("b")]),
            (
                "run `muxtray clean`.",
                vec![roman("run "), bold("muxtray clean"), roman(".")],
            ),
        ] {
            assert_eq!(marked(text), inlines, "{text}");
        }
    }

    #[test]
    fn only_text_is_broken() {
        let name = "word ".repeat(30);
        let page = format!(".TP\n{name}\n.SH {name}\n{name}.dot 'quote");
        let wrapped = wrapped(&page);
        let lines: Vec<&str> = wrapped.lines().collect();
        assert_eq!(
            lines[..3],
            [".TP", name.as_str(), format!(".SH {name}").as_str()]
        );
        assert!(lines.len() > 4, "{lines:?}");
        for line in &lines[3..] {
            assert!(
                line.len() <= WIDTH + 12 && line.starts_with("word"),
                "{line}"
            );
        }
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&wrapped), words(&page));
    }

    #[test]
    fn a_file_is_read_by_paragraphs() {
        let file = "# About the file.\n\n# How\n# often.\nsecs = 3\n\n[bells]\n# Loud.\nring = true\n\n# Kinds.\na = true\nb = false\n";
        let key = |table: &str, settings: &[&str], about: &str| Key {
            table: table.to_owned(),
            settings: settings.iter().map(ToString::to_string).collect(),
            about: about.to_owned(),
        };
        assert_eq!(
            keys(file),
            [
                key("", &["secs = 3"], "How often."),
                key("bells", &["ring = true"], "Loud."),
                key("bells", &["a = true", "b = false"], "Kinds."),
            ]
        );
    }

    #[test]
    fn every_setting_is_a_key_with_an_explanation() {
        use crate::config::Settings;

        let documented = Settings::default().documented();
        let keys = keys(&documented);
        let told: usize = keys.iter().map(|key| key.settings.len()).sum();
        let lines = documented
            .lines()
            .filter(|line| line.contains(" = ") && !line.starts_with('#'));
        assert_eq!(told, lines.count());
        for key in keys {
            assert!(!key.about.is_empty(), "{key:?}");
        }
    }
}
