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

/// What is known of the menu on the panel, beside whether one of its submenus is open.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// Since when a submenu is open.
    since: Option<Instant>,
    /// Until when the top menu counts as open.
    until: Option<Instant>,
}

impl Patience {
    /// A submenu was opened.
    pub(crate) fn opened(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// The last open submenu was closed.
    pub(crate) fn closed(&mut self, now: Instant) {
        if let Some(since) = self.since.take()
            && now.duration_since(since) > BLINK
        {
            self.until = Some(now + SETTLE);
        }
    }

    /// How long rows that come and go are to wait before they ask again; `None`: they need not.
    pub(crate) fn wait(&mut self, submenu_open: bool, now: Instant) -> Option<Duration> {
        if !submenu_open {
            let left = self.until?.saturating_duration_since(now);
            return (!left.is_zero()).then_some(left);
        }
        let since = *self.since.get_or_insert(now);
        let left = (since + LIMIT).saturating_duration_since(now);
        if left.is_zero() {
            // From here on it counts as closed, until it is opened again.
            *self = Self::default();
            return None;
        }
        // It closes and settles without a word, so ask again soon enough to see it.
        Some(left.min(SETTLE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_closed_menu_waits_for_nobody() {
        assert_eq!(Patience::default().wait(false, Instant::now()), None);
    }

    #[test]
    fn an_open_menu_is_left_alone_and_for_a_moment_after() {
        let start = Instant::now();
        let mut patience = Patience::default();
        patience.opened(start);
        assert!(patience.wait(true, start + 9 * SECOND).is_some());
        let closed = start + 10 * SECOND;
        patience.closed(closed);
        assert_eq!(patience.wait(false, closed), Some(SETTLE));
        assert_eq!(patience.wait(false, closed + SETTLE), None);
    }

    #[test]
    fn the_next_submenu_prolongs_the_visit() {
        let start = Instant::now();
        let mut patience = Patience::default();
        patience.opened(start);
        patience.closed(start + SECOND);
        patience.opened(start + 2 * SECOND);
        assert!(patience.wait(true, start + 9 * SECOND).is_some());
        patience.closed(start + 10 * SECOND);
        assert_eq!(patience.wait(false, start + 11 * SECOND), Some(2 * SECOND));
    }

    #[test]
    fn patience_ends() {
        let start = Instant::now();
        let mut patience = Patience::default();
        patience.opened(start);
        assert_eq!(patience.wait(true, start + LIMIT), None);
        assert_eq!(patience.wait(false, start + LIMIT), None);
    }

    #[test]
    fn a_blink_is_nobody() {
        let start = Instant::now();
        let mut patience = Patience::default();
        patience.opened(start);
        assert_eq!(patience.wait(false, start), None);
        patience.closed(start + Duration::from_millis(1));
        assert_eq!(patience.wait(false, start + Duration::from_millis(2)), None);
    }
}
