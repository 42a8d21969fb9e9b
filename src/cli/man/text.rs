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
}
