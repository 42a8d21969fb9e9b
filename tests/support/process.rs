//! Processes with a deadline, ended by their id; and waiting for a condition.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The deadline for events that take milliseconds on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// Waits until `look` returns a value; `None` after the deadline.
pub(crate) fn look_for<T>(deadline: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until `look` returns a value; panics with `what` after the deadline.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, deadline: Duration, look: impl FnMut() -> Option<T>) -> T {
    look_for(deadline, look).unwrap_or_else(|| panic!("waited {deadline:?} in vain until {what}"))
}

/// Waits until `condition` holds; panics with `what` after the deadline.
#[track_caller]
pub(crate) fn wait_until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, deadline, || condition().then_some(()));
}

/// A child process with its output, killed on drop.
///
/// Its output goes to unnamed files instead of pipes: a child that leaves a daemon behind would keep a pipe open.
pub(crate) struct Process {
    child: Child,
    what: String,
    stdout: File,
    stderr: File,
    started: Instant,
}

/// The end of a process, and its output.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The command line.
    pub(crate) what: String,
    pub(crate) status: ExitStatus,
    /// Standard output; invalid UTF-8 is replaced.
    pub(crate) stdout: String,
    /// Standard error; invalid UTF-8 is replaced.
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Finished {
    /// Returns the exit status; panics if a signal ended the process.
    #[track_caller]
    pub(crate) fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| panic!("ended by signal {:?}: {self:#?}", self.status.signal()))
    }

    /// Demands this exit status; panics with the output if it differs.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "exit status of {self:#?}");
        self
    }
}

impl Process {
    /// Starts the command with an empty standard input.
    #[track_caller]
    pub(crate) fn start(command: Command) -> Self {
        Self::spawn(command, Stdio::null())
    }

    /// Starts the command with a standard input that stays open until it is dropped.
    #[track_caller]
    pub(crate) fn start_with_open_input(command: Command) -> Self {
        Self::spawn(command, Stdio::piped())
    }

    #[track_caller]
    fn spawn(mut command: Command, stdin: Stdio) -> Self {
        let what = format!("{command:?}");
        let stdout = tempfile::tempfile().unwrap();
        let stderr = tempfile::tempfile().unwrap();
        let child = command
            .stdin(stdin)
            .stdout(stdout.try_clone().unwrap())
            .stderr(stderr.try_clone().unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {what}: {error}"));
        Self {
            child,
            what,
            stdout,
            stderr,
            started: Instant::now(),
        }
    }

    /// Runs the command to its end; panics after the deadline.
    #[track_caller]
    pub(crate) fn run(command: Command, deadline: Duration) -> Finished {
        Self::start(command).finish(deadline)
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Returns standard output up to now.
    pub(crate) fn stdout(&self) -> String {
        contents(&self.stdout)
    }

    /// Returns standard error up to now.
    pub(crate) fn stderr(&self) -> String {
        contents(&self.stderr)
    }

    /// The lines of muxtray's log on standard error, each of which begins with its level. Libraries in the applet write
    /// to standard error too, such as libayatana-appindicator, which announces its deprecation since 0.5.94.
    pub(crate) fn log_lines(&self) -> Vec<String> {
        let is_logged = |line: &&str| {
            let level = line.split_whitespace().next();
            level.is_some_and(|level| LEVELS.contains(&level))
        };
        let written = self.stderr();
        written
            .lines()
            .filter(is_logged)
            .map(str::to_owned)
            .collect()
    }

    /// Returns true if the process has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends SIGTERM, and SIGKILL if that does not end the process in time.
    pub(crate) fn end(&mut self) {
        let _ = kill(Pid::from_raw(self.pid()), Signal::SIGTERM);
        let ended = look_for(PATIENCE, || (!self.is_running()).then_some(()));
        if ended.is_none() {
            self.kill();
        }
    }

    /// Waits for the end; panics with the output after the deadline.
    #[track_caller]
    pub(crate) fn finish(mut self, deadline: Duration) -> Finished {
        let end = Instant::now() + deadline;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Finished {
                    what: self.what.clone(),
                    status,
                    stdout: self.stdout(),
                    stderr: self.stderr(),
                    took: self.started.elapsed(),
                };
            }
            assert!(
                Instant::now() < end,
                "{} did not end within {deadline:?}\nstdout: {}\nstderr: {}",
                self.what,
                self.stdout(),
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until standard output contains this text.
    #[track_caller]
    pub(crate) fn wait_for_output(&mut self, text: &str, deadline: Duration) {
        let end = Instant::now() + deadline;
        while !self.stdout().contains(text) {
            let running = self.is_running();
            assert!(
                running && Instant::now() < end,
                "{} never wrote {text:?} (running: {running})\nstdout: {}\nstderr: {}",
                self.what,
                self.stdout(),
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The whole file, read without moving the offset that the child writes at.
fn contents(file: &File) -> String {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    let length = file.read_at(&mut bytes, 0).unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}
