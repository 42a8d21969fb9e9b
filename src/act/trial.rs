//! `muxtray test`: sessions to a host, timed: connections of their own, and through its master.
//!
//! A master that runs is only gone through. One that has to be started gets a ControlPersist of a minute, so that it
//! would end by itself whatever becomes of us, and is asked to end as soon as the runs are over or a signal ends the
//! program. It is ours only if the kernel says that the process we started made its listener; any other was started by
//! somebody else at the same moment, and stays.

mod interrupt;
mod session;

use std::ffi::OsString;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt,
};

use super::clean::{self, Kind};
use super::control::{self, CHECK_LIMIT};
use super::held::Held;
use super::terminate;
use super::{Eyes as _, System};
use crate::core::control_path::ControlPath;
use crate::core::socket::{File, Target};
use crate::core::trial::{Failure, Master, Series};
use crate::mux::client::path_of;
use crate::observe::filesystem;

pub use interrupt::Interrupt;
use session::{Lives, Ran};

/// How long ssh may take to connect (ConnectTimeout), in seconds.
const CONNECT_SECONDS: u32 = 10;

/// How long one run may take in all.
pub const RUN_LIMIT: Duration = Duration::from_secs(15);

/// How long a master that was started for a test lives without a session, in seconds, if nobody ends it.
const PERSIST_SECONDS: u32 = 60;

/// What the runs need to know.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// The program's file.
    pub program: PathBuf,
    /// What it gets as `-F`.
    pub config: Option<PathBuf>,
    /// The host, as ssh is to get it: an alias, `user@host` or a `ssh://` URI.
    pub host: String,
    /// How many runs of each kind.
    pub runs: u32,
}

/// A signal came that ends the program, and what was started has been ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

/// Times connections of their own, until one fails.
///
/// # Errors
/// [`Interrupted`].
pub fn fresh(ssh: &Ssh, interrupt: &Interrupt) -> Result<Series, Interrupted> {
    series(ssh.runs, || {
        let mut command = ssh.command();
        command.args(["-o", "ControlPath=none", "-o", "ControlMaster=no"]);
        ssh.run(command, Lives::ForTheRun, interrupt, |_| {})
    })
}

/// Times sessions through the master at this path, until one fails.
///
/// # Errors
/// [`Interrupted`].
pub fn through(
    ssh: &Ssh,
    path: &ControlPath,
    interrupt: &Interrupt,
) -> Result<Series, Interrupted> {
    series(ssh.runs, || {
        let mut command = ssh.command();
        // Without the master there is no way: a connection of its own would be no multiplexed session.
        command.args(["-o", "ControlMaster=no", "-o", "ProxyCommand=false"]);
        command.arg("-S").arg(escaped(path));
        ssh.run(command, Lives::ForTheRun, interrupt, |_| {})
    })
}

/// Starts a master at this path, times sessions through it, and ends it.
///
/// # Errors
/// [`Interrupted`]; the master has been ended then, too, as far as that could be done.
pub fn started(
    ssh: &Ssh,
    path: &ControlPath,
    interrupt: &Interrupt,
) -> Result<(Series, Master), Interrupted> {
    let mut command = ssh.command();
    command
        .args(["-o", "ControlMaster=yes", "-o"])
        .arg(format!("ControlPersist={PERSIST_SECONDS}"))
        .arg("-S")
        .arg(escaped(path));
    let mut ours = None;
    let ran = ssh.run(command, Lives::On, interrupt, |pid| {
        ours = made_by(pid, path);
    });
    let is_there = filesystem::lstat(path.as_path()) != File::Missing;
    let outcome = match ran {
        Ran::Through(_) if is_there => through(ssh, path, interrupt),
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

impl Ssh {
    /// ssh with what every run has in common: no questions, no forwardings, no command but ours. ssh takes the first
    /// value it meets, so this wins over any configuration.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(config) = &self.config {
            command.arg("-F").arg(config);
        }
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
        &self,
        mut command: Command,
        lives: Lives,
        interrupt: &Interrupt,
        at_end: impl FnOnce(u32),
    ) -> Ran {
        command.arg("--").arg(&self.host).arg("true");
        tracing::debug!(?command, "run");
        let ran = session::run(command, RUN_LIMIT, lives, interrupt, at_end);
        tracing::debug!(?ran, "ran");
        ran
    }
}

