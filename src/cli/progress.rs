//! The progress of `ssh -G` for many hosts, on a terminal.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write as _};
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
    let due = Cell::new(Instant::now() + DELAY);
    let is_shown = Cell::new(false);
    let result = work(&|answered, total| {
        let now = Instant::now();
        if now < due.get() {
            return;
        }
        due.set(now + UPDATE_INTERVAL);
        is_shown.set(true);
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
    if is_shown.get() {
        let mut terminal = io::stderr();
        let _ = write!(terminal, "\r\x1b[K").and_then(|()| terminal.flush());
    }
    result
}
