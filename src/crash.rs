//! Panics: each is logged as one line. In the applet a panic on any thread also shows a notification and aborts the
//! program, since an icon without its engine thread would look healthy.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::model::text;

type Notify = Box<dyn Fn(&str) + Send + Sync>;

static NOTIFY: OnceLock<Notify> = OnceLock::new();

static IS_ABORTING: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Logs every panic from now on as one line, with its thread and place. Call it once, after the log is started.
pub fn log_panics() {
    panic::set_hook(Box::new(on_panic));
}

/// From now on a panic on any thread calls `notify` with its description, and then aborts the program with SIGABRT,
/// which systemd and crash reporters recognise. `notify` must return soon. A second call has no effect.
pub fn abort_on_panic(notify: impl Fn(&str) + Send + Sync + 'static) {
    let _ = NOTIFY.set(Box::new(notify));
}

/// Returns the result of `work`, or `None` if it panics: for libraries that panic instead of returning an error. Such a
/// panic is logged at debug level and does not end the program.
pub fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    let outer = IS_CONTAINED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    IS_CONTAINED.set(outer);
    outcome.ok()
}

fn on_panic(panic: &PanicHookInfo<'_>) {
    let description = described(panic);
    if IS_CONTAINED.get() {
        tracing::debug!("a library panicked; ignored: {description}");
        return;
    }
    tracing::error!("muxtray has crashed, which is a bug: {description}");
    let trace = std::backtrace::Backtrace::capture();
    if trace.status() == std::backtrace::BacktraceStatus::Captured {
        tracing::error!("{trace}");
    }
    // A second panic meanwhile is only logged.
    if let Some(notify) = NOTIFY.get()
        && !IS_ABORTING.swap(true, Ordering::AcqRel)
    {
        notify(&description);
        process::abort();
    }
}

/// "index out of bounds …, at src/engine/scan.rs:7, on thread engine", as one printable line.
fn described(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let message = match (
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
    text::line(&format!("{message}{place}, on thread {thread}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contained_panic_returns_none() {
        assert_eq!(contained(|| 7), Some(7));
        // The test harness's own hook prints this one.
        assert_eq!(contained(|| -> i32 { panic!("on purpose") }), None);
        assert!(!IS_CONTAINED.get());
        assert_eq!(
            contained(|| contained(|| IS_CONTAINED.get())),
            Some(Some(true))
        );
    }
}
