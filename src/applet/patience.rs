//! When an open menu may change its rows: as long as a person is in it, not at all. Pure; the time is an argument.
//!
//! What is known of the menu on the panel is that its submenus open and close. Of the top menu a panel says nothing,
//! so it counts as open for a moment after its last submenu has closed: the pointer is on its way to the next.

use std::time::{Duration, Instant};

/// The longest wait. A panel that dies never says that it closed a menu, and a person who looks at one for this long
/// wants to see what is true.
const LIMIT: Duration = Duration::from_secs(60);

/// How long the top menu counts as open after its last submenu has closed.
const SETTLE: Duration = Duration::from_secs(3);

/// No hand opens and closes a menu within this time. AppIndicator does, with each submenu that is put in.
const BLINK: Duration = Duration::from_millis(20);

/// What is known of the menu on the panel.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// How many submenus are open.
    open: usize,
    /// When the first of them was opened.
    since: Option<Instant>,
    /// Until when the top menu counts as open.
    until: Option<Instant>,
}

impl Patience {
    /// A submenu was opened.
    pub(crate) fn opened(&mut self, now: Instant) {
        if self.open == 0 {
            self.since = Some(now);
        }
        self.open += 1;
    }

    /// A submenu was closed.
    pub(crate) fn closed(&mut self, now: Instant) {
        self.open = self.open.saturating_sub(1);
        if self.open == 0
            && let Some(since) = self.since.take()
            && now.duration_since(since) > BLINK
        {
            self.until = Some(now + SETTLE);
        }
    }

    /// How long rows that come and go are to wait before they ask again; `None`: they need not.
    pub(crate) fn wait(&mut self, now: Instant) -> Option<Duration> {
        if let Some(since) = self.since {
            let left = (since + LIMIT).saturating_duration_since(now);
            if left.is_zero() {
                // From here on it counts as closed, until it is opened again.
                *self = Self::default();
                return None;
            }
            // Nobody tells when it is closed and settled, so ask again soon enough to see it.
            return Some(left.min(SETTLE));
        }
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_menu_waits_for_nobody() {
        assert_eq!(Patience::default().wait(Instant::now()), None);
    }

    #[test]
    fn an_open_menu_is_left_alone_and_for_a_moment_after() {
        let start = Instant::now();
        let mut patience = Patience::default();
        patience.opened(start);
        assert!(patience.wait(start + Duration::from_secs(9)).is_some());
        let closed = start + Duration::from_secs(10);
        patience.closed(closed);
        assert_eq!(patience.wait(closed), Some(SETTLE));
        assert_eq!(patience.wait(closed + SETTLE), None);
    }

    #[test]
    fn going_from_one_submenu_to_the_next_is_one_visit() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut patience = Patience::default();
        patience.opened(start);
        patience.opened(start + second);
        patience.closed(start + 2 * second);
        assert!(patience.wait(start + 2 * second).is_some());
        patience.closed(start + 3 * second);
        patience.opened(start + 4 * second);
        assert!(patience.wait(start + 9 * second).is_some());
    }

    #[test]
    fn patience_ends() {
        let start = Instant::now();
        let mut patience = Patience::default();
        patience.opened(start);
        assert_eq!(patience.wait(start + LIMIT), None);
        assert_eq!(patience.wait(start + LIMIT + SETTLE), None);
    }

    #[test]
    fn a_blink_is_nobody() {
        let start = Instant::now();
        let mut patience = Patience::default();
        patience.opened(start);
        patience.closed(start + Duration::from_millis(1));
        assert_eq!(patience.wait(start + Duration::from_millis(2)), None);
    }
}
