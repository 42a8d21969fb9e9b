//! How long a menu counts as open, for both trays.

use std::time::Duration;

/// The menu counts as closed this long after the last report on it: a panel that crashes reports nothing, and after this
/// time a user needs the current state more than a steady menu.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// If the panel does not report the end of the top menu, it counts as open for this time after it was opened or its last
/// submenu was closed: the user may be moving the pointer to the next one.
pub(crate) const TOP_MENU_STAYS: Duration = Duration::from_secs(3);

/// Time after a menu has closed in which a click on its rows may arrive: panels report the click after closing the menu.
pub(crate) const LATE_CLICK: Duration = Duration::from_millis(300);
