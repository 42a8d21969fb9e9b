//! Runs a program with a deadline and a limit for its output, and kills it with its children when it exceeds them.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

pub(super) const MAX_OUTPUT: usize = 1 << 20;

/// How often to check for the end of the child, because its own children may keep the pipes open.
const POLL: Duration = Duration::from_millis(20);

/// The same for a child that has closed its pipes: it is about to end.
const POLL_CLOSED: Duration = Duration::from_millis(1);

/// How long to wait for a killed child. Only one in uninterruptible sleep takes any time.
const REAP_LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum Failure {
    NotStarted(io::Error),
    TimedOut,
    /// Killed after more than [`MAX_OUTPUT`] bytes.
    TooMuchOutput,
    Pipe(io::Error),
}

/// Runs the command in its own process group without standard input, and returns when it has ended. At the deadline the
/// whole group is killed, so that its children do not outlive it.
pub(super) fn run(mut command: Command, deadline: Duration) -> Result<Output, Failure> {
    let end = Instant::now() + deadline;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(Failure::NotStarted)?;
    let result = collect_output(&mut child, end);
    if result.is_err() {
        kill(&mut child);
    }
    result
}

fn collect_output(child: &mut Child, end: Instant) -> Result<Output, Failure> {
    let mut stdout = Stream::new(child.stdout.take())?;
    let mut stderr = Stream::new(child.stderr.take())?;
    loop {
        // Before reading: if it has ended, the pipes already hold all of its output.
        let status = child.try_wait().map_err(Failure::Pipe)?;
        stdout.read()?;
        stderr.read()?;
        if let Some(status) = status {
            return Ok(Output {
                status,
                stdout: stdout.bytes,
                stderr: stderr.bytes,
            });
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::TimedOut);
        }
        let pipes = [&stdout.pipe, &stderr.pipe];
        let mut polled: Vec<PollFd<'_>> = pipes
            .into_iter()
            .flatten()
            .map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
            .collect();
        let pause = if polled.is_empty() { POLL_CLOSED } else { POLL };
        let timeout = PollTimeout::try_from(pause.min(left)).unwrap_or(PollTimeout::ZERO);
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Failure::Pipe(errno.into())),
        }
    }
}

fn kill(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // The group may have ended; the pid stays the child's until it is waited for.
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = child.kill();
    let end = Instant::now() + REAP_LIMIT;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
}

/// One pipe of the child, until it is closed, and the output so far.
struct Stream {
    pipe: Option<File>,
    bytes: Vec<u8>,
}

impl Stream {
    fn new(pipe: Option<impl Into<OwnedFd>>) -> Result<Self, Failure> {
        let pipe = pipe.map(|pipe| File::from(pipe.into()));
        if let Some(pipe) = &pipe {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                .map_err(|errno| Failure::Pipe(errno.into()))?;
        }
        let bytes = Vec::new();
        Ok(Self { pipe, bytes })
    }

    fn read(&mut self) -> Result<(), Failure> {
        let mut buffer = [0; 8192];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(length) => self.bytes.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(Failure::Pipe(error)),
            }
            if self.bytes.len() > MAX_OUTPUT {
                return Err(Failure::TooMuchOutput);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, deadline: Duration) -> Result<Output, Failure> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script);
        run(command, deadline)
    }

    const LONG: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(100);

    #[test]
    fn returns_output_and_status() {
        let output = shell("echo out; echo err >&2; exit 3", LONG).unwrap();
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.stderr, b"err\n");
        assert_eq!(output.status.code(), Some(3));
        let failure = run(Command::new("/nonexistent/ssh"), LONG).unwrap_err();
        assert!(matches!(failure, Failure::NotStarted(_)), "{failure:?}");
    }

    fn is_running(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            !stat
                .rsplit(')')
                .next()
                .is_some_and(|rest| rest.starts_with(" Z"))
        })
    }

    #[test]
    fn kills_a_hanging_child_with_its_children() {
        let started = Instant::now();
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        // The inner sleep keeps the pipe open, so killing only the shell would not end the wait.
        let script = format!("sleep 600 & echo $! > '{}'; sleep 600", pid.display());
        let failure = shell(&script, Duration::from_secs(1)).unwrap_err();
        assert!(matches!(failure, Failure::TimedOut), "{failure:?}");
        let pid = std::fs::read_to_string(pid).unwrap();
        while is_running(pid.trim()) {
            assert!(started.elapsed() < LONG, "process {pid} lives on");
            thread::yield_now();
        }
    }

    #[test]
    fn bounds_a_child_that_closes_its_pipes_and_one_that_floods_them() {
        let failure = shell("exec >&- 2>&-; sleep 60", SHORT);
        assert!(matches!(failure, Err(Failure::TimedOut)), "{failure:?}");
        let flood = "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done";
        let failure = shell(flood, LONG);
        assert!(
            matches!(failure, Err(Failure::TooMuchOutput)),
            "{failure:?}"
        );
    }

    #[test]
    fn does_not_wait_for_children_that_keep_the_pipes_open() {
        let output = shell("sleep 600 & echo $!", LONG).unwrap();
        let pid = String::from_utf8(output.stdout).unwrap();
        assert!(is_running(pid.trim()));
        let pid = Pid::from_raw(pid.trim().parse().unwrap());
        nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
    }
}
