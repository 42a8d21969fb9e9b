//! `muxtray`: arguments, what they ask for, exit status; nothing else. It loads no GTK.

use std::process::ExitCode;

use clap::Parser as _;
use muxtray::cli::{self, args::Arguments};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    cli::run::log_to_stderr(arguments.global.verbose);
    let mut out = anstream::stdout();
    let mut err = anstream::stderr();
    let command = arguments.command.unwrap_or_default();
    let outcome = cli::run(&arguments.global, &command, &mut out, &mut err);
    ExitCode::from(cli::forgive_closed_reader(outcome, &mut err).status())
}
