//! `muxtray test`: times sessions to a host, with connections of their own and through its master.
//!
//! A running master is used as it is. A master that is started for the test gets a ControlPersist of a minute, so that it
//! would exit by itself even if muxtray were killed, and an exit request after the runs or when a signal arrives. It is
//! ended only if the started process created its listener; otherwise somebody else started it at the same moment.

use std::process::Command;
use std::time::Duration;

use super::end_process::exit_or_end_process;
use super::error::ActionError;
use super::kernel::LiveKernel;
use super::ssh::deferred_signals::DeferredSignals;
use super::ssh::run::{self, RunOptions, SshRole};
use super::ssh::{BATCH_MODE, Ssh, master_created_by, prevent_askpass, remove_after_failed_start};
use crate::decide::intent::SessionConsent;
use crate::diagnose::obstacle::Failure;
use crate::model::control_path::ControlPath;
use crate::model::socket::{File, Target};
use crate::observe::filesystem;
use crate::present::speed_test::{Master, Series};

const CONNECT_SECONDS: u32 = 10;

pub const RUN_LIMIT: Duration = Duration::from_secs(15);

const PERSIST_SECONDS: u32 = 60;

/// A signal that ends the program is pending; the started processes have been ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

pub fn fresh(ssh: &Ssh, runs: u32, signals: &DeferredSignals) -> Result<Series, Interrupted> {
    series(runs, || {
        let mut command = command(ssh);
        command.args(["-o", "ControlPath=none", "-o", "ControlMaster=no"]);
        run_ssh(ssh, command, SshRole::Session, signals, |_| {})
    })
}

pub fn through(
    ssh: &Ssh,
    runs: u32,
    path: &ControlPath,
    signals: &DeferredSignals,
) -> Result<Series, Interrupted> {
    series(runs, || {
        let mut command = command(ssh);
        // Fails without the master: a connection of its own would be no multiplexed session.
        command.args(["-o", "ControlMaster=no", "-o", "ProxyCommand=false"]);
        command.arg("-S").arg(path.as_template());
        run_ssh(ssh, command, SshRole::Session, signals, |_| {})
    })
}

pub fn started(
    ssh: &Ssh,
    runs: u32,
    path: &ControlPath,
    signals: &DeferredSignals,
) -> Result<(Series, Master), Interrupted> {
    let mut command = command(ssh);
    let persist = format!("ControlPersist={PERSIST_SECONDS}");
    command.args(["-o", "ControlMaster=yes", "-o", &persist, "-S"]);
    command.arg(path.as_template());
    let mut master = None;
    let role = SshRole::Master { may_ask: false };
    let result = run_ssh(ssh, command, role, signals, |pid| {
        master = master_created_by(pid, path);
    });
    let exists = filesystem::lstat(path.as_path()) != File::Missing;
    let failed = |failure| Series {
        failure: Some(failure),
        ..Series::default()
    };
    let outcome = match result {
        Ok(_) if exists => through(ssh, runs, path, signals),
        Ok(_) => Ok(failed(Failure::NoMaster(path.clone()))),
        Err(ActionError::NotStarted(failure)) => Ok(failed(failure)),
        Err(_) => Err(Interrupted),
    };
    let master = match (master, &outcome) {
        (Some(target), _) => end(&target),
        // Started by somebody else at the same moment.
        (None, Ok(series)) if !series.runs.is_empty() => Master::Running,
        (None, _) => {
            remove_after_failed_start(path);
            Master::None
        }
    };
    if let (Master::Left(why), Err(Interrupted)) = (&master, &outcome) {
        tracing::warn!("{path}: {why}");
    }
    outcome.map(|series| (series, master))
}

fn series(
    runs: u32,
    mut run_once: impl FnMut() -> Result<Duration, ActionError>,
) -> Result<Series, Interrupted> {
    let mut series = Series::default();
    for _ in 0..runs {
        match run_once() {
            Ok(took) => series.runs.push(took),
            Err(ActionError::NotStarted(failure)) => {
                series.failure = Some(failure);
                break;
            }
            Err(_) => return Err(Interrupted),
        }
    }
    Ok(series)
}

/// Without questions, forwardings and configured commands. ssh uses the first value of an option, so these override the
/// configuration.
fn command(ssh: &Ssh) -> Command {
    let mut command = ssh.command();
    command.args(["-T", "-a", "-x"]).args(BATCH_MODE);
    prevent_askpass(&mut command);
    for option in [
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "LogLevel=ERROR",
    ] {
        command.args(["-o", option]);
    }
    for option in &ssh.command_options {
        command.arg("-o").arg(option);
    }
    command.args(["-o", &format!("ConnectTimeout={CONNECT_SECONDS}")]);
    command
}

fn run_ssh(
    ssh: &Ssh,
    mut command: Command,
    role: SshRole,
    signals: &DeferredSignals,
    at_end: impl FnOnce(u32),
) -> Result<Duration, ActionError> {
    ssh.add_host(&mut command);
    command.arg("true");
    let options = RunOptions {
        limit: RUN_LIMIT,
        role,
        signals: Some(signals),
    };
    run::run(command, options, at_end)
}

/// Ends the master that was started for the test, unless a person has opened sessions through it meanwhile.
fn end(target: &Target) -> Master {
    match exit_or_end_process(&LiveKernel, target, SessionConsent::NONE).1 {
        Ok(_) => Master::Started,
        Err(_) if filesystem::lstat(target.path.as_path()) == File::Missing => Master::Started,
        Err(error) => Master::Left(error.to_string()),
    }
}
