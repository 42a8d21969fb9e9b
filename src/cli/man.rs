//! `muxtray man`: one page from the definitions of commands and the tables of findings, messages and settings. See man(7)
//! and man-pages(7).

mod roff;
mod sections;

use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::config::Settings;
use crate::model::finding::{FindingId, FindingRow};
use crate::model::state;
use crate::present::ssh_messages::SSH_MESSAGES;

use super::args::{Arguments, EXIT_STATUS};
use super::outcome::Outcome;
use roff::{marked, wrapped};
use sections::{ENVIRONMENT, EXAMPLES, FILES, SECURITY};

pub(super) fn print(out: &mut dyn Write) -> io::Result<Outcome> {
    let mut page = Vec::new();
    write_page(&mut page)?;
    out.write_all(wrapped(&String::from_utf8_lossy(&page)).as_bytes())?;
    Ok(Outcome::Well)
}

fn write_page(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone());
    // Reproducible: the version without the commit, and no date. clap_mangen would omit an empty date, so that the version
    // would become the date.
    writeln!(
        page,
        r#".TH MUXTRAY 1 "" "muxtray {}" "User Commands""#,
        env!("CARGO_PKG_VERSION")
    )?;
    Roff::new()
        .control("SH", ["NAME"])
        .text([roman("muxtray - "), roman(brief(&command))])
        .control("SH", ["SYNOPSIS"])
        .text(synopsis(&command))
        .to_writer(page)?;
    man.render_description_section(page)?;
    section("OPTIONS", ["Options of every command."]).to_writer(page)?;
    without_heading(page, |body| man.render_options_section(body))?;
    section("COMMANDS", []).to_writer(page)?;
    for command in command.get_subcommands() {
        write_command(command, page)?;
    }
    for section in [states(), findings(), messages(), configuration()] {
        section.to_writer(page)?;
    }
    for (heading, entries) in [("FILES", FILES), ("ENVIRONMENT", ENVIRONMENT)] {
        section(heading, []).to_writer(page)?;
        list(entries).to_writer(page)?;
    }
    let statuses = EXIT_STATUS.trim_start_matches("Exit status: ");
    section("EXIT STATUS", [statuses]).to_writer(page)?;
    section("SECURITY", SECURITY).to_writer(page)?;
    section("EXAMPLES", []).to_writer(page)?;
    list(EXAMPLES).to_writer(page)?;
    section("SEE ALSO", []).to_writer(page)?;
    see_also().to_writer(page)
}

/// The line for whatis(1), without a full stop.
fn brief(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string);
    about.unwrap_or_default().trim_end_matches('.').to_owned()
}

/// Writes a command with its options and subcommands.
fn write_command(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let about = command.get_about().map(ToString::to_string);
    // Global options are in OPTIONS.
    let own = command.clone().mut_args(|argument| {
        let everywhere = argument.is_global_set() || argument.get_id() == "help";
        argument.hide(everywhere)
    });
    Roff::new()
        .control("SS", [name])
        .text(synopsis(&own))
        .control("PP", [])
        .text([roman(format!("{}.", about.unwrap_or_default()))])
        .to_writer(page)?;
    if own.get_arguments().any(|argument| !argument.is_hide_set()) {
        without_heading(page, |body| Man::new(own).render_options_section(body))?;
    }
    for command in command.get_subcommands() {
        let about = command.get_about().map(ToString::to_string);
        let mut roff = Roff::new();
        entry(
            &mut roff,
            vec![bold(command.get_name())],
            &about.unwrap_or_default(),
        );
        roff.to_writer(page)?;
    }
    if let Some(more) = command.get_after_long_help() {
        Roff::new()
            .control("PP", [])
            .text([roman(more.to_string())])
            .to_writer(page)?;
    }
    Ok(())
}

/// clap_mangen's synopsis omits the values of options.
fn synopsis(command: &Command) -> Vec<Inline> {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let mut text = vec![bold(name)];
    let shown = || {
        command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set())
    };
    for option in shown().filter(|argument| !argument.is_positional()) {
        text.push(roman(" ["));
        match (option.get_short(), option.get_long()) {
            (Some(short), _) => text.push(bold(format!("-{short}"))),
            (None, long) => text.push(bold(format!("--{}", long.unwrap_or_default()))),
        }
        if let Some(values) = option
            .get_num_args()
            .filter(clap::builder::ValueRange::takes_values)
        {
            let value = italic(value_name(option));
            if values.min_values() == 0 {
                text.extend([roman(" ["), value, roman("]")]);
            } else {
                text.extend([roman(" "), value]);
            }
        }
        text.push(roman("]"));
    }
    for positional in shown().filter(|argument| argument.is_positional()) {
        let is_many = positional
            .get_num_args()
            .is_some_and(|values| values.max_values() > 1);
        let value = italic(value_name(positional));
        let dots = roman(if is_many { "..." } else { "" });
        if positional.is_required_set() {
            text.extend([roman(" "), value, dots]);
        } else {
            text.extend([roman(" ["), value, dots, roman("]")]);
        }
    }
    if command.has_subcommands() {
        let value = italic("COMMAND");
        if command.is_subcommand_required_set() {
            text.extend([roman(" "), value]);
        } else {
            text.extend([roman(" ["), value, roman("]")]);
        }
    }
    text
}

