//! Starts programs of the desktop, which live on when muxtray ends.

use std::env;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::ssh::deferred_signals::with_signals_unblocked;
use crate::files;
use crate::unconfined::{self, APPLET_ENVIRONMENT, Lifetime};

/// Starts the program in a process group of its own and without its output; it reads this text from its standard input.
/// Returns its exit status, or `None` if it still runs after `limit`.
pub fn start(mut command: Command, input: &str, limit: Duration) -> io::Result<Option<ExitStatus>> {
    for (name, _) in APPLET_ENVIRONMENT {
        command.env_remove(name);
    }
    let mut command = unconfined::command(command, Lifetime::Unlimited);
    let input = input.to_owned();
    command
        .stdin(if input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let mut child = with_signals_unblocked(|| command.spawn())?;
    let (sender, ended) = mpsc::channel();
    let wait = move || {
        if let Some(mut stdin) = child.stdin.take() {
            // The exit status shows whether a program that ends without reading has failed.
            let _ = stdin.write_all(input.as_bytes());
        }
        sender.send(child.wait())
    };
    // Waits as long as the program runs, so that it leaves no zombie. Nothing waits for this thread.
    thread::Builder::new()
        .name("program".to_owned())
        .spawn(wait)?;
    ended.recv_timeout(limit).ok().transpose()
}

/// Returns whether `$PATH` contains this program, or it is the path of one.
pub fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| files::is_program(&directory.join(program)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::sys::signal::SigSet;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    /// The engine blocks SIGTERM, SIGINT and SIGHUP on all threads. (A shell would unblock them.)
    #[test]
    fn program_has_no_signal_blocked() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("status");
        let mut command = Command::new("cp");
        command.arg("/proc/self/status").arg(&file);
        let status = thread::scope(|scope| {
            let start = || {
                SigSet::all().thread_block().unwrap();
                start(command, "", LONG)
            };
            scope.spawn(start).join().unwrap()
        });
        assert!(status.unwrap().unwrap().success());
        let written = fs::read_to_string(file).unwrap();
        assert!(
            written.contains("\nSigBlk:\t0000000000000000\n"),
            "{written}"
        );
    }

    #[test]
    fn program_reads_its_input() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("input");
        for input in ["", "text\n"] {
            let mut command = Command::new("tee");
            command.arg(&file);
            let status = start(command, input, LONG);
            assert!(status.unwrap().unwrap().success());
            assert_eq!(fs::read_to_string(&file).unwrap(), input);
        }
    }
}
