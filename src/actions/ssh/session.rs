//! One run of ssh: timed, with a deadline, nothing left of it. Its standard error is kept from the end.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};

use super::interrupt::{self, Interrupt};
use crate::diagnose::obstacle::Failure;
use crate::model::text;

/// So much of what it said last is kept.
const KEPT: usize = 8 * 1024;

/// How long a killed child may take to go. Only one that the kernel holds takes any time at all.
const REAP: Duration = Duration::from_secs(1);

/// The status with which ssh says that it failed itself; any other is the remote command's (ssh(1), "EXIT STATUS").
const SSH_FAILED: i32 = 255;

/// How a run ended.
#[derive(Debug)]
pub enum Ran {
    /// It reached the other side, and took so long.
    Through(Duration),
    /// It did not.
    Failed(Failure),
    /// A signal came that ends the program. The run was killed.
    Interrupted,
}

/// Whether what is started may live on after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lives {
    /// A session: no.
    ForTheRun,
    /// A master that goes to the background.
    On {
        /// Whether it may ask on the terminal first. Then it stays in our process group, for the terminal stops another
        /// one that asks.
        may_ask: bool,
    },
}

/// How a run is to be.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// How long it may take.
    pub limit: Duration,
    /// Whether it leaves anything.
    pub lives: Lives,
    /// What ends it before its time.
    pub interrupt: Option<&'a Interrupt>,
}

impl Manner<'_> {
    const fn has_own_group(&self) -> bool {
        !matches!(self.lives, Lives::On { may_ask: true })
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_some_and(Interrupt::is_pending)
    }
}

/// Runs it. `at_end` is told its process id when it has ended or been killed, while that id is still its own.
pub fn run(mut command: Command, manner: Manner<'_>, at_end: impl FnOnce(u32)) -> Ran {
    tracing::debug!(?command, "run");
    let ran = attended(&mut command, manner, at_end);
    tracing::debug!(?ran, "ran");
    ran
}

fn attended(command: &mut Command, manner: Manner<'_>, at_end: impl FnOnce(u32)) -> Ran {
    let limit = manner.limit;
    let begun = Instant::now();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if manner.has_own_group() {
        command.process_group(0);
    }
    if manner.is_interrupted() {
        return Ran::Interrupted;
    }
    let child = match manner.lives {
        Lives::ForTheRun => command.spawn(),
        Lives::On { .. } => interrupt::let_through(|| command.spawn()),
    };
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return Ran::Failed(Failure::NotStarted(text::line(&error.to_string()))),
    };
    let mut said = Said::default();
    let end = attend(&mut child, begun + limit, manner.interrupt, &mut said);
    let took = begun.elapsed();
    match end {
        Ok(End::Ended) => at_end(child.id()),
        Ok(End::TimedOut | End::Interrupted) | Err(_) => {
            kill(&mut child, manner.has_own_group());
            at_end(child.id());
        }
    }
    let status = reap(&mut child);
    match (end, status) {
        (Ok(End::Ended), Some(status)) => match status.code() {
            // What is in our process group got the signal, too.
            None | Some(SSH_FAILED) if manner.is_interrupted() => Ran::Interrupted,
            None | Some(SSH_FAILED) => Ran::Failed(Failure::Refused(said.last_line())),
            Some(_) => Ran::Through(took),
        },
        (Ok(End::TimedOut), _) | (Ok(End::Ended), None) => {
            Ran::Failed(Failure::TimedOut(limit, said.last_line()))
        }
        (Ok(End::Interrupted), _) => Ran::Interrupted,
        (Err(error), _) => Ran::Failed(Failure::NotStarted(text::line(&error.to_string()))),
    }
}

enum End {
    Ended,
    TimedOut,
    Interrupted,
}

/// Waits for the end of the child, and takes what it says meanwhile. It is not waited for (`wait`) here.
fn attend(
    child: &mut Child,
    until: Instant,
    interrupt: Option<&Interrupt>,
    said: &mut Said,
) -> io::Result<End> {
    let pid = i32::try_from(child.id()).ok();
    let pid = pid.and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::from(Errno::ESRCH))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let mut pipe = child.stderr.take().map(OwnedFd::from).map(File::from);
    if let Some(pipe) = &pipe {
        // A master that goes to the background may keep the other end open: nothing waits for its end.
        fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let pidfd = Some(pidfd.as_fd());
        let pipe_fd = pipe.as_ref().map(AsFd::as_fd);
        let interrupt_fd = interrupt.map(AsFd::as_fd);
        let there = [pidfd, pipe_fd, interrupt_fd];
        let mut polled: Vec<_> = there
            .iter()
            .flatten()
            .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
            .collect();
        let millis = left.as_micros().div_ceil(1000);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut ready = polled.iter().map(|polled| polled.any() == Some(true));
        let [ended, speaks, interrupted] =
            there.map(|fd| fd.is_some() && ready.next() == Some(true));
        drop(polled);
        if (speaks || ended) && !pipe.as_mut().is_some_and(|pipe| said.read(pipe)) {
            pipe = None;
        }
        if ended {
            return Ok(End::Ended);
        }
        if interrupted {
            return Ok(End::Interrupted);
        }
        if left.is_zero() {
            return Ok(End::TimedOut);
        }
    }
}

