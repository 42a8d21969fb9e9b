//! What becomes of a panic, which is a bug of ours: one line in the log, and where a desktop is around the program, its
//! end. A dead thread behind a living icon would be silence.
//!
//! It knows nothing of who else is to be told: that comes as a function.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::model::text;

/// Tells a person of the crash; has to return soon.
type Tell = Box<dyn Fn(&str) + Send + Sync>;

/// Set where a panic is the end of the program.
static TELL: OnceLock<Tell> = OnceLock::new();

/// Whether the end has begun.
static ENDING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether a panic on this thread is caught at once.
    static IS_CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Has every panic from now on logged as one line, with its thread and place.
///
/// To be called once, after the log is set up.
pub fn log_panics() {
    panic::set_hook(Box::new(on_panic));
}

/// Has a panic on any thread end the program from now on, after `tell` was called with what happened. The end is
/// SIGABRT, which systemd and crash reporters know for what it is; nothing else of the program runs then.
pub fn end_with_panic(tell: impl Fn(&str) + Send + Sync + 'static) {
    // A second call would mean the same.
    let _ = TELL.set(Box::new(tell));
}

/// What `work` returns, or `None` where it panics: for calls into libraries that panic where an error would do. Such a
/// panic ends nothing, and is told only to who debugs.
pub fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    let outer = IS_CONTAINED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    IS_CONTAINED.set(outer);
    outcome.ok()
}

fn on_panic(panic: &PanicHookInfo<'_>) {
    let what = described(panic);
    if IS_CONTAINED.get() {
        tracing::debug!("a library panicked, which changes nothing else: {what}");
        return;
    }
    tracing::error!("muxtray has crashed, which is a bug: {what}");
    let trace = std::backtrace::Backtrace::capture();
    if trace.status() == std::backtrace::BacktraceStatus::Captured {
        tracing::error!("{trace}");
    }
    let Some(tell) = TELL.get() else {
        return;
    };
    // Who panics while another thread's panic is told has been logged, and ends with the rest.
    if !ENDING.swap(true, Ordering::AcqRel) {
        tell(&what);
        process::abort();
    }
}

/// "index out of bounds …, at src/engine/look.rs:7, on thread `engine`", as one printable line.
fn described(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let what = match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => text,
        (None, Some(text)) => text.as_str(),
        (None, None) => "no message",
    };
    let place = panic.location().map_or_else(String::new, |location| {
        format!(", at {}:{}", location.file(), location.line())
    });
    let thread = thread::current();
    let thread = thread.name().unwrap_or("without a name");
    text::line(&format!("{what}{place}, on thread {thread}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_contained_returns() {
        assert_eq!(contained(|| 7), Some(7));
        assert!(!IS_CONTAINED.get());
    }

    #[test]
    fn containing_ends_with_the_work_even_if_that_panics() {
        // The test harness's own hook prints this one.
        assert_eq!(contained(|| -> i32 { panic!("on purpose") }), None);
        assert!(!IS_CONTAINED.get());
        assert_eq!(
            contained(|| contained(|| IS_CONTAINED.get())),
            Some(Some(true))
        );
    }
}
