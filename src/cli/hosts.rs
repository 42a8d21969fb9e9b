//! `muxtray hosts`

use std::io::{self, Write};

use super::args::{Global, Hosts};
use super::context::Context;
use super::outcome::Outcome;
use super::style;
use crate::present::hosts;

pub(super) fn run(global: &Global, args: &Hosts, out: &mut dyn Write) -> io::Result<Outcome> {
    let mut context = Context::load_for(global, args.json)?;
    let snapshot = context.snapshot();
    let report = hosts::report(&context.places, &snapshot);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        let home = &context.scanner.environment().known.home;
        style::write_lines(&hosts::table(&context.places, &snapshot, home), out)?;
    }
    Ok(if hosts::is_unknown(&report) {
        Outcome::Unknown
    } else {
        Outcome::Well
    })
}
