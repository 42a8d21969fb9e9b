//! The progress of `ssh -G` for many hosts, on a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tr::tr;

use crate::discover::Progress;

/// Shorter operations show no progress.
const DELAY: Duration = Duration::from_millis(500);

const UPDATE_INTERVAL: Duration = Duration::from_millis(100);

/// Runs `work` and shows its progress on standard error if that is a terminal. The line is removed afterwards.
pub(super) fn shown_during<R>(work: impl FnOnce(Progress<'_>) -> R) -> R {
    if !io::stderr().is_terminal() {
        return work(&|_, _| {});
    }
    let due = Mutex::new(Instant::now() + DELAY);
    let is_shown = Mutex::new(false);
    let result = work(&|answered, total| {
        let Ok(mut due) = due.try_lock() else {
            return;
        };
        let now = Instant::now();
        if now < *due {
            return;
        }
        *due = now + UPDATE_INTERVAL;
        if let Ok(mut is_shown) = is_shown.lock() {
            *is_shown = true;
        }
        let mut terminal = io::stderr();
        let _ = write!(
            terminal,
            "\r{}",
            tr!(
                "read the ssh configuration of {answered} of {n} host"
                    | "read the ssh configuration of {answered} of {n} hosts" % total,
                answered
            )
        )
        .and_then(|()| terminal.flush());
    });
    if is_shown.into_inner().unwrap_or_default() {
        let mut terminal = io::stderr();
        let _ = write!(terminal, "\r\x1b[K").and_then(|()| terminal.flush());
    }
    result
}
