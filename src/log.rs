//! The log on standard error. A line begins with its level, or in the journal with the priority prefix of sd-daemon(3),
//! which the journal removes, so that `journalctl -p warning` works. Lines have no time: the journal adds its own.

use std::fmt;
use std::io;

use nix::sys::stat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts the log; call it once, before anything is logged. `verbose` counts `-v`: 0 is warn, 1 info, 2 debug, 3 trace.
pub fn to_stderr(verbose: u8) {
    let level = match verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        // Reporting a failed write would use eprintln, which panics when the reader of a pipe has exited.
        .log_internal_errors(false)
        .with_ansi(false);
    if is_in_journal() {
        log.event_format(Prioritised).init();
    } else {
        log.without_time().with_target(false).init();
    }
}

pub fn is_in_journal() -> bool {
    is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref())
}

/// Compares with `JOURNAL_STREAM`, DEVICE:INODE of the stream that systemd made (systemd.exec(5)): children inherit the
/// variable even if their standard error is redirected.
fn is_journal(stream: Option<&str>) -> bool {
    let Ok(own) = stat::fstat(io::stderr()) else {
        return false;
    };
    stream == Some(format!("{}:{}", own.st_dev, own.st_ino).as_str())
}

struct Prioritised;

impl<S, N> FormatEvent<S, N> for Prioritised
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        context.format_fields(Writer::new(&mut text), event)?;
        let priority = priority(*event.metadata().level());
        // The journal takes each line as an entry.
        for line in text.lines() {
            writeln!(writer, "<{priority}>{line}")?;
        }
        Ok(())
    }
}

const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn logged(write: impl FnOnce()) -> String {
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_writer({
                let written = Arc::clone(&written);
                move || Sink(Arc::clone(&written))
            })
            .with_ansi(false)
            .event_format(Prioritised)
            .finish();
        tracing::subscriber::with_default(log, write);
        let written = written.lock().unwrap().clone();
        String::from_utf8(written).unwrap()
    }

    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_line_begins_with_the_priority_of_its_level() {
        let text = logged(|| {
            tracing::error!("a bug");
            tracing::warn!(path = "/s/web", "the world");
            tracing::info!("web\nmaster running\npid 7");
            tracing::debug!("small");
            tracing::trace!("smaller");
        });
        assert_eq!(
            text,
            "<3>a bug\n<4>the world path=\"/s/web\"\n<6>web\n<6>master running\n<6>pid 7\n<7>small\n<7>smaller\n"
        );
    }

    #[test]
    fn journal_stream_must_be_standard_error() {
        for stream in [None, Some(""), Some("1"), Some("0:0"), Some("a:b")] {
            assert!(!is_journal(stream), "{stream:?}");
        }
        let own = stat::fstat(io::stderr()).unwrap();
        assert!(is_journal(Some(&format!("{}:{}", own.st_dev, own.st_ino))));
    }
}
