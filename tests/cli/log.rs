//! The log where it leads into the journal, and what a crash leaves behind: a line, and no program that only looks
//! alive.

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

/// Which part a test that runs itself again plays.
const PART: &str = "MUXTRAY_TEST_PART";

/// A child whose standard error is a file, and what the file holds.
struct Logged {
    child: Child,
    directory: tempfile::TempDir,
}

impl Logged {
    /// Starts it away from any session and home. `says_journal`: the file is what JOURNAL_STREAM names.
    fn start(mut command: Command, says_journal: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let own = log.metadata().unwrap();
        // Another stream's name is there where this one is not the journal: children inherit the variable.
        let inode = if says_journal {
            own.ino()
        } else {
            own.ino() + 1
        };
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
        let what = format!("the log says {text:?}");
        wait_until(&what, PATIENCE, || self.text().contains(text));
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// How it ends, and what it wrote.
    fn end(&mut self) -> (ExitStatus, String) {
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

/// This test again, in a process of its own that plays a part.
fn again(test: &str, part: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", &format!("log::{test}")])
        .env(PART, part);
    command
}

fn is_part(part: &str) -> bool {
    std::env::var(PART).is_ok_and(|played| played == part)
}

/// As the applet begins; then a thread panics, while the main thread would wait for ever.
fn crash_on_a_thread() -> ! {
    log::to_stderr(0);
    crash::log_panics();
    crash::end_with_panic(|what| eprintln!("told: {what}"));
    assert_eq!(crash::contained(|| -> u8 { panic!("a library's") }), None);
    let worker = thread::Builder::new().name("worker".to_owned());
    let _worker = worker.spawn(|| panic!("on\npurpose")).unwrap();
    // Only the end of the program ends this.
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
fn a_panic_on_any_thread_is_told_and_ends_the_program() {
    const PANIC: &str = "panic";
    if is_part(PANIC) {
        crash_on_a_thread();
    }
    let test = "a_panic_on_any_thread_is_told_and_ends_the_program";
    for (says_journal, begin) in [(false, "ERROR "), (true, "<3>")] {
        let (status, log) = Logged::start(again(test, PANIC), says_journal).end();
        assert_eq!(status.signal(), Some(SIGABRT as i32), "{status}: {log}");
        let line = log.lines().find(|line| line.contains("crashed")).unwrap();
        let line = line.trim_start();
        let said = format!(
            "{begin}muxtray has crashed, which is a bug: on\\u{{a}}purpose, at {}:",
            file!()
        );
        assert!(line.starts_with(&said), "{log}");
        assert!(line.ends_with(", on thread worker"), "{log}");
        assert!(
            log.contains(&format!("told: on\\u{{a}}purpose, at {}:", file!())),
            "{log}"
        );
        assert!(
            !log.contains("a library's"),
            "what is contained is no news: {log}"
        );
    }
}

#[test]
fn a_command_that_panics_ends_with_a_status_of_its_own() {
    const PANIC: &str = "panic of a command";
    if is_part(PANIC) {
        log::to_stderr(0);
        crash::log_panics();
        panic!("on purpose");
    }
    let test = "a_command_that_panics_ends_with_a_status_of_its_own";
    let (status, log) = Logged::start(again(test, PANIC), false).end();
    assert_eq!(status.code(), Some(101), "{log}");
    assert!(
        log.contains("ERROR muxtray has crashed, which is a bug: on purpose"),
        "{log}"
    );
}

#[test]
fn in_the_journal_lines_have_priorities_and_elsewhere_levels() {
    for (says_journal, version, warning) in [
        (true, "<6>muxtray ", "<4>cannot reach the session bus"),
        (
            false,
            " INFO muxtray ",
            " WARN cannot reach the session bus",
        ),
    ] {
        let mut muxtray = Logged::start(muxtray_without_tray(), says_journal);
        muxtray.wait_for_text(warning);
        muxtray.signal(SIGTERM);
        let (status, log) = muxtray.end();
        assert_eq!(status.code(), Some(0), "{log}");
        let first = log.lines().next().unwrap();
        assert_eq!(first, format!("{version}{}", muxtray::VERSION), "{log}");
        for line in log.lines() {
            assert_eq!(line.starts_with('<'), says_journal, "{line}");
        }
    }
}

#[test]
fn an_engine_that_fails_ends_the_program() {
    // Too few descriptors for its loop.
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 5; exec \"$0\" run --no-tray"])
        .arg(program())
        .process_group(0);
    let (status, log) = Logged::start(command, false).end();
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("muxtray: the engine failed: "), "{log}");
}

#[test]
fn the_version_is_the_package_s_and_names_the_commit() {
    let version = env!("CARGO_PKG_VERSION");
    let told = muxtray::VERSION.strip_prefix(version).unwrap();
    let git = Path::new(env!("CARGO_MANIFEST_DIR")).join(".git");
    let commit = std::env::var("MUXTRAY_COMMIT").ok().or_else(|| head(&git));
    let Some(commit) = commit.filter(|commit| !commit.is_empty()) else {
        assert_eq!(told, "");
        return crate::support::skip(
            "the_version_is_the_package_s_and_names_the_commit",
            "this is no git checkout, or git is not installed",
        );
    };
    let short = told
        .strip_prefix(" (")
        .and_then(|told| told.strip_suffix(')'))
        .unwrap();
    assert!(
        short.len() >= 7 && commit.starts_with(short),
        "{told}, built from {commit}"
    );
    let printed = Command::new(program()).arg("--version").output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed, format!("muxtray {}\n", muxtray::VERSION));
}

/// What git says is checked out.
fn head(git: &Path) -> Option<String> {
    if !git.exists() {
        return None;
    }
    let said = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .output()
        .ok()?;
    said.status
        .success()
        .then(|| String::from_utf8(said.stdout).unwrap().trim().to_owned())
}
