//! Running a program that may hang, flood or leave children behind: one deadline, bounded output, nothing left.

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

/// More output than this is no answer.
pub(super) const MAX_OUTPUT: usize = 1 << 20;

/// How often a child that is silent is looked at, in case it has ended while others hold its pipes.
const LOOK: Duration = Duration::from_millis(20);

/// How soon a child is looked at that has closed its pipes.
const SOON: Duration = Duration::from_millis(1);

/// How long a killed child may take to go. Only one that the kernel holds takes any time at all.
const REAP: Duration = Duration::from_secs(1);

/// What a child said before it ended.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Why there is no output.
#[derive(Debug)]
pub(super) enum Failure {
    /// The program could not be started.
    NotStarted(io::Error),
    /// It was killed at the deadline.
    TimedOut(Duration),
    /// It was killed because it wrote too much.
    TooMuch,
    /// Its pipes failed.
    Pipe(io::Error),
}

/// Runs the command with no standard input, in a process group of its own, and returns when it has ended. At the
/// deadline the whole group is killed, so that what it started in turn does not live on.
pub(super) fn run(mut command: Command, deadline: Duration) -> Result<Output, Failure> {
    let end = Instant::now() + deadline;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(Failure::NotStarted)?;
    let result = attend(&mut child, end, deadline);
    if result.is_err() {
        kill(&mut child);
    }
    result
}

fn attend(child: &mut Child, end: Instant, deadline: Duration) -> Result<Output, Failure> {
    let mut stdout = Stream::new(child.stdout.take());
    let mut stderr = Stream::new(child.stderr.take());
    loop {
        // Asked before reading: what is in the pipes then is all that it wrote.
        let status = child.try_wait().map_err(Failure::Pipe)?;
        let left = end.saturating_duration_since(Instant::now());
        let wait = match status {
            Some(_) => Duration::ZERO,
            // A child that has closed its pipes is about to end.
            None if stdout.pipe.is_none() && stderr.pipe.is_none() => left.min(SOON),
            None => left.min(LOOK),
        };
        let moved = Stream::read_some(&mut [&mut stdout, &mut stderr], wait)?;
        match status {
            Some(status) if !moved => {
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
        // The group may be gone already; the child itself is still ours until it is waited for.
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = child.kill();
    let end = Instant::now() + REAP;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
}

/// One pipe of the child's and what came out of it.
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

    /// Waits until one of the pipes has something and takes it; whether one had.
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

    /// One read; only called where poll said that it does not block.
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
            return Err(Failure::TooMuch);
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
    fn output_and_status_are_told() {
        let output = shell("echo out; echo err >&2; exit 3", LONG).unwrap();
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.stderr, b"err\n");
        assert_eq!(output.status.code(), Some(3));
    }

    /// Whether a process still runs; one that only waits to be reaped does not.
    fn runs(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
            !stat
                .rsplit(')')
                .next()
                .is_some_and(|rest| rest.starts_with(" Z"))
        })
    }

    #[test]
    fn a_child_that_hangs_is_killed_with_what_it_started() {
        let started = Instant::now();
        let directory = tempfile::tempdir().unwrap();
        let pid = directory.path().join("pid");
        // The inner sleep holds the pipe: it would be waited for if only the shell were killed.
        let script = format!("sleep 600 & echo $! > '{}'; sleep 600", pid.display());
        let failure = shell(&script, Duration::from_secs(1)).unwrap_err();
        assert!(matches!(failure, Failure::TimedOut(_)), "{failure:?}");
        let pid = std::fs::read_to_string(pid).unwrap();
        while runs(pid.trim()) {
            assert!(started.elapsed() < LONG, "process {pid} lives on");
            thread::yield_now();
        }
    }

    #[test]
    fn a_child_that_only_closes_its_pipes_is_still_bounded() {
        let failure = shell("exec >&- 2>&-; sleep 60", SHORT).unwrap_err();
        assert!(matches!(failure, Failure::TimedOut(_)), "{failure:?}");
    }

    #[test]
    fn a_flood_is_cut() {
        let failure = shell(
            "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done",
            LONG,
        );
        assert!(matches!(failure, Err(Failure::TooMuch)), "{failure:?}");
    }

    #[test]
    fn an_ended_child_is_not_held_up_by_what_it_left_behind() {
        // The one left behind holds the pipes.
        let output = shell("sleep 600 & echo $!", LONG).unwrap();
        let pid = String::from_utf8(output.stdout).unwrap();
        assert!(runs(pid.trim()));
        let left_behind = Pid::from_raw(pid.trim().parse().unwrap());
        nix::sys::signal::kill(left_behind, Signal::SIGKILL).unwrap();
    }

    #[test]
    fn a_missing_program_is_named_so() {
        let failure = run(Command::new("/nonexistent/ssh"), LONG).unwrap_err();
        assert!(matches!(failure, Failure::NotStarted(_)), "{failure:?}");
    }
}
