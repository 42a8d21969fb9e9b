//! `muxtray test`: sessions to a host, timed: connections of their own, and through its master.
//!
//! A master that runs is only gone through. One that has to be started gets a ControlPersist of a minute, so that it
//! would end by itself whatever becomes of us, and is asked to end as soon as the runs are over or a signal ends the
//! program. It is ours only if the kernel says that the process we started made its listener; any other was started by
//! somebody else at the same moment, and stays.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::control::{self, CHECK_LIMIT};
use super::ssh::interrupt::Interrupt;
use super::ssh::session::{self, Lives, Manner, Ran};
use super::ssh::{Ssh, escaped, made_by, sweep};
use super::{System, end_process};
use crate::decide::intent::SessionConsent;
use crate::diagnose::obstacle::Failure;
use crate::model::control_path::ControlPath;
use crate::model::socket::{File, Target};
use crate::observe::filesystem;
use crate::present::speed_test::{Master, Series};

/// How long ssh may take to connect (ConnectTimeout), in seconds.
const CONNECT_SECONDS: u32 = 10;

/// How long one run may take in all.
pub const RUN_LIMIT: Duration = Duration::from_secs(15);

/// How long a master that was started for a test lives without a session, in seconds, if nobody ends it.
const PERSIST_SECONDS: u32 = 60;

/// A signal came that ends the program, and what was started has been ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

/// Times connections of their own, until one fails.
///
/// # Errors
/// [`Interrupted`].
pub fn fresh(ssh: &Ssh, runs: u32, interrupt: &Interrupt) -> Result<Series, Interrupted> {
    series(runs, || {
        let mut command = command(ssh);
        command.args(["-o", "ControlPath=none", "-o", "ControlMaster=no"]);
        run(ssh, command, Lives::ForTheRun, interrupt, |_| {})
    })
}

/// Times sessions through the master at this path, until one fails.
///
/// # Errors
/// [`Interrupted`].
pub fn through(
    ssh: &Ssh,
    runs: u32,
    path: &ControlPath,
    interrupt: &Interrupt,
) -> Result<Series, Interrupted> {
    series(runs, || {
        let mut command = command(ssh);
        // Without the master there is no way: a connection of its own would be no multiplexed session.
        command.args(["-o", "ControlMaster=no", "-o", "ProxyCommand=false"]);
        command.arg("-S").arg(escaped(path));
        run(ssh, command, Lives::ForTheRun, interrupt, |_| {})
    })
}

/// Starts a master at this path, times sessions through it, and ends it.
///
/// # Errors
/// [`Interrupted`]; the master has been ended then, too, as far as that could be done.
pub fn started(
    ssh: &Ssh,
    runs: u32,
    path: &ControlPath,
    interrupt: &Interrupt,
) -> Result<(Series, Master), Interrupted> {
    let mut command = command(ssh);
    command
        .args(["-o", "ControlMaster=yes", "-o"])
        .arg(format!("ControlPersist={PERSIST_SECONDS}"))
        .arg("-S")
        .arg(escaped(path));
    let mut ours = None;
    let lives = Lives::On { may_ask: false };
    let ran = run(ssh, command, lives, interrupt, |pid| {
        ours = made_by(pid, path);
    });
    let is_there = filesystem::lstat(path.as_path()) != File::Missing;
    let outcome = match ran {
        Ran::Through(_) if is_there => through(ssh, runs, path, interrupt),
        Ran::Through(_) => Ok(failed(Failure::NoMaster(path.clone()))),
        Ran::Failed(failure) => Ok(failed(failure)),
        Ran::Interrupted => Err(Interrupted),
    };
    let master = match (ours, &outcome) {
        (Some(target), _) => end(&target),
        // Somebody else started one at the same moment.
        (None, Ok(series)) if !series.runs.is_empty() => Master::Running,
        (None, _) => {
            sweep(path);
            Master::None
        }
    };
    if let (Master::Left(why), Err(Interrupted)) = (&master, &outcome) {
        tracing::warn!("{path} {why}");
    }
    outcome.map(|series| (series, master))
}

fn failed(failure: Failure) -> Series {
    Series {
        runs: Vec::new(),
        failure: Some(failure),
    }
}

fn series(runs: u32, mut run: impl FnMut() -> Ran) -> Result<Series, Interrupted> {
    let mut series = Series::default();
    for _ in 0..runs {
        match run() {
            Ran::Through(took) => series.runs.push(took),
            Ran::Failed(failure) => {
                series.failure = Some(failure);
                break;
            }
            Ran::Interrupted => return Err(Interrupted),
        }
    }
    Ok(series)
}

/// ssh with what every run has in common: no questions, no forwardings, no command but ours. ssh takes the first
/// value it meets, so this wins over any configuration.
fn command(ssh: &Ssh) -> Command {
    let mut command = ssh.command();
    command.args(["-T", "-a", "-x"]);
    for option in [
        "BatchMode=yes",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "LogLevel=ERROR",
    ] {
        command.args(["-o", option]);
    }
    command
        .arg("-o")
        .arg(format!("ConnectTimeout={CONNECT_SECONDS}"));
    command
}

fn run(
    ssh: &Ssh,
    mut command: Command,
    lives: Lives,
    interrupt: &Interrupt,
    at_end: impl FnOnce(u32),
) -> Ran {
    ssh.to_host(&mut command);
    command.arg("true");
    let manner = Manner {
        limit: RUN_LIMIT,
        lives,
        interrupt: Some(interrupt),
    };
    session::run(command, manner, at_end)
}

/// Ends the master that was started for the test. Sessions that a person has opened through it by now keep it.
fn end(target: &Target) -> Master {
    match control::exit(&System, target, SessionConsent::NONE, CHECK_LIMIT) {
        Ok(_) => Master::Started,
        Err(error) if error.is_in_vain() => {
            match end_process::end(&System, target, SessionConsent::NONE) {
                Ok(_) => Master::Started,
                Err(error) => Master::Left(error.to_string()),
            }
        }
        Err(error) => match filesystem::lstat(target.path.as_path()) {
            File::Missing => Master::Started,
            File::Socket(_) | File::Other(..) | File::Denied | File::Failed(_) => {
                Master::Left(error.to_string())
            }
        },
    }
}

/// The directory of this path, if it does not exist.
#[must_use]
pub fn missing_directory(path: &ControlPath) -> Option<&Path> {
    let directory = path.directory();
    (filesystem::lstat(directory) == File::Missing).then_some(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_directory_that_is_missing_is_told() {
        let directory = tempfile::tempdir().unwrap();
        for (name, missing) in [("s", false), ("no/s", true)] {
            let path = ControlPath::new(directory.path().join(name)).unwrap();
            assert_eq!(missing_directory(&path).is_some(), missing);
        }
    }
}
