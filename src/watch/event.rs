use std::time::Duration;

/// How long an ssh that runs `Match exec` commands or resolves names usually takes until its master has another forwarding.
const FORWARDS_WITHIN: Duration = Duration::from_millis(500);

/// How long an ssh usually takes from reading its configuration to an open session. It resolves names and runs
/// `Match exec` commands.
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// How long after a change of the network unacknowledged data usually makes a master suspect: it was retransmitted several
/// times by then ([`crate::diagnose::network::SUSPECT_AFTER`]).
const LOST_WITHIN: Duration = Duration::from_secs(5);

/// A change after which a new scan can differ from the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A file, directory, process, mount or the clock changed.
    Changed,
    /// An address, link or route changed.
    Network,
    /// Somebody opened the ssh configuration, as every ssh does when it starts.
    SshStarting,
}

impl Event {
    /// Returns the times after which consequences usually show that are later than the event and cause none themselves.
    #[must_use]
    pub(super) const fn consequences_after(self) -> [Option<Duration>; 2] {
        match self {
            Self::Changed => [None, None],
            Self::Network => [Some(LOST_WITHIN), None],
            Self::SshStarting => [Some(FORWARDS_WITHIN), Some(CONNECTS_WITHIN)],
        }
    }
}
