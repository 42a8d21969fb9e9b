//! Runs a program with a deadline and a limit for its output, and kills it with its children when it exceeds them.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

pub(super) const MAX_OUTPUT: usize = 1 << 20;

/// How often to check whether a silent child has ended while its own children keep the pipes open.
const POLL_OPEN: Duration = Duration::from_millis(20);

/// How often to check a child that has closed its pipes: it is about to end.
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
    /// Killed at this deadline.
    TimedOut(Duration),
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
    let result = collect_output(&mut child, end, deadline);
    if result.is_err() {
        kill(&mut child);
    }
    result
}

fn collect_output(child: &mut Child, end: Instant, deadline: Duration) -> Result<Output, Failure> {
    let mut stdout = Stream::new(child.stdout.take());
    let mut stderr = Stream::new(child.stderr.take());
    loop {
        // Before reading: if it has ended, the pipes already hold all of its output.
        let status = child.try_wait().map_err(Failure::Pipe)?;
        let left = end.saturating_duration_since(Instant::now());
        let wait = match status {
            Some(_) => Duration::ZERO,
            None if stdout.pipe.is_none() && stderr.pipe.is_none() => left.min(POLL_CLOSED),
            None => left.min(POLL_OPEN),
        };
        let has_read = Stream::read_some(&mut [&mut stdout, &mut stderr], wait)?;
        match status {
            Some(status) if !has_read => {
                return Ok(Output {
                    status,
                    stdout: stdout.bytes,
                    stderr: stderr.bytes,
                });
            }
            None if left.is_zero() => return Err(Failure::TimedOut(deadline)),
            Some(_) | None => {}
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

/// One pipe of the child and the output so far.
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

    /// Waits until one of the pipes is readable, and reads once. Returns whether one was.
    fn read_some(streams: &mut [&mut Self; 2], wait: Duration) -> Result<bool, Failure> {
        let readable = {
            let mut polled: Vec<PollFd<'_>> = streams
                .iter()
                .filter_map(|stream| stream.pipe.as_ref())
                .map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
                .collect();
            let timeout = PollTimeout::try_from(wait).unwrap_or(PollTimeout::ZERO);
            match poll(&mut polled, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(Failure::Pipe(errno.into())),
            }
            let mut ready = polled.iter().map(|fd| fd.any() == Some(true));
            let mut next = |stream: &Self| stream.pipe.is_some() && ready.next() == Some(true);
            [next(streams[0]), next(streams[1])]
        };
        for (stream, readable) in streams.iter_mut().zip(readable) {
            if readable {
                stream.read()?;
            }
        }
        Ok(readable.contains(&true))
    }

    /// Reads once, after poll(2) reported that it does not block.
    fn read(&mut self) -> Result<(), Failure> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(());
        };
        let mut buffer = [0; 8192];
        match pipe.read(&mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(length) => self.bytes.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::Pipe(error)),
        }
        if self.bytes.len() > MAX_OUTPUT {
            return Err(Failure::TooMuchOutput);
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
        assert!(matches!(failure, Failure::TimedOut(_)), "{failure:?}");
        let pid = std::fs::read_to_string(pid).unwrap();
        while is_running(pid.trim()) {
            assert!(started.elapsed() < LONG, "process {pid} lives on");
            thread::yield_now();
        }
    }

    #[test]
    fn bounds_a_child_that_closes_its_pipes_and_one_that_floods_them() {
        let failure = shell("exec >&- 2>&-; sleep 60", SHORT);
        assert!(matches!(failure, Err(Failure::TimedOut(_))), "{failure:?}");
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