/// The path as a ControlPath that expands to it.
fn escaped(path: &ControlPath) -> OsString {
    let mut bytes = Vec::new();
    for byte in path.as_path().as_os_str().as_bytes() {
        if *byte == b'%' {
            bytes.push(b'%');
        }
        bytes.push(*byte);
    }
    OsString::from_vec(bytes)
}

/// The master at this path, if the process of this id made its listener: SO_PEERCRED tells who called listen(), which
/// for a master that ControlPersist sent to the background is the ssh that was started.
fn made_by(pid: u32, path: &ControlPath) -> Option<Target> {
    let File::Socket(stat) = filesystem::lstat(path.as_path()) else {
        return None;
    };
    let mut target = Target {
        path: path.clone(),
        id: Some(stat.id),
        cookie: None,
    };
    let held = Held::of(&target).ok()?;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let knock = socket(AddressFamily::Unix, SockType::Stream, flags, None).ok()?;
    let address = UnixAddr::new(&path_of(std::os::fd::AsFd::as_fd(&held))).ok()?;
    connect(knock.as_raw_fd(), &address).ok()?;
    let maker = getsockopt(&knock, sockopt::PeerCredentials).ok()?;
    if u32::try_from(maker.pid()) != Ok(pid) {
        return None;
    }
    target.cookie = System.master(path, held.stat())?.cookie;
    Some(target)
}

/// Ends the master that was started for the test. Sessions that a person has opened through it by now keep it.
fn end(target: &Target) -> Master {
    match control::exit(&System, target, 0, CHECK_LIMIT) {
        Ok(_) => Master::Started,
        Err(error) if error.is_in_vain() => match terminate::end(&System, target, 0) {
            Ok(_) => Master::Started,
            Err(error) => Master::Left(error.to_string()),
        },
        Err(error) => match filesystem::lstat(target.path.as_path()) {
            File::Missing => Master::Started,
            File::Socket(_) | File::Other(..) | File::Denied | File::Failed(_) => {
                Master::Left(error.to_string())
            }
        },
    }
}

/// Removes the socket that a killed start left behind, if there is one and it is proven stale. There was none before.
fn sweep(path: &ControlPath) {
    let File::Socket(stat) = filesystem::lstat(path.as_path()) else {
        return;
    };
    let target = Target {
        path: path.clone(),
        id: Some(stat.id),
        cookie: None,
    };
    if let Err(error) = clean::clean(&System, &target, Kind::Stale, SystemTime::now()) {
        tracing::debug!(%path, ?error, "cannot be cleaned");
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
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_master_is_ours_only_if_our_process_made_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = ControlPath::new(directory.path().join("u@h-22")).unwrap();
        let me = std::process::id();
        assert_eq!(made_by(me, &path), None);
        let _listener = UnixListener::bind(path.as_path()).unwrap();
        let target = made_by(me, &path).unwrap();
        assert!(target.id.is_some() && target.cookie.is_some());
        assert_eq!(made_by(me + 1, &path), None);
    }

    #[test]
    fn a_path_keeps_its_percent_signs() {
        for (path, escaped_path) in [("/s/u@h", "/s/u@h"), ("/s/100%h", "/s/100%%h")] {
            let path = ControlPath::new(path).unwrap();
            assert_eq!(escaped(&path), escaped_path);
        }
    }

    #[test]
    fn only_a_directory_that_is_missing_is_told() {
        let directory = tempfile::tempdir().unwrap();
        for (name, missing) in [("s", false), ("no/s", true)] {
            let path = ControlPath::new(directory.path().join(name)).unwrap();
            assert_eq!(missing_directory(&path).is_some(), missing);
        }
    }
}
