use std::collections::BTreeMap;
use std::env;
use std::io::{self, IsTerminal as _, Read, Write};

use tr::tr;

use crate::actions::fix::fix;
use crate::decide::action_report::{ActionOutcome, ActionReport};
use crate::model::control_path::ControlPath;
use crate::model::fix::Fix;
use crate::model::socket::Snapshot;
use crate::model::text;
use crate::observe::port_holders::port_holders;
use crate::present::explain::Situation;
use crate::present::report::Report;
use crate::present::results::{ActionResult, Fixed};
use crate::present::ssh_messages::{decoded, recognise, with_home};
use crate::present::{doctor, explain};

use super::args::{Doctor, Global};
use super::context::Context;
use super::outcome::{Outcome, Output};
use super::{reports, style};

const MAX_TEXT_BYTES: usize = 1 << 20;
const MAX_INPUT_BYTES: u64 = 1 << 28;

pub(super) fn run(global: &Global, doctor: &Doctor, to: &mut Output<'_>) -> io::Result<Outcome> {
    match &doctor.explain {
        Some(line) => {
            let text = messages(line.as_deref(), to.err)?;
            explain(global, &text, to)
        }
        None => examine(&mut Context::load_for(global, doctor.json)?, doctor, to),
    }
}

fn examine(context: &mut Context, doctor: &Doctor, to: &mut Output<'_>) -> io::Result<Outcome> {
    let mut snapshot = context.full_examination();
    let fixed = doctor.fix.then(|| fix_all(&snapshot));
    let reports = fixed.as_deref().unwrap_or_default();
    let mut outcome = reports::worst(reports);
    if !doctor.json {
        outcome = outcome.max(reports::print(reports, false, to)?);
    }
    let is_done = |report: &ActionReport| report.outcome == ActionOutcome::Done;
    if reports.iter().any(is_done) {
        snapshot = context.full_examination();
        if !doctor.json {
            writeln!(to.out)?;
        }
    }
    if doctor.json {
        let report = Report::from(&snapshot);
        match &fixed {
            Some(reports) => {
                let results = reports.iter().map(ActionResult::from).collect();
                serde_json::to_writer_pretty(&mut *to.out, &Fixed { report, results })?;
            }
            None => serde_json::to_writer_pretty(&mut *to.out, &report)?,
        }
        writeln!(to.out)?;
    } else {
        let lines = doctor::report(&snapshot, context.examined(), context.ssh_option());
        style::write_lines(&lines, to.out)?;
    }
    Ok(outcome.max(Outcome::from(snapshot.worst())))
}

/// Applies every fix, those of directories before those of the sockets in them.
fn fix_all(snapshot: &Snapshot) -> Vec<ActionReport> {
    let all = snapshot.all_findings();
    let mut fixes: Vec<&Fix> = all
        .filter_map(|(finding, _)| finding.fix.as_ref())
        .collect();
    fixes.sort();
    fixes.dedup();
    fixes.into_iter().map(fix).collect()
}

/// Returns the messages to explain: the argument, or standard input without one.
fn messages(line: Option<&str>, err: &mut dyn Write) -> io::Result<String> {
    if let Some(line) = line {
        return Ok(line.to_owned());
    }
    let input = io::stdin();
    if input.is_terminal() {
        writeln!(err, "{}", tr!("paste what ssh printed, then press Ctrl-D:"))?;
        err.flush()?;
    }
    let bytes = end_of(input.lock().take(MAX_INPUT_BYTES))?;
    Ok(decoded(&bytes))
}

/// Reads the end of a longer input: the error is mostly the last of a log.
fn end_of(mut input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut part = input.by_ref().take(MAX_TEXT_BYTES as u64);
        let number = part.read_to_end(&mut bytes)?;
        bytes.drain(..bytes.len().saturating_sub(MAX_TEXT_BYTES));
        // After a shorter part, a terminal would wait for a second Ctrl-D.
        if number < MAX_TEXT_BYTES {
            return Ok(bytes);
        }
    }
}

fn explain(global: &Global, pasted: &str, to: &mut Output<'_>) -> io::Result<Outcome> {
    let home = env::home_dir().unwrap_or_default();
    let pasted = with_home(pasted, &home.to_string_lossy());
    let mut messages = recognise(&pasted);
    if messages.is_empty() {
        let option = text::option_of(global.ssh_config.as_deref());
        let unknown = tr!(
            "no message that ssh prints about multiplexing or forwarding; check the present state with: {command}",
            command = format_args!("muxtray {option}doctor")
        );
        writeln!(to.out, "{unknown}")?;
        return Ok(Outcome::Unknown);
    }
    let mut context = Context::load(global)?;
    for message in messages.iter_mut().filter(|it| it.host.is_none()) {
        let host_at = |path| context.places.hosts_at(path).next();
        let host = message.path.as_ref().and_then(host_at);
        message.host = host.map(|host| host.alias.0.clone());
    }
    let hosts = messages.iter().filter_map(|message| message.host.clone());
    let control_paths: BTreeMap<String, ControlPath> = hosts
        .filter_map(|host| Some((host.clone(), context.control_path(&host)?)))
        .collect();
    let ports = messages.iter().filter_map(|message| message.port);
    let ports = port_holders(ports.collect()).unwrap_or_default();
    let paths: Vec<_> = messages
        .iter()
        .filter_map(|message| message.path.clone())
        .chain(control_paths.values().cloned())
        .collect();
    let snapshot = context.examination(&paths);
    let situation = Situation {
        snapshot: &snapshot,
        control_paths: &control_paths,
        ports: &ports,
        ssh_option: context.ssh_option(),
    };
    let answers = messages.iter();
    let mut answers: Vec<_> = answers
        .map(|message| explain::answer(message, &situation))
        .collect();
    answers.sort_by_key(|answer| !answer.is_wrong());
    let mut outcome = Outcome::Well;
    for (number, answer) in answers.iter().enumerate() {
        if number > 0 {
            writeln!(to.out)?;
        }
        style::write_lines(&doctor::answer_lines(answer), to.out)?;
        if answer.is_wrong() {
            outcome = Outcome::Wrong;
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_a_long_input_is_read() {
        let end = b"the last";
        for length in [0, 1, MAX_TEXT_BYTES - 9, MAX_TEXT_BYTES, 3 * MAX_TEXT_BYTES] {
            let input = [&vec![b'x'; length][..], end].concat();
            let read = end_of(&input[..]).unwrap();
            assert_eq!(read.len(), input.len().min(MAX_TEXT_BYTES));
            assert!(read.ends_with(end), "{length}");
        }
    }
}
