//! Reads the kernel's table of unix sockets from the best source that works, and logs a change to a worse one.

use std::io;

use tracing::warn;

use super::unix_table::UnixTable;
use super::{filesystem, proc_net_unix, sock_diag};
use crate::model::observation::Table;
use crate::transient_error::is_transient;

#[derive(Debug)]
pub(super) struct TableReader {
    sources: Sources,
    last_source: Option<Table>,
    transient_failure: Option<String>,
}

/// The ways to read the table, the best first; others in tests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources {
    pub(super) sock_diag: fn() -> io::Result<UnixTable>,
    pub(super) proc_net_unix: fn() -> io::Result<UnixTable>,
}

impl Sources {
    pub(super) fn of_kernel() -> Self {
        Self {
            sock_diag: sock_diag::dump,
            proc_net_unix: proc_net_unix::read_own,
        }
    }
}

impl TableReader {
    pub(super) fn new(sources: Sources) -> Self {
        Self {
            sources,
            last_source: None,
            transient_failure: None,
        }
    }

    /// Returns an empty table if no source works.
    pub(super) fn read(&mut self) -> UnixTable {
        self.transient_failure = None;
        let (table, problem) = match (self.sources.sock_diag)() {
            Ok(table) => (table, None),
            Err(error) => match (self.sources.proc_net_unix)() {
                Ok(table) => (table, Some(format!("by sock_diag: {error}"))),
                Err(other) => {
                    let transient = is_transient(&other);
                    self.transient_failure = transient.then(|| filesystem::text_of(&other));
                    let consequence = if transient {
                        "listeners are unknown"
                    } else {
                        "connecting to every socket instead"
                    };
                    let both = format!("by sock_diag ({error}) or /proc/net/unix ({other})");
                    (UnixTable::none(), Some(format!("{both}: {consequence}")))
                }
            },
        };
        if let Some(problem) = problem
            && self.last_source != Some(table.source())
        {
            warn!("cannot read the socket table {problem}");
        }
        self.last_source = Some(table.source());
        table
    }

    /// The text of the error, if the last read failed for a reason that may pass.
    pub(super) fn transient_failure(&self) -> Option<&str> {
        self.transient_failure.as_deref()
    }
}
