//! `muxtray man`: one page from the definitions of commands and the tables of findings, messages and settings. See man(7)
//! and man-pages(7).

mod sections;

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::config::Settings;
use crate::model::finding::FindingId;
use crate::model::state;
use crate::present::ssh_messages::SSH_MESSAGES;

use super::args::{Arguments, EXIT_STATUS};
use super::outcome::Outcome;
use sections::{ENVIRONMENT, EXAMPLES, FILES, SECURITY};

pub(super) fn print(out: &mut dyn Write) -> io::Result<Outcome> {
    let mut page = Vec::new();
    write_page(&mut page)?;
    out.write_all(&page)?;
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
    // The line for whatis(1) has no full stop.
    let name = format!("muxtray - {}", about(&command));
    section("NAME", [name.trim_end_matches('.')]).to_writer(page)?;
    section("SYNOPSIS", [usage(&mut command).as_str()]).to_writer(page)?;
    man.render_description_section(page)?;
    section("OPTIONS", ["Options of every command."]).to_writer(page)?;
    write_options(&man, page)?;
    section("COMMANDS", []).to_writer(page)?;
    for command in command.get_subcommands_mut() {
        write_command(command, page)?;
    }
    let statuses = EXIT_STATUS.trim_start_matches("Exit status: ");
    for section in [
        states(),
        findings(),
        messages(),
        configuration(),
        list("FILES", FILES),
        list("ENVIRONMENT", ENVIRONMENT),
        section("EXIT STATUS", [statuses]),
        section("SECURITY", SECURITY),
        list("EXAMPLES", EXAMPLES),
        section(
            "SEE ALSO",
            ["`ssh`(1), `ssh_config`(5), `ss`(8), `systemd.exec`(5), PROTOCOL.mux of OpenSSH"],
        ),
    ] {
        section.to_writer(page)?;
    }
    Ok(())
}

fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string);
    about.unwrap_or_default()
}

fn usage(command: &mut Command) -> String {
    let usage = command.render_usage().to_string();
    usage.trim_start_matches("Usage: ").to_owned()
}

fn write_command(command: &mut Command, page: &mut Vec<u8>) -> io::Result<()> {
    Roff::new()
        .control("SS", [command.get_bin_name().unwrap_or_default()])
        .text([roman(usage(command))])
        .control("PP", [])
        .text([roman(format!("{}.", about(command)))])
        .to_writer(page)?;
    // Global options are in OPTIONS.
    let own = command.clone().mut_args(|argument| {
        let everywhere = argument.is_global_set() || argument.get_id() == "help";
        argument.hide(everywhere)
    });
    if own.get_arguments().any(|argument| !argument.is_hide_set()) {
        write_options(&Man::new(own), page)?;
    }
    let mut more = Roff::new();
    for command in command.get_subcommands() {
        entry(&mut more, vec![bold(command.get_name())], &about(command));
    }
    if let Some(help) = command.get_after_long_help() {
        more.control("PP", []).text([roman(help.to_string())]);
    }
    more.to_writer(page)
}

/// Without clap_mangen's heading, which would begin a section of the page.
fn write_options(man: &Man, page: &mut Vec<u8>) -> io::Result<()> {
    let mut section = Vec::new();
    man.render_options_section(&mut section)?;
    let text = String::from_utf8_lossy(&section);
    for line in text.lines().filter(|line| !line.starts_with(".SH ")) {
        writeln!(page, "{line}")?;
    }
    Ok(())
}

/// Returns the text with the parts between backticks in bold.
fn marked(text: &str) -> Vec<Inline> {
    let parts = text.split('`').enumerate();
    parts
        .filter(|(_, part)| !part.is_empty())
        .map(|(index, part)| match index % 2 {
            0 => roman(part),
            _ => bold(part),
        })
        .collect()
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

fn list(heading: &str, entries: &str) -> Roff {
    let mut roff = section(heading, []);
    for line in entries.lines() {
        match line.strip_prefix("    ") {
            Some(meaning) => roff.text(marked(meaning)),
            None => roff.control("TP", []).text([bold(line)]),
        };
    }
    roff
}

fn entry(roff: &mut Roff, name: Vec<Inline>, meaning: &str) {
    roff.control("TP", []).text(name).text(marked(meaning));
}

/// Entries with several names: `.TQ` adds one.
fn names<'a>(roff: &mut Roff, names: impl IntoIterator<Item = &'a str>) {
    for (index, name) in names.into_iter().enumerate() {
        let tag = if index == 0 { "TP" } else { "TQ" };
        roff.control(tag, []).text([bold(name)]);
    }
}

fn remedy(roff: &mut Roff, remedy: &str) {
    roff.control("br", []);
    roff.text(marked(&format!("Remedy: {remedy}")));
}

fn states() -> Roff {
    let mut roff = section("STATES", ["Each control socket has one of these states."]);
    for state in state::table() {
        entry(&mut roff, vec![bold(state.name)], state.meaning);
        remedy(&mut roff, state.advice);
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
        let row = finding.row();
        let severity = roman(format!(" ({})", row.severity.as_str()));
        entry(&mut roff, vec![bold(row.id), severity], row.meaning);
        remedy(&mut roff, row.advice);
    }
    roff
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
    for message in SSH_MESSAGES.iter().flat_map(|(_, messages)| *messages) {
        names(&mut roff, message.wordings.iter().copied());
        let ids: Vec<&str> = message.findings.iter().map(|id| id.as_str()).collect();
        let findings = match ids.as_slice() {
            [] => String::new(),
            ids => format!(" ({})", ids.join(", ")),
        };
        roff.text([roman(message.meaning), roman(findings)]);
        // A message that is a normal step has no remedy.
        if !message.remedies.is_empty() {
            remedy(&mut roff, &message.remedies.join("; "));
        }
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
        let keys: Vec<String> = row
            .values
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        names(&mut roff, keys.iter().map(String::as_str));
        roff.text(marked(row.comment));
    }
    roff
}
