//! Copies text with wl-copy, xclip or xsel. These keep the text available after muxtray has exited.

use std::env;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use muxtray::decide::intent::Intent;
use muxtray::model::text;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The limit for the program to read the text; it then continues in the background.
const LIMIT: Duration = Duration::from_secs(3);

/// The programs in order of preference, each with the variable that names its display.
const TOOLS: [Tool; 3] = [
    // If no type is given, wl-copy starts other programs to detect it.
    Tool::new("WAYLAND_DISPLAY", "wl-copy", &["--type", "text/plain"]),
    Tool::new("DISPLAY", "xclip", &["-selection", "clipboard", "-in"]),
    Tool::new("DISPLAY", "xsel", &["--clipboard", "--input"]),
];

/// A program that puts text on the clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tool {
    display: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("{0} cannot be run: {1}")]
    NotRun(&'static str, io::Error),
    #[error("{0} ended with {1}")]
    Failed(&'static str, ExitStatus),
    #[error("{0} did not read the text in time")]
    TimedOut(&'static str),
}

impl Tool {
    const fn new(
        display: &'static str,
        program: &'static str,
        arguments: &'static [&'static str],
    ) -> Self {
        Self {
            display,
            program,
            arguments,
        }
    }

    /// Returns the first installed program whose display variable is set.
    pub(crate) fn find() -> Option<Self> {
        TOOLS
            .into_iter()
            .find(|tool| is_set(tool.display) && is_installed(tool.program))
    }

    /// Copies the text on a new thread, which then calls `done` with the result.
    pub(crate) fn copy(
        self,
        text: String,
        done: impl FnOnce(String, Result<(), CopyError>) + Send + 'static,
    ) {
        let copy = move || {
            let copied = self.put(&text);
            done(text, copied);
        };
        let copying = thread::Builder::new().name("copy".to_owned()).spawn(copy);
        if let Err(error) = copying {
            tracing::warn!("no thread for the clipboard: {error}");
        }
    }

    fn put(self, text: &str) -> Result<(), CopyError> {
        let not_run = |error| CopyError::NotRun(self.program, error);
        let mut child = Command::new(self.program)
            .args(self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // In its own process group it survives muxtray.
            .process_group(0)
            .spawn()
            .map_err(not_run)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that exits without reading fails below. A path or a command never fills the pipe.
            let _ = stdin.write_all(text.as_bytes());
        }
        let status = self.wait(&mut child)?;
        if status.success() {
            Ok(())
        } else {
            Err(CopyError::Failed(self.program, status))
        }
    }

    fn wait(self, child: &mut Child) -> Result<ExitStatus, CopyError> {
        let not_run = |error| CopyError::NotRun(self.program, error);
        let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty())
            .map_err(|error| not_run(error.into()))?;
        let mut ended = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        let limit = PollTimeout::try_from(LIMIT).unwrap_or(PollTimeout::MAX);
        if poll(&mut ended, limit).map_err(|error| not_run(error.into()))? == 0 {
            // The process has not been reaped, so its process id cannot have been reused.
            let _ = child.kill();
            let _ = child.wait();
            return Err(CopyError::TimedOut(self.program));
        }
        child.wait().map_err(not_run)
    }
}

/// Returns the text that an intent copies, or `None` if the intent copies nothing.
///
/// A path that is not UTF-8 is quoted for a shell, because it cannot be pasted as it is.
pub(crate) fn text_to_copy(intent: &Intent) -> Option<String> {
    match intent {
        Intent::Copy(path) => Some(match path.to_str() {
            Some(path) => path.to_owned(),
            None => text::shell_word(path.as_os_str()),
        }),
        Intent::CopyText(text) => Some(text.clone()),
        _ => None,
    }
}

fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// Returns whether `PATH` contains this program.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| is_program(&directory.join(program)))
}

fn is_program(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok() && path.is_file()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn reports_failed_program() {
        for (program, arguments, word) in [
            ("/nonexistent/xclip", &[][..], "cannot be run"),
            ("/bin/sh", &["-c", "exit 3"][..], "ended with"),
        ] {
            let (sender, copied) = mpsc::channel();
            Tool::new("DISPLAY", program, arguments).copy(
                "text".to_owned(),
                move |text, outcome| {
                    sender.send((text, outcome)).unwrap();
                },
            );
            let (text, outcome) = copied.recv_timeout(LIMIT * 2).unwrap();
            let error = outcome.unwrap_err().to_string();
            assert!(text == "text" && error.contains(word), "{error}");
        }
    }

    #[test]
    fn program_reads_text_from_stdin() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("clipboard");
        let script: &'static str = Box::leak(format!("cat > {}", file.display()).into_boxed_str());
        let arguments: &'static [&'static str] = Box::leak(Box::new(["-c", script]));
        Tool::new("DISPLAY", "/bin/sh", arguments)
            .put("a path\n")
            .unwrap();
        assert_eq!(std::fs::read_to_string(file).unwrap(), "a path\n");
    }

    #[test]
    fn quotes_path_that_is_not_utf8() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(OsStr::from_bytes(b"/s/\xff")).to_owned();
        assert_eq!(
            text_to_copy(&Intent::Copy(path)).as_deref(),
            Some("$'/s/\\xff'")
        );
        assert_eq!(
            text_to_copy(&Intent::Copy("/s/a b".into())).as_deref(),
            Some("/s/a b")
        );
        assert_eq!(text_to_copy(&Intent::Quit), None);
    }
}
