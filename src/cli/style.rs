//! Styles as colours: none without a terminal or with `NO_COLOR`.

use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style as Ansi};

use crate::model::finding::Severity;
use crate::present::styled::{Line, Style};

/// Writes to standard output; `out` is its buffer.
pub(super) fn write_lines(lines: &[Line], out: &mut dyn Write) -> io::Result<()> {
    let has_colours = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    for line in lines {
        for (style, piece) in line {
            let ansi = if has_colours {
                ansi(*style)
            } else {
                Ansi::new()
            };
            write!(out, "{ansi}{piece}{ansi:#}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

const fn ansi(style: Style) -> Ansi {
    match style {
        Style::Plain => Ansi::new(),
        Style::Head => Ansi::new().bold(),
        Style::Dim => Ansi::new().dimmed(),
        Style::Good => AnsiColor::Green.on_default(),
        Style::Severity(Severity::Info) => AnsiColor::Blue.on_default(),
        Style::Severity(Severity::Warning) => AnsiColor::Yellow.on_default(),
        Style::Severity(Severity::Error) => AnsiColor::Red.on_default().bold(),
        Style::Remedy => AnsiColor::Cyan.on_default(),
    }
}
