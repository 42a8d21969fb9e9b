use clap_mangen::roff::{Inline, bold, roman};

/// Returns the text with the parts between backticks in bold.
pub(super) fn marked(text: &str) -> Vec<Inline> {
    let set = |(index, part): (usize, &str)| {
        if index % 2 == 0 {
            roman(part)
        } else {
            bold(part)
        }
    };
    let is_not_empty = |(_, part): &(usize, &str)| !part.is_empty();
    text.split('`')
        .enumerate()
        .filter(is_not_empty)
        .map(set)
        .collect()
}

/// Maximal length of a source line, if it has a space to break it at.
const WIDTH: usize = 78;

/// Breaks long lines of text at spaces. Requests, and the line after `.TP`, must stay one line.
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
        // A line that begins with one of these is a request.
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
    fn text_between_backticks_is_bold() {
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
    fn breaks_only_lines_of_text() {
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
