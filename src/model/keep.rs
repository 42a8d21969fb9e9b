//! Keeping a master open beyond its ControlPersist time.

use std::time::{Duration, SystemTime};

/// The time for which a person asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeepTime {
    For(Duration),
    UntilQuit,
}

impl KeepTime {
    pub const HOUR: Self = Self::For(Duration::from_secs(60 * 60));

    pub fn until(self, now: SystemTime) -> KeptUntil {
        match self {
            Self::For(time) => KeptUntil::Time(now + time),
            Self::UntilQuit => KeptUntil::Quit,
        }
    }
}

/// How long this process keeps a master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptUntil {
    /// By the wall clock, which a suspended machine does not stop.
    Time(SystemTime),
    Quit,
}
