//! Runs ssh once, with a deadline, and measures the time. The end of its standard error is kept.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::deferred_signals::{DeferredSignals, with_signals_unblocked};
use crate::actions::error::ActionError;
use crate::actions::pidfd::Pidfd;
use crate::diagnose::obstacle::Failure;
use crate::model::socket::MasterPid;
use crate::model::text;
use crate::mux::deadline::{Deadline, poll_timeout};

const KEPT: usize = 8 * 1024;

/// How long a killed child may take to end. Only one in an uninterruptible system call takes any time.
const REAP_LIMIT: Duration = Duration::from_secs(1);
const REAP_POLL: Duration = Duration::from_millis(1);

/// The exit status of a failure of ssh itself; any other is of the remote command (ssh(1), "EXIT STATUS").
const SSH_FAILED: i32 = 255;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SshRole {
    Session,
    /// Goes to the background and outlives the run.
    Master {
        /// Whether ssh may ask on the terminal first. Then it stays in this process group: the terminal stops a
        /// background group that reads from it.
        may_ask: bool,
    },
}

#[derive(Debug, Clone, Copy)]
pub struct RunOptions<'a> {
    pub limit: Duration,
    pub role: SshRole,
    pub signals: Option<&'a DeferredSignals>,
}

impl RunOptions<'_> {
    const fn has_own_group(&self) -> bool {
        !matches!(self.role, SshRole::Master { may_ask: true })
    }

    fn is_interrupted(&self) -> bool {
        self.signals.is_some_and(DeferredSignals::is_pending)
    }
}

