//! `muxtray hosts`

use std::io::{self, Write};

use super::args::{self, Global};
use super::context::Context;
use super::outcome::Outcome;
use super::style;
use crate::present::hosts::Hosts;

pub(super) fn run(global: &Global, args: &args::Hosts, out: &mut dyn Write) -> io::Result<Outcome> {
    let mut context = Context::load_for(global, args.json)?;
    let snapshot = context.snapshot();
    let hosts = Hosts::new(&context.places, &snapshot);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &hosts.report())?;
        writeln!(out)?;
    } else {
        let home = &context.scanner.environment().known.home;
        style::write_lines(&hosts.table(home), out)?;
    }
    Ok(if hosts.are_unknown() {
        Outcome::Unknown
    } else {
        Outcome::Well
    })
}
