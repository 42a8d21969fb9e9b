//! A helper for the unit tests of several modules.

use std::io::Write as _;

/// Prints on standard error that a test, or a part of it, did not run, and why. The test harness hides the output of
/// `eprintln!` when a test passes.
pub(crate) fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}