/// Returns the time until ssh had reached the server; [`ActionError::Interrupted`] if a deferred signal is pending. In all
/// cases but success, ssh has ended.
///
/// Calls `at_end` with the process id when ssh has ended or was killed and before it is reaped, so that the id cannot be
/// reused yet.
pub(crate) fn run(
    mut command: Command,
    options: RunOptions<'_>,
    at_end: impl FnOnce(u32),
) -> Result<Duration, ActionError> {
    tracing::debug!(?command, "run");
    if options.is_interrupted() {
        return Err(ActionError::Interrupted);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if options.has_own_group() {
        command.process_group(0);
    }
    let begun = Instant::now();
    let child = match options.role {
        SshRole::Session => command.spawn(),
        SshRole::Master { .. } => with_signals_unblocked(|| command.spawn()),
    };
    let mut child = child.map_err(|error| not_started(&error))?;
    let mut stderr = StderrTail::default();
    let end = wait_for_end(&mut child, begun + options.limit, options, &mut stderr);
    let took = begun.elapsed();
    if !matches!(end, Ok(RunEnd::Ended)) {
        kill(&mut child, options.has_own_group());
    }
    at_end(child.id());
    let status = Deadline::within(REAP_LIMIT).poll(REAP_POLL, || child.try_wait().transpose());
    tracing::debug!(?end, ?status, ?took, ?stderr, "ran");
    let failure = match (end.map_err(|error| not_started(&error))?, status) {
        (RunEnd::Interrupted, _) => return Err(ActionError::Interrupted),
        (RunEnd::Ended, Some(Ok(status))) => match status.code() {
            // The signal also reached a child in this process group.
            None | Some(SSH_FAILED) if options.is_interrupted() => {
                return Err(ActionError::Interrupted);
            }
            None | Some(SSH_FAILED) => Failure::Refused(stderr.last_line()),
            Some(_) => return Ok(took),
        },
        (RunEnd::TimedOut | RunEnd::Ended, _) => {
            Failure::TimedOut(options.limit, stderr.last_line())
        }
    };
    Err(ActionError::NotStarted(failure))
}

fn not_started(error: &io::Error) -> ActionError {
    ActionError::NotStarted(Failure::NotStarted(text::line(&error.to_string())))
}

#[derive(Debug)]
enum RunEnd {
    Ended,
    TimedOut,
    Interrupted,
}

/// Waits for the end of the child without reaping it, and reads its standard error meanwhile.
fn wait_for_end(
    child: &mut Child,
    until: Instant,
    options: RunOptions<'_>,
    stderr: &mut StderrTail,
) -> io::Result<RunEnd> {
    let process = Pidfd::open(MasterPid(child.id().cast_signed()))?;
    let mut pipe = child.stderr.take().map(OwnedFd::from).map(File::from);
    if let Some(pipe) = &pipe {
        // Non-blocking: a master in the background may keep the other end open.
        fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let watched = [
            Some(process.as_fd()),
            options.signals.map(AsFd::as_fd),
            pipe.as_ref().map(AsFd::as_fd),
        ];
        let pollable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut polled: Vec<_> = watched.into_iter().flatten().map(pollable).collect();
        match poll(&mut polled, poll_timeout(left)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        drop(polled);
        if pipe.as_mut().is_some_and(|pipe| !stderr.read(pipe)) {
            pipe = None;
        }
        if process.has_ended(Duration::ZERO)? {
            // Its last lines may have come since.
            if let Some(pipe) = &mut pipe {
                stderr.read(pipe);
            }
            return Ok(RunEnd::Ended);
        }
        if options.is_interrupted() {
            return Ok(RunEnd::Interrupted);
        }
        if left.is_zero() {
            return Ok(RunEnd::TimedOut);
        }
    }
}

/// Kills the child, with its process group if that is its own. It is not reaped yet, so neither id can have been reused.
fn kill(child: &mut Child, has_own_group: bool) {
    if has_own_group {
        let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    } else {
        // Its ProxyCommand ends when the pipe to it is closed.
        let _ = child.kill();
    }
}

#[derive(Debug, Default)]
struct StderrTail(Vec<u8>);

impl StderrTail {
    /// Reads the available bytes. Returns whether more may follow.
    fn read(&mut self, pipe: &mut File) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match pipe.read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => {
                    self.0.extend_from_slice(&buffer[..length]);
                    let surplus = self.0.len().saturating_sub(KEPT);
                    self.0.drain(..surplus);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    /// The last line with the reason of the failure, printable. A multiplexed run has a ProxyCommand that fails, so if there
    /// is no master, ssh also prints lines about that; these are skipped, as is the line after the error of a `BindAddress`
    /// (`ssh_connect_direct()` in sshconnect.c without an errno).
    fn last_line(&self) -> Option<String> {
        const MAX_BYTES: usize = 300;
        const ABOUT_PROXY: [&[u8]; 4] = [
            b"kex_exchange_identification: ",
            b"ssh_exchange_identification: ",
            b"banner exchange: Connection to UNKNOWN ",
            b"Connection closed by UNKNOWN ",
        ];
        self.0
            .split(|byte| matches!(byte, b'\n' | b'\r'))
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
            .rfind(|line| {
                let is_vague =
                    line.starts_with(b"ssh: connect to ") && line.ends_with(b": failure");
                !is_vague && !ABOUT_PROXY.iter().any(|start| line.starts_with(start))
            })
            .map(|line| text::os(OsStr::from_bytes(&line[..line.len().min(MAX_BYTES)])))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<Duration, ActionError> {
        let signals = DeferredSignals::block().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let ended_pid = Cell::new(0);
        let options = RunOptions {
            limit,
            role: SshRole::Session,
            signals: Some(&signals),
        };
        let result = run(command, options, |pid| ended_pid.set(pid));
        assert_ne!(ended_pid.get(), 0);
        result
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn status_255_and_signals_are_failures() {
        for script in ["exit 0", "exit 1", "exit 254"] {
            assert!(shell(script, LONG).is_ok(), "{script}");
        }
        for (script, said) in [
            ("exit 255", None),
            ("kill -9 $$", None),
            ("echo one >&2; echo two >&2; exit 255", Some("two")),
            (
                "echo why >&2; echo 'Connection closed by UNKNOWN port 65535' >&2; exit 255",
                Some("why"),
            ),
            (
                "echo bind >&2; echo 'ssh: connect to host h port 22: failure' >&2; exit 255",
                Some("bind"),
            ),
            ("printf 'a\\033b\\r\\n' >&2; exit 255", Some("a\\u{1b}b")),
        ] {
            let refused = Failure::Refused(said.map(str::to_owned));
            let result = shell(script, LONG);
            assert_eq!(result, Err(ActionError::NotStarted(refused)), "{script}");
        }
    }

    #[test]
    fn kills_after_the_limit_and_keeps_stderr() {
        let limit = Duration::from_millis(300);
        let begun = Instant::now();
        let result = shell("echo waiting >&2; sleep 600 & sleep 600", limit);
        let timed_out = Failure::TimedOut(limit, Some("waiting".to_owned()));
        assert_eq!(result, Err(ActionError::NotStarted(timed_out)));
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn keeps_the_end_of_long_stderr() {
        let result = shell(
            "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 255",
            LONG,
        );
        let refused = Failure::Refused(Some("line 2999".to_owned()));
        assert_eq!(result, Err(ActionError::NotStarted(refused)));
    }

    #[test]
    fn reports_missing_program() {
        let options = RunOptions {
            limit: LONG,
            role: SshRole::Master { may_ask: false },
            signals: None,
        };
        let result = run(Command::new("/nowhere/ssh"), options, |_| {});
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("ssh cannot be started"), "{error}");
    }
}