fn value_name(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let names: Vec<&str> = names.iter().map(clap::builder::Str::as_str).collect();
    names.join(" ")
}

/// Writes a section of clap_mangen without its heading, which would begin a section of the page.
fn without_heading(
    page: &mut Vec<u8>,
    render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut section = Vec::new();
    render(&mut section)?;
    let text = String::from_utf8_lossy(&section);
    for line in text.lines().filter(|line| !line.starts_with(".SH ")) {
        writeln!(page, "{line}")?;
    }
    Ok(())
}

fn section<'a>(heading: &str, paragraphs: impl IntoIterator<Item = &'a str>) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    for (index, paragraph) in paragraphs.into_iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text(marked(paragraph));
    }
    roff
}

fn list(entries: &[(&str, &str)]) -> Roff {
    let mut roff = Roff::new();
    for (name, meaning) in entries {
        entry(&mut roff, vec![bold(*name)], meaning);
    }
    roff
}

fn entry(roff: &mut Roff, name: Vec<Inline>, meaning: &str) {
    roff.control("TP", []).text(name).text(marked(meaning));
}

fn states() -> Roff {
    let mut roff = section("STATES", ["Each control socket has one of these states."]);
    for state in state::table() {
        explained(
            &mut roff,
            vec![bold(state.name)],
            state.meaning,
            state.advice,
        );
    }
    roff
}

fn findings() -> Roff {
    let mut roff = section(
        "FINDINGS",
        [
            "Other problems of sockets, directories, hosts and the configuration. `list`, `doctor` and the menu show them \
             with evidence and remedy. The states other than `running` are findings, too. The names are those in JSON \
             and in the configuration.",
        ],
    );
    for finding in FindingId::ALL.iter().filter(|id| !id.is_state()) {
        let FindingRow {
            id,
            severity,
            meaning,
            advice,
            ..
        } = finding.row();
        let heading = vec![bold(id), roman(format!(" ({})", severity.as_str()))];
        explained(&mut roff, heading, meaning, advice);
    }
    roff
}

fn explained(roff: &mut Roff, name: Vec<Inline>, means: &str, help: &str) {
    entry(roff, name, means);
    roff.control("br", []);
    roff.text(marked(&format!("Remedy: {help}")));
}

fn messages() -> Roff {
    let mut roff = section(
        "MESSAGES OF SSH",
        [
            "Messages that ssh prints when multiplexing fails, with their meaning, the findings that can cause them, the \
             most likely first, and the remedy. `muxtray doctor --explain` checks the present state of the path in a \
             message. PATH is the ControlPath; `.RANDOM` stands for the 16 letters and digits that ssh appends while a \
             master starts, and `...` for any text.",
        ],
    );
    for message in SSH_MESSAGES {
        for (index, wording) in message.wordings.iter().enumerate() {
            let tag = if index == 0 { "TP" } else { "TQ" };
            roff.control(tag, []).text([bold(*wording)]);
        }
        let ids: Vec<&str> = message.causes.iter().map(|id| id.as_str()).collect();
        let from = if ids.is_empty() {
            String::new()
        } else {
            format!(" ({})", ids.join(", "))
        };
        roff.text([roman(message.meaning), roman(from)]);
        roff.control("br", []);
        roff.text(marked(&format!("Remedy: {}", message.remedy)));
    }
    roff
}

fn configuration() -> Roff {
    let mut roff = section(
        "CONFIGURATION",
        [
            "A TOML file. The applet writes it, with the defaults and these explanations, when it first runs, and applies \
             changes at once. Every key may be left out.",
        ],
    );
    let mut table = "";
    for row in Settings::default().rows() {
        if row.table != table {
            table = row.table;
            roff.control("SS", [format!("[{table}]").as_str()]);
        }
        for (index, (key, value)) in row.values.iter().enumerate() {
            let tag = if index == 0 { "TP" } else { "TQ" };
            roff.control(tag, [])
                .text([bold(format!("{key} = {value}"))]);
        }
        roff.text(marked(row.comment));
    }
    roff
}

fn see_also() -> Roff {
    let mut roff = Roff::new();
    let pages = [
        ("ssh", "1"),
        ("ssh_config", "5"),
        ("ss", "8"),
        ("systemd.exec", "5"),
    ];
    let mut text = Vec::new();
    for (index, (name, number)) in pages.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        text.extend([roman(comma), bold(name), roman(format!("({number})"))]);
    }
    text.extend([roman(", "), italic("PROTOCOL.mux"), roman(" of OpenSSH")]);
    roff.text(text);
    roff
}
