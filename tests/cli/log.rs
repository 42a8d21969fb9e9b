//! The log in the journal and elsewhere, and the log and exit status after a panic.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and its children print"
)]

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use crate::support::{PATIENCE, program, wait_for, wait_until};
use muxtray::{crash, log};
use nix::sys::signal::Signal::{self, SIGABRT, SIGTERM};
use nix::unistd::Pid;

/// Set in the child of a test that runs its own binary again.
const CHILD: &str = "MUXTRAY_TEST_CHILD";

/// A child with a file as its standard error.
struct Logged {
    child: Child,
    directory: tempfile::TempDir,
}

impl Logged {
    /// Starts the command without a session and with an empty home. If `is_journal`, JOURNAL_STREAM names the file.
    fn start(mut command: Command, is_journal: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let own = log.metadata().unwrap();
        // Otherwise JOURNAL_STREAM names another stream, as in a child with a redirected standard error.
        let inode = if is_journal { own.ino() } else { own.ino() + 1 };
        let child = command
            .env("JOURNAL_STREAM", format!("{}:{inode}", own.dev()))
            .env("HOME", directory.path())
            .env("XDG_CONFIG_HOME", directory.path().join("config"))
            .env("XDG_CACHE_HOME", directory.path().join("cache"))
            .env("XDG_RUNTIME_DIR", directory.path())
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, directory }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    fn wait_for_text(&self, text: &str) {
        let condition = format!("the log contains {text:?}");
        wait_until(&condition, PATIENCE, || self.text().contains(text));
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Waits for the end; returns the exit status and the log.
    fn wait(&mut self) -> (ExitStatus, String) {
        let status = wait_for("the end of the child", PATIENCE, || {
            self.child.try_wait().unwrap()
        });
        (status, self.text())
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that runs this test in a child, as [`is_child`] then reports.
fn again(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", &format!("log::{test}")])
        .env(CHILD, test);
    command
}

fn is_child(test: &str) -> bool {
    std::env::var(CHILD).is_ok_and(|name| name == test)
}

/// Starts as the applet does; then a thread panics while the main thread blocks.
fn crash_on_a_thread() -> ! {
    log::to_stderr(0);
    crash::log_panics();
    crash::abort_on_panic(|panic| eprintln!("notified: {panic}"));
    assert_eq!(crash::contained(|| -> u8 { panic!("a library's") }), None);
    let worker = thread::Builder::new().name("worker".to_owned());
    let _worker = worker.spawn(|| panic!("on\npurpose")).unwrap();
    loop {
        thread::park();
    }
}

fn muxtray_without_tray() -> Command {
    let mut command = Command::new(program());
    command.args(["-v", "run", "--no-tray"]);
    command
}

#[test]
fn panic_on_any_thread_notifies_and_aborts() {
    let test = "panic_on_any_thread_notifies_and_aborts";
    if is_child(test) {
        crash_on_a_thread();
    }
    for (is_journal, begin) in [(false, "ERROR "), (true, "<3>")] {
        let (status, log) = Logged::start(again(test), is_journal).wait();
        assert_eq!(status.signal(), Some(SIGABRT as i32), "{status}: {log}");
        let line = log.lines().find(|line| line.contains("crashed")).unwrap();
        let line = line.trim_start();
        let start = format!(
            "{begin}muxtray has crashed, which is a bug: on\\u{{a}}purpose, at {}:",
            file!()
        );
        assert!(line.starts_with(&start), "{log}");
        assert!(line.ends_with(", on thread worker"), "{log}");
        assert!(
            log.contains(&format!("notified: on\\u{{a}}purpose, at {}:", file!())),
            "{log}"
        );
        assert!(!log.contains("a library's"), "{log}");
    }
}

#[test]
fn panic_of_a_command_exits_with_101() {
    let test = "panic_of_a_command_exits_with_101";
    if is_child(test) {
        log::to_stderr(0);
        crash::log_panics();
        panic!("on purpose");
    }
    let (status, log) = Logged::start(again(test), false).wait();
    assert_eq!(status.code(), Some(101), "{log}");
    assert!(
        log.contains("ERROR muxtray has crashed, which is a bug: on purpose"),
        "{log}"
    );
}

#[test]
fn lines_have_priorities_in_the_journal_and_levels_elsewhere() {
    for (is_journal, version, warning) in [
        (true, "<6>muxtray ", "<4>cannot reach the session bus"),
        (
            false,
            " INFO muxtray ",
            " WARN cannot reach the session bus",
        ),
    ] {
        let mut muxtray = Logged::start(muxtray_without_tray(), is_journal);
        muxtray.wait_for_text(warning);
        muxtray.signal(SIGTERM);
        let (status, log) = muxtray.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        let first = log.lines().next().unwrap();
        assert_eq!(first, format!("{version}{}", muxtray::VERSION), "{log}");
        for line in log.lines() {
            assert_eq!(line.starts_with('<'), is_journal, "{line}");
        }
    }
}

#[test]
fn engine_failure_exits_with_3() {
    // Too few descriptors for the event loop.
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 5; exec \"$0\" run --no-tray"])
        .arg(program())
        .process_group(0);
    let (status, log) = Logged::start(command, false).wait();
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("muxtray: the engine failed: "), "{log}");
}

#[test]
fn version_is_that_of_the_package_with_the_commit() {
    let version = env!("CARGO_PKG_VERSION");
    let commit_part = muxtray::VERSION.strip_prefix(version).unwrap();
    let git = Path::new(env!("CARGO_MANIFEST_DIR")).join(".git");
    let commit = std::env::var("MUXTRAY_COMMIT").ok().or_else(|| head(&git));
    let Some(commit) = commit.filter(|commit| !commit.is_empty()) else {
        assert_eq!(commit_part, "");
        return crate::support::skip(
            "version_is_that_of_the_package_with_the_commit",
            "this is not a git checkout, or git is not installed",
        );
    };
    let short = commit_part
        .strip_prefix(" (")
        .and_then(|part| part.strip_suffix(')'))
        .unwrap();
    assert!(
        short.len() >= 7 && commit.starts_with(short),
        "{short}, built from {commit}"
    );
    let printed = Command::new(program()).arg("--version").output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed, format!("muxtray {}\n", muxtray::VERSION));
}

/// The commit that is checked out, according to git.
fn head(git: &Path) -> Option<String> {
    if !git.exists() {
        return None;
    }
    let output = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}
