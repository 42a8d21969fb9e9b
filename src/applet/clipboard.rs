//! The clipboard by a program of the desktop's: wl-copy, xclip or xsel. It keeps what it was given after muxtray has
//! ended, too.

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

/// How long the program may take until it has the text. Then it goes on by itself.
const LIMIT: Duration = Duration::from_secs(3);

/// The programs, best first: the variable with the display they work on, and what they are told.
const TOOLS: [Tool; 3] = [
    // Without the type it would start others to find out what the text is.
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

/// Why the text is not on the clipboard.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    /// It could not be run.
    #[error("{0} cannot be run: {1}")]
    NotRun(&'static str, io::Error),
    /// It said that it could not.
    #[error("{0} ended with {1}")]
    Failed(&'static str, ExitStatus),
    /// It did not take the text in time.
    #[error("{0} did not take it in time")]
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

    /// The one for the display there is, if it is installed.
    pub(crate) fn find() -> Option<Self> {
        TOOLS
            .into_iter()
            .find(|tool| is_set(tool.display) && is_installed(tool.program))
    }

    /// Copies the text on a thread of its own, and says there what came of it.
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
            // What becomes of it is not to end with muxtray.
            .process_group(0)
            .spawn()
            .map_err(not_run)?;
        if let Some(mut stdin) = child.stdin.take() {
            // What does not read ends, or is ended below. A path or a command never fills the pipe.
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
            // It has not been waited for, so its id is still its own.
            let _ = child.kill();
            let _ = child.wait();
            return Err(CopyError::TimedOut(self.program));
        }
        child.wait().map_err(not_run)
    }
}

/// What is to be copied where a click asks for that.
///
/// A path that is no text cannot be pasted as it is; the quoted form means the same path to a shell.
pub(crate) fn wanted(intent: &Intent) -> Option<String> {
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

/// Whether this is a program that a command finds.
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
    fn what_fails_says_so() {
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
    fn it_gets_the_text() {
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
    fn a_path_that_is_no_text_is_quoted() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(OsStr::from_bytes(b"/s/\xff")).to_owned();
        assert_eq!(wanted(&Intent::Copy(path)).as_deref(), Some("$'/s/\\xff'"));
        assert_eq!(
            wanted(&Intent::Copy("/s/a b".into())).as_deref(),
            Some("/s/a b")
        );
        assert_eq!(wanted(&Intent::Quit), None);
    }
}
