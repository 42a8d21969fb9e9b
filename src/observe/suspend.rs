//! How long the machine has slept.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// How long the machine has slept since it started: CLOCK_BOOTTIME runs on in sleep, CLOCK_MONOTONIC does not.
#[must_use]
pub fn time_asleep() -> Duration {
    let now = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
    now(ClockId::CLOCK_BOOTTIME).saturating_sub(now(ClockId::CLOCK_MONOTONIC))
}
