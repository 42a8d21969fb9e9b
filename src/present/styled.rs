//! Lines of styled text for a terminal or a window.

use crate::model::finding::Severity;

/// The meaning of a piece of text. Colours repeat what words and marks show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Head,
    Dim,
    Good,
    Severity(Severity),
    Remedy,
}

pub type Line = Vec<(Style, String)>;

pub fn plain(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        text.extend(line.iter().map(|(_, piece)| piece.as_str()));
        text.push('\n');
    }
    text
}
