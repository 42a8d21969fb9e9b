//! The rows that may be inserted or removed while the menu may be open. Pure; the time is an argument.
//!
//! All panels report opened and closed submenus, but only some report the top menu. If the panel does not, the top menu
//! counts as open for a few seconds after its last submenu has closed: the user may be moving the pointer to the next
//! one.

use std::time::{Duration, Instant};

use muxtray::desktop::menu::Changeable;

use crate::open_menu_times::{LATE_CLICK, LIMIT, TOP_MENU_STAYS};

/// AppIndicator opens and closes each inserted submenu within this time; no user is that fast.
const SPURIOUS_OPENING: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(crate) struct OpenMenu {
    /// When a submenu was opened.
    since: Option<Instant>,
    /// When the last open submenu was closed.
    closed: Option<Instant>,
    /// Whether the top menu is open, if the panel reports it.
    top: Option<bool>,
}

impl OpenMenu {
    pub(crate) fn opened(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    pub(crate) fn top_opened(&mut self, now: Instant) {
        self.top = Some(true);
        self.opened(now);
    }

    /// This closes all submenus too.
    pub(crate) fn top_closed(&mut self, now: Instant) {
        self.top = Some(false);
        self.since = None;
        self.closed = Some(now);
    }

    pub(crate) fn closed(&mut self, now: Instant) {
        if let Some(since) = self.since.take()
            && now.duration_since(since) > SPURIOUS_OPENING
        {
            self.closed = Some(now);
        }
    }

    /// Returns the rows that may change now, and after which time to ask again.
    pub(crate) fn changeable(
        &mut self,
        submenu_open: bool,
        now: Instant,
    ) -> (Changeable, Option<Duration>) {
        let left = |time: Instant, limit: Duration| {
            let left = (time + limit).saturating_duration_since(now);
            (!left.is_zero()).then_some(left)
        };
        if submenu_open || self.top == Some(true) {
            if let Some(left) = left(*self.since.get_or_insert(now), LIMIT) {
                // Xfce's panel does not report every closed menu, so check again soon.
                return (Changeable::None, Some(left.min(TOP_MENU_STAYS)));
            }
            // Counts as closed until a submenu is opened again.
            *self = Self::default();
        }
        let left = |limit| self.closed.and_then(|closed| left(closed, limit));
        if let Some(left) = left(LATE_CLICK) {
            return (Changeable::None, Some(left));
        }
        match left(TOP_MENU_STAYS) {
            Some(_) if self.top.is_some() => (Changeable::All, None),
            Some(left) => (Changeable::BelowTop, Some(left)),
            None => (Changeable::All, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn closed_menu_changes_all_rows() {
        let changeable = OpenMenu::default().changeable(false, Instant::now());
        assert_eq!(changeable, (Changeable::All, None));
    }

    #[test]
    fn open_submenu_changes_no_row_and_top_menu_waits_longest() {
        let start = Instant::now();
        let mut menu = OpenMenu::default();
        menu.opened(start);
        assert_eq!(
            menu.changeable(true, start + 9 * SECOND),
            (Changeable::None, Some(TOP_MENU_STAYS))
        );
        let closed = start + 10 * SECOND;
        menu.closed(closed);
        for (after, changeable) in [
            (Duration::ZERO, (Changeable::None, Some(LATE_CLICK))),
            (
                LATE_CLICK,
                (Changeable::BelowTop, Some(TOP_MENU_STAYS - LATE_CLICK)),
            ),
            (TOP_MENU_STAYS, (Changeable::All, None)),
        ] {
            assert_eq!(menu.changeable(false, closed + after), changeable);
        }
    }

    #[test]
    fn next_submenu_restarts_the_wait() {
        let start = Instant::now();
        let mut menu = OpenMenu::default();
        menu.opened(start);
        menu.closed(start + SECOND);
        menu.opened(start + 2 * SECOND);
        assert_eq!(
            menu.changeable(true, start + 9 * SECOND),
            (Changeable::None, Some(TOP_MENU_STAYS))
        );
        menu.closed(start + 10 * SECOND);
        assert_eq!(
            menu.changeable(false, start + 11 * SECOND),
            (Changeable::BelowTop, Some(2 * SECOND))
        );
    }

    #[test]
    fn changes_all_rows_at_the_limit() {
        let start = Instant::now();
        let mut menu = OpenMenu::default();
        menu.opened(start);
        for submenu_open in [true, false] {
            let changeable = menu.changeable(submenu_open, start + LIMIT);
            assert_eq!(changeable, (Changeable::All, None));
        }
    }

    #[test]
    fn reported_top_menu_changes_no_row_until_it_is_closed() {
        let start = Instant::now();
        let mut menu = OpenMenu::default();
        menu.top_opened(start);
        menu.opened(start + SECOND);
        menu.closed(start + 2 * SECOND);
        let (changeable, _) = menu.changeable(false, start + 9 * SECOND);
        assert_eq!(changeable, Changeable::None);
        let closed = start + 10 * SECOND;
        menu.top_closed(closed);
        for (after, changeable) in [
            (Duration::ZERO, (Changeable::None, Some(LATE_CLICK))),
            (LATE_CLICK, (Changeable::All, None)),
        ] {
            assert_eq!(menu.changeable(false, closed + after), changeable);
        }
        menu.top_opened(start + 20 * SECOND);
        let changeable = menu.changeable(false, start + 20 * SECOND + LIMIT);
        assert_eq!(changeable, (Changeable::All, None));
    }

    #[test]
    fn ignores_spurious_opening() {
        let start = Instant::now();
        let mut menu = OpenMenu::default();
        menu.opened(start);
        menu.closed(start + Duration::from_millis(1));
        let changeable = menu.changeable(false, start + Duration::from_millis(2));
        assert_eq!(changeable, (Changeable::All, None));
    }
}
