//! The rows that may be inserted or removed while the menu may be open. Pure; the time is an argument.
//!
//! Plasma and GNOME report when the menu opens and closes. GTK panels report this of submenus, and ask for changes before
//! they show the top menu.

use std::collections::BTreeSet;
use std::time::Instant;

use muxtray::desktop::menu::Changeable;

use super::drawn_menu::TOP;
use crate::open_menu_times::{LATE_CLICK, LIMIT, TOP_MENU_STAYS};

#[derive(Debug, Default)]
pub(super) struct OpenMenu {
    /// The end of the time in which the menu counts as open.
    until: Option<Instant>,
    /// The end of the time for a late click.
    click_until: Option<Instant>,
    /// Whether the panel has reported that the top menu is open.
    reports_top: bool,
    submenus: BTreeSet<i32>,
}

impl OpenMenu {
    pub(super) fn opened(&mut self, id: i32, now: Instant) {
        self.until = Some(now + LIMIT);
        if id == TOP {
            self.reports_top = true;
            self.submenus.clear();
        } else {
            self.submenus.insert(id);
        }
    }

    /// The panel shows the top menu, and may not report its end.
    pub(super) fn asked_for_changes(&mut self, now: Instant) {
        self.until = self.until.max(Some(now + TOP_MENU_STAYS));
    }

    pub(super) fn closed(&mut self, id: i32, now: Instant) {
        self.click_until = Some(now + LATE_CLICK);
        self.submenus.remove(&id);
        let stays = match (id, self.reports_top) {
            (TOP, _) => {
                self.submenus.clear();
                self.reports_top = false;
                LATE_CLICK
            }
            (_, true) => LIMIT,
            (_, false) => TOP_MENU_STAYS,
        };
        self.until = Some(now + stays);
    }

    pub(super) fn reports_top(&self) -> bool {
        self.reports_top
    }

    /// Returns the rows that may change now, and when more rows may change.
    pub(super) fn changeable(&self, now: Instant) -> (Changeable, Option<Instant>) {
        let later = |time: Option<Instant>| time.filter(|time| *time > now);
        let Some(until) = later(self.until) else {
            return (Changeable::All, None);
        };
        // MATE reports the top menu and no submenus.
        let may_hide_submenu = self.reports_top && self.click_until.is_none();
        if may_hide_submenu || !self.submenus.is_empty() {
            return (Changeable::None, Some(until));
        }
        match later(self.click_until) {
            Some(click_until) => (Changeable::None, Some(click_until)),
            None => (Changeable::BelowTop, Some(until)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A report of a panel: the row, and the time in milliseconds.
    enum Report {
        Opened(i32, u64),
        Closed(i32, u64),
    }
    use Report::{Closed, Opened};

    #[test]
    fn rows_change_when_no_menu_shows_them() {
        use Changeable::{All, BelowTop, None as Nothing};
        for (name, reports, at, changeable, later) in [
            ("never opened", vec![], 0, All, None),
            (
                "the top menu is open",
                vec![Opened(TOP, 0)],
                10,
                Nothing,
                Some(60_000),
            ),
            (
                "a submenu is open",
                vec![Opened(TOP, 0), Opened(5, 1_000)],
                9_000,
                Nothing,
                Some(61_000),
            ),
            (
                "its click may be late",
                vec![Opened(TOP, 0), Opened(5, 1_000), Closed(5, 2_000)],
                2_100,
                Nothing,
                Some(2_300),
            ),
            (
                "it has closed",
                vec![Opened(TOP, 0), Opened(5, 1_000), Closed(5, 2_000)],
                2_300,
                BelowTop,
                Some(62_000),
            ),
            (
                "the next one is open, and the end of the first is reported late",
                vec![
                    Opened(TOP, 0),
                    Opened(5, 1_000),
                    Opened(9, 2_000),
                    Closed(5, 2_010),
                ],
                8_000,
                Nothing,
                Some(62_010),
            ),
            (
                "the top menu has closed",
                vec![Opened(TOP, 0), Opened(5, 1_000), Closed(TOP, 2_000)],
                2_300,
                All,
                None,
            ),
            (
                "only submenus are reported",
                vec![Opened(5, 1_000), Closed(5, 2_000)],
                2_300,
                BelowTop,
                Some(5_000),
            ),
            (
                "only submenus are reported, and the last has closed",
                vec![Opened(5, 1_000), Closed(5, 2_000)],
                5_000,
                All,
                None,
            ),
            (
                "no end is reported",
                vec![Opened(TOP, 0), Opened(5, 1_000)],
                61_000,
                All,
                None,
            ),
        ] {
            let start = Instant::now();
            let time = |millis| start + Duration::from_millis(millis);
            let mut menu = OpenMenu::default();
            for report in reports {
                match report {
                    Opened(id, at) => menu.opened(id, time(at)),
                    Closed(id, at) => menu.closed(id, time(at)),
                }
            }
            let expected = (changeable, later.map(time));
            assert_eq!(menu.changeable(time(at)), expected, "{name}");
        }
    }
}
