//! Processes with a deadline, ended by their id; and waiting for a condition.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a test waits for what takes milliseconds on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The levels of muxtray's log.
const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// Waits until `look` finds something; `None` when the deadline passes first.
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

/// Waits until `look` finds something; panics with `what` when the deadline passes first.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, deadline: Duration, look: impl FnMut() -> Option<T>) -> T {
    look_for(deadline, look).unwrap_or_else(|| panic!("waited {deadline:?} in vain until {what}"))
}

/// Waits until `condition` holds; panics with `what` when the deadline passes first.
#[track_caller]
pub(crate) fn wait_until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, deadline, || condition().then_some(()));
}

/// A child process whose output is kept, killed when this is dropped.
///
/// Its output goes to files without a name, not to pipes: a child that leaves a daemon behind would keep a pipe open
/// for ever.
pub(crate) struct Process {
    child: Child,
    what: String,
    stdout: File,
    stderr: File,
    started: Instant,
}

/// How a process ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Finished {
    /// What was run.
    pub(crate) what: String,
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Standard output; what is no UTF-8 is replaced.
    pub(crate) stdout: String,
    /// Standard error, likewise.
    pub(crate) stderr: String,
    /// How long it ran.
    pub(crate) took: Duration,
}

impl Finished {
    /// The exit status; panics where a signal ended the process.
    #[track_caller]
    pub(crate) fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| panic!("ended by signal {:?}: {self:#?}", self.status.signal()))
    }

    /// Demands this exit status and shows everything where it is another.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "exit status of {self:#?}");
        self
    }
}

impl Process {
    /// Starts it with nothing on standard input.
    #[track_caller]
    pub(crate) fn start(command: Command) -> Self {
        Self::spawn(command, Stdio::null())
    }

    /// Starts it with a standard input that stays open until it is dropped.
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

    /// Runs it to its end; panics where that does not come before the deadline.
    #[track_caller]
    pub(crate) fn run(command: Command, deadline: Duration) -> Finished {
        Self::start(command).finish(deadline)
    }

    /// Its id.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// What it has written to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        contents(&self.stdout)
    }

    /// What it has written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        contents(&self.stderr)
    }

    /// The lines of muxtray's log on standard error, each of which begins with its level. The libraries that the applet
    /// loads write there too, such as libayatana-appindicator, which announces its deprecation since 0.5.94.
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

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and SIGKILL where that does not end it.
    pub(crate) fn end(&mut self) {
        let _ = kill(Pid::from_raw(self.pid()), Signal::SIGTERM);
        let ended = look_for(PATIENCE, || (!self.is_running()).then_some(()));
        if ended.is_none() {
            self.kill();
        }
    }

    /// Waits for the end; panics with what it wrote when the deadline passes first.
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

    /// Waits until standard output holds this text.
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