/// Kills the child, and what it has started in its process group where that is its own.
fn kill(child: &mut Child, has_own_group: bool) {
    match i32::try_from(child.id()) {
        Ok(pid) if has_own_group => {
            // The child has not been waited for, so the group is its own.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // A proxy of its ends when nobody reads from it any more.
        Ok(_) | Err(_) => {
            let _ = child.kill();
        }
    }
}

/// Waits for what has ended or been killed.
fn reap(child: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + REAP;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(1)),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// The end of what a child said on its standard error.
#[derive(Debug, Default)]
struct Said(Vec<u8>);

impl Said {
    /// Takes what there is; whether there may be more later.
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

    /// Its last line of substance, printable. What follows only from the lack of a master to go through is none: a
    /// multiplexed run has a ProxyCommand that leads nowhere.
    fn last_line(&self) -> Option<String> {
        const LONGEST: usize = 300;
        const EMPTY: [&[u8]; 4] = [
            b"kex_exchange_identification: ",
            b"ssh_exchange_identification: ",
            b"banner exchange: Connection to UNKNOWN ",
            b"Connection closed by UNKNOWN ",
        ];
        self.0
            .split(|byte| matches!(byte, b'\n' | b'\r'))
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
            .rfind(|line| !EMPTY.iter().any(|empty| line.starts_with(empty)))
            .map(|line| text::os(OsStr::from_bytes(&line[..line.len().min(LONGEST)])))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn shell(script: &str, limit: Duration) -> Ran {
        let interrupt = Interrupt::put_off().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let told = Cell::new(0);
        let manner = Manner {
            limit,
            lives: Lives::ForTheRun,
            interrupt: Some(&interrupt),
        };
        let ran = run(command, manner, |pid| told.set(pid));
        assert_ne!(told.get(), 0, "its process id was told");
        ran
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn only_ssh_itself_fails_with_255() {
        for (script, reached) in [("exit 0", true), ("exit 1", true), ("exit 254", true)] {
            assert_eq!(
                matches!(shell(script, LONG), Ran::Through(_)),
                reached,
                "{script}"
            );
        }
        for (script, said) in [
            ("exit 255", None),
            ("kill -9 $$", None),
            ("echo one >&2; echo two >&2; exit 255", Some("two")),
            (
                "echo why >&2; echo 'Connection closed by UNKNOWN port 65535' >&2; exit 255",
                Some("why"),
            ),
            ("printf 'a\\033b\\r\\n' >&2; exit 255", Some("a\\u{1b}b")),
        ] {
            let Ran::Failed(Failure::Refused(line)) = shell(script, LONG) else {
                panic!("{script} went well");
            };
            assert_eq!(line.as_deref(), said, "{script}");
        }
    }

    #[test]
    fn a_run_that_hangs_is_killed_and_what_it_said_is_kept() {
        let limit = Duration::from_millis(300);
        let begun = Instant::now();
        let ran = shell("echo waiting >&2; sleep 600 & sleep 600", limit);
        let Ran::Failed(Failure::TimedOut(told, said)) = ran else {
            panic!("{ran:?}");
        };
        assert_eq!((told, said.as_deref()), (limit, Some("waiting")));
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn a_flood_keeps_its_end() {
        let ran = shell(
            "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 255",
            LONG,
        );
        let Ran::Failed(Failure::Refused(said)) = ran else {
            panic!("{ran:?}");
        };
        assert_eq!(said.as_deref(), Some("line 2999"));
    }

    #[test]
    fn what_is_no_program_is_not_started() {
        let manner = Manner {
            limit: LONG,
            lives: Lives::On { may_ask: false },
            interrupt: None,
        };
        let ran = run(Command::new("/nowhere/ssh"), manner, |_| {});
        assert!(
            matches!(ran, Ran::Failed(Failure::NotStarted(_))),
            "{ran:?}"
        );
    }
}
