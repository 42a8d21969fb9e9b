use std::time::Duration;

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
    /// Returns the time after which its consequence usually shows, if that is later than the event and causes none itself.
    #[must_use]
    pub const fn consequence_after(self) -> Option<Duration> {
        match self {
            Self::Changed => None,
            Self::Network => Some(LOST_WITHIN),
            Self::SshStarting => Some(CONNECTS_WITHIN),
        }
    }
}
