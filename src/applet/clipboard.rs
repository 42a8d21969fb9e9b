//! Copies text with wl-copy, xclip or xsel. These keep the text available after muxtray has exited.

use std::env;
use std::process::Command;
use std::thread;
use std::time::Duration;

use muxtray::actions::desktop_program::{self, is_installed};
use muxtray::decide::intent::Intent;
use muxtray::model::text;

/// How long the program may take to read the text; it then continues in the background.
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

    /// Returns the first installed program that has a display.
    pub(crate) fn find() -> Option<Self> {
        TOOLS
            .into_iter()
            .find(|tool| is_set(tool.display) && is_installed(tool.program))
    }

    /// Copies the text on a new thread. If that fails, logs the reason and calls `failed` with the text.
    pub(crate) fn copy(self, text: String, failed: impl FnOnce(String) + Send + 'static) {
        let copy = move || {
            if let Err(error) = self.put(&text) {
                tracing::warn!("not on the clipboard: {error}");
                failed(text);
            }
        };
        let copying = thread::Builder::new().name("copy".to_owned()).spawn(copy);
        if let Err(error) = copying {
            tracing::warn!("no thread for the clipboard: {error}");
        }
    }

    fn put(self, text: &str) -> Result<(), String> {
        let program = self.program;
        let mut command = Command::new(program);
        command.args(self.arguments);
        match desktop_program::start(command, text, LIMIT) {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) => Err(format!("{program} ended with {status}")),
            Ok(None) => Err(format!("{program} did not read the text in time")),
            Err(error) => Err(format!("{program} cannot be run: {error}")),
        }
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn reports_failed_program() {
        for (program, arguments, word) in [
            ("/nonexistent/xclip", &[][..], "cannot be run"),
            ("/bin/sh", &["-c", "exit 3"][..], "ended with"),
        ] {
            let tool = Tool::new("DISPLAY", program, arguments);
            let error = tool.put("text").unwrap_err();
            assert!(error.contains(word), "{error}");
            let (sender, failed) = mpsc::channel();
            tool.copy("text".to_owned(), move |text| sender.send(text).unwrap());
            let limit = Duration::from_secs(10);
            assert_eq!(failed.recv_timeout(limit).unwrap(), "text");
        }
    }

    #[test]
    fn quotes_path_that_is_not_utf8() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(OsStr::from_bytes(b"/s/\xff")).to_owned();
        assert_eq!(
            text_to_copy(&Intent::Copy(path)).as_deref(),
            Some("$'/s/\\377'")
        );
        assert_eq!(
            text_to_copy(&Intent::Copy("/s/a b".into())).as_deref(),
            Some("/s/a b")
        );
        assert_eq!(text_to_copy(&Intent::Quit), None);
    }
}
