//! When an open menu may change its rows: while one of its submenus is open, not at all. Pure; the time is an argument.
//!
//! Panels report that submenus open and close, and nothing of the top menu. So the top menu counts as open for a moment
//! after its last submenu has closed: the pointer may be on its way to the next one.

use std::time::{Duration, Instant};

/// The longest wait. A panel that dies never reports that a menu was closed, and a person who looks at a menu for this
/// long wants to see the current state.
const LIMIT: Duration = Duration::from_secs(60);

/// How long the top menu counts as open after its last submenu has closed.
const SETTLE: Duration = Duration::from_secs(3);

/// How long after a submenu has closed a click on its rows may arrive: panels close the menu first and report the click
/// then.
const LATE_CLICK: Duration = Duration::from_millis(300);

/// No hand opens and closes a menu within this time. AppIndicator does, with each submenu that is put in.
const BLINK: Duration = Duration::from_millis(20);

/// The rows that may come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changeable {
    /// All.
    All,
    /// Those of submenus. Ask again after this time.
    BelowTop(Duration),
    /// None. Ask again after this time.
    None(Duration),
}

/// What is known of the menu on the panel, beside whether one of its submenus is open.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// Since when a submenu is open.
    since: Option<Instant>,
    /// When the last open submenu was closed.
    closed: Option<Instant>,
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
            self.closed = Some(now);
        }
    }

    /// The rows that may come and go now.
    pub(crate) fn changeable(&mut self, submenu_open: bool, now: Instant) -> Changeable {
        if !submenu_open {
            let Some(closed) = self.closed else {
                return Changeable::All;
            };
            let left = |after: Duration| {
                let left = (closed + after).saturating_duration_since(now);
                (!left.is_zero()).then_some(left)
            };
            return match (left(LATE_CLICK), left(SETTLE)) {
                (Some(left), _) => Changeable::None(left),
                (None, Some(left)) => Changeable::BelowTop(left),
                (None, None) => Changeable::All,
            };
        }
        let since = *self.since.get_or_insert(now);
        let left = (since + LIMIT).saturating_duration_since(now);
        if left.is_zero() {
            // From here on it counts as closed, until it is opened again.
            *self = Self::default();
            return Changeable::All;
        }
        // Xfce's panel does not report every closing, so ask again soon.
        Changeable::None(left.min(SETTLE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn all_rows_of_a_closed_menu() {
        let changeable = Patience::default().changeable(false, Instant::now());
        assert_eq!(changeable, Changeable::All);
    }

    #[test]
    fn no_row_while_a_submenu_is_open_and_those_of_the_top_menu_last() {
        let start = Instant::now();
        let mut patience = Patience::default();
        patience.opened(start);
        assert_eq!(
            patience.changeable(true, start + 9 * SECOND),
            Changeable::None(SETTLE)
        );
        let closed = start + 10 * SECOND;
        patience.closed(closed);
        for (after, changeable) in [
            (Duration::ZERO, Changeable::None(LATE_CLICK)),
            (LATE_CLICK, Changeable::BelowTop(SETTLE - LATE_CLICK)),
            (SETTLE, Changeable::All),
        ] {
            assert_eq!(patience.changeable(false, closed + after), changeable);
        }
    }

    #[test]
    fn the_next_submenu_begins_anew() {
        let start = Instant::now();
        let mut patience = Patience::default();
        patience.opened(start);
        patience.closed(start + SECOND);
        patience.opened(start + 2 * SECOND);
        assert_eq!(
            patience.changeable(true, start + 9 * SECOND),
            Changeable::None(SETTLE)
        );
        patience.closed(start + 10 * SECOND);
        assert_eq!(
            patience.changeable(false, start + 11 * SECOND),
            Changeable::BelowTop(2 * SECOND)
        );
    }

    #[test]
    fn all_rows_at_the_limit() {
        let start = Instant::now();
        let mut patience = Patience::default();
        patience.opened(start);
        for submenu_open in [true, false] {
            let changeable = patience.changeable(submenu_open, start + LIMIT);
            assert_eq!(changeable, Changeable::All);
        }
    }

    #[test]
    fn a_blink_is_no_visit() {
        let start = Instant::now();
        let mut patience = Patience::default();
        patience.opened(start);
        patience.closed(start + Duration::from_millis(1));
        let changeable = patience.changeable(false, start + Duration::from_millis(2));
        assert_eq!(changeable, Changeable::All);
    }
}
