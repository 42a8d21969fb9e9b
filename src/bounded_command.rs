//! Runs programs with a deadline and a limit for their output, and kills them with their children when they exceed them.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::mem;
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

/// `ssh -G` repeats long values of the configuration, such as a ProxyCommand.
pub(crate) const MAX_OUTPUT: usize = 4 << 20;

/// How often to check for the end of a child, because its own children may keep the pipes open.
const POLL: Duration = Duration::from_millis(20);

/// The same for a child that has closed its pipes: it is about to end.
const POLL_CLOSED: Duration = Duration::from_millis(1);

/// How long to wait for a killed child. Only one in uninterruptible sleep takes any time.
const REAP_LIMIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

#[derive(Debug)]
pub(crate) enum Failure {
    NotStarted(io::Error),
    TimedOut,
    TooMuchOutput,
    Pipe(io::Error),
}

/// A program that runs in its own process group without standard input. Dropping it kills the whole group.
pub(crate) struct BoundedCommand {
    child: Child,
    stdout: Stream,
    stderr: Stream,
    began: Instant,
    deadline: Duration,
    has_ended: bool,
}

impl BoundedCommand {
    pub(crate) fn start(mut command: Command, deadline: Duration) -> Result<Self, Failure> {
        let began = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(Failure::NotStarted)?;
        let started = Self {
            stdout: Stream::new(child.stdout.take()),
            stderr: Stream::new(child.stderr.take()),
            child,
            began,
            deadline,
            has_ended: false,
        };
        for pipe in started.pipes() {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                .map_err(|errno| Failure::Pipe(errno.into()))?;
        }
        Ok(started)
    }

    /// Waits for the end of the program.
    pub(crate) fn finish(mut self) -> Result<Output, Failure> {
        loop {
            if let Some(result) = self.proceed() {
                return result;
            }
            wait(std::iter::once(&self));
        }
    }

    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Reads the output so far. Returns the result if the program has ended, or has exceeded a limit.
    pub(crate) fn proceed(&mut self) -> Option<Result<Output, Failure>> {
        match self.output() {
            Ok(None) if self.age() < self.deadline => None,
            Ok(None) => Some(Err(Failure::TimedOut)),
            Ok(Some(output)) => Some(Ok(output)),
            Err(failure) => Some(Err(failure)),
        }
    }

    fn output(&mut self) -> Result<Option<Output>, Failure> {
        // Before reading: if it has ended, the pipes already hold all of its output.
        let status = self.child.try_wait().map_err(Failure::Pipe)?;
        self.has_ended = status.is_some();
        self.stdout.read()?;
        self.stderr.read()?;
        Ok(status.map(|status| Output {
            status,
            stdout: mem::take(&mut self.stdout.bytes),
            stderr: mem::take(&mut self.stderr.bytes),
        }))
    }

    fn pipes(&self) -> impl Iterator<Item = &File> {
        [&self.stdout, &self.stderr]
            .into_iter()
            .filter_map(|stream| stream.pipe.as_ref())
    }
}

impl Drop for BoundedCommand {
    fn drop(&mut self) {
        if !self.has_ended {
            kill(&mut self.child);
        }
    }
}

/// Runs the program to its end.
pub(crate) fn run(command: Command, deadline: Duration) -> Result<Output, Failure> {
    BoundedCommand::start(command, deadline)?.finish()
}

/// Waits until one of the programs has written or ended, for a short time at most.
pub(crate) fn wait<'a>(running: impl Iterator<Item = &'a BoundedCommand>) {
    let mut timeout = POLL;
    let mut polled = Vec::new();
    for command in running {
        let before = polled.len();
        polled.extend(
            command
                .pipes()
                .map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)),
        );
        if polled.len() == before {
            timeout = POLL_CLOSED;
        }
    }
    let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::ZERO);
    if let Err(errno) = poll(&mut polled, timeout)
        && errno != Errno::EINTR
    {
        // Without memory for it, look again a little later.
        thread::sleep(POLL_CLOSED);
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

struct Stream {
    pipe: Option<File>,
    bytes: Vec<u8>,
}

impl Stream {
    fn new(pipe: Option<impl Into<OwnedFd>>) -> Self {
        Self {
            pipe: pipe.map(|pipe| File::from(pipe.into())),
            bytes: Vec::new(),
        }
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
