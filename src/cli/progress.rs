//! How far a round of `ssh -G` has come, for a person at a terminal who would otherwise wonder.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tr::tr;

use crate::discover::Progress;

/// What is over sooner is not told.
const PATIENCE: Duration = Duration::from_millis(500);

/// Between two lines.
const PAUSE: Duration = Duration::from_millis(100);

/// Does it, and tells how far it has come on standard error if that is a terminal and it takes long. The line is gone
/// afterwards.
pub(super) fn telling<R>(work: impl FnOnce(Progress<'_>) -> R) -> R {
    if !io::stderr().is_terminal() {
        return work(&|_, _| {});
    }
    let due = Mutex::new(Instant::now() + PATIENCE);
    let is_told = Mutex::new(false);
    let result = work(&|answered, of| {
        let Ok(mut due) = due.try_lock() else {
            return;
        };
        let now = Instant::now();
        if now < *due {
            return;
        }
        *due = now + PAUSE;
        if let Ok(mut is_told) = is_told.lock() {
            *is_told = true;
        }
        let mut terminal = io::stderr();
        // A terminal that cannot be written to has nobody in front of it.
        let _ = write!(
            terminal,
            "\r{}",
            tr!(
                "ssh has answered for {answered} of {n} host"
                    | "ssh has answered for {answered} of {n} hosts" % of,
                answered
            )
        )
        .and_then(|()| terminal.flush());
    });
    if is_told.into_inner().unwrap_or_default() {
        let mut terminal = io::stderr();
        let _ = write!(terminal, "\r\x1b[K").and_then(|()| terminal.flush());
    }
    result
}
