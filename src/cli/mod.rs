//! The commands. Results go to standard output, diagnostics to standard error.

pub mod args;
mod autostart;
mod check;
mod clean;
mod completions;
mod config;
mod context;
mod doctor;
mod exit;
mod forward;
mod hosts;
mod keep;
mod list;
mod man;
mod open;
mod outcome;
mod progress;
mod reports;
pub mod run;
mod speed_test;
mod style;

use std::io::{self, Write};

pub use outcome::Outcome;

use crate::config::ConfigError;
use crate::privilege::{self, Elevated};
use args::{Command, Global};
use outcome::Output;

pub fn run(
    global: &Global,
    command: &Command,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    if command.shows_masters() {
        privilege::warn_root();
    }
    let to = &mut Output { out, err };
    match command {
        Command::Run(run) => run::run(global, run, to),
        Command::List(list) => list::run(global, list, to.out),
        Command::Hosts(hosts) => hosts::run(global, hosts, to.out),
        Command::Check(check) => check::check(global, check, to),
        Command::Exit(exit) => exit::exit(global, exit, to),
        Command::Stop(stop) => exit::stop(global, stop, to),
        Command::Clean(clean) => clean::clean(global, clean, to),
        Command::Doctor(doctor) => doctor::run(global, doctor, to),
        Command::Keep(arguments) => keep::keep(global, arguments, to),
        Command::Open(open) => open::open(global, open, to),
        Command::Forward(forward) => forward::forward(global, forward, to),
        Command::Test(test) => speed_test::test(global, test, to),
        Command::Autostart { action } => autostart::run(*action, to),
        Command::Config { action } => config::run(global, *action, to),
        Command::Completions { shell } => completions::print(*shell, to.out),
        Command::Man => man::print(to.out),
    }
}

/// Refuses to run with rights that the user does not have.
pub fn refuse(elevated: Elevated, err: &mut dyn Write) -> Outcome {
    let _ = writeln!(err, "muxtray: {elevated}");
    Outcome::Misused
}

/// Prints an error of [`run()`] and returns the outcome. A reader that closed the pipe (`muxtray list | head`) is no error.
pub fn conclude(outcome: io::Result<Outcome>, err: &mut dyn Write) -> Outcome {
    match outcome {
        Ok(outcome) => outcome,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Well,
        Err(error) => {
            let _ = writeln!(err, "muxtray: {error}");
            match error.downcast::<ConfigError>() {
                Ok(_) => Outcome::Misused,
                Err(_) => Outcome::Unknown,
            }
        }
    }
}
