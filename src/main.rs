//! The command line. It loads no GTK; the tray is the program `muxtray-applet`.

use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use muxtray::cli::args::Arguments;
use muxtray::i18n::{self, Language};
use muxtray::{cli, crash, log, privilege};

fn main() -> ExitCode {
    if let Err(elevated) = privilege::refuse_elevation() {
        return ExitCode::from(cli::refuse(elevated, &mut io::stderr()).status());
    }
    let arguments = Arguments::parse();
    log::to_stderr(arguments.global.verbose);
    crash::log_panics();
    let command = arguments.command.unwrap_or_default();
    if !command.is_for_programs() {
        i18n::set_language(Language::from_environment(|name| std::env::var_os(name)));
    }
    // A report is written in many small pieces.
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout());
    let mut err = anstream::stderr();
    let outcome = cli::run(&arguments.global, &command, &mut out, &mut err);
    let outcome = outcome.and_then(|outcome| out.flush().map(|()| outcome));
    ExitCode::from(cli::conclude(outcome, &mut err).status())
}
