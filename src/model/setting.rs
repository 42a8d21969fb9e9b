//! What a person can switch in the menu, and how those switches stand.

use std::collections::BTreeSet;

use super::finding::FindingId;

/// One switch of muxtray's own configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// Whether anything is announced at all.
    Notifications,
    /// Whether this kind of finding is announced.
    Kind(FindingId),
    /// Whether proven-stale sockets are removed without asking.
    CleanAutomatically,
    /// Whether masters that have lost their network are ended without asking.
    ExitStranded,
}

/// How the switches stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switches {
    /// [`Setting::Notifications`].
    pub notifications: bool,
    /// The kinds that are switched off.
    pub silent: BTreeSet<FindingId>,
    /// [`Setting::CleanAutomatically`].
    pub clean_automatically: bool,
    /// [`Setting::ExitStranded`].
    pub exit_stranded: bool,
}

impl Switches {
    /// Whether this one is on. A kind can be on while notifications are off altogether.
    #[must_use]
    pub fn is_on(&self, setting: Setting) -> bool {
        match setting {
            Setting::Notifications => self.notifications,
            Setting::Kind(id) => !self.silent.contains(&id),
            Setting::CleanAutomatically => self.clean_automatically,
            Setting::ExitStranded => self.exit_stranded,
        }
    }
}

/// Whether the switches can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// There is a file, or a place for one.
    Writable,
    /// The file could not be read, so it is not written either.
    Invalid,
    /// There is no place for a file.
    Nowhere,
}

/// Whether muxtray starts at login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtLogin {
    /// An autostart file is in force.
    Yes,
    /// Nothing starts it.
    No,
    /// systemd starts it, whose unit is not for the menu to switch.
    BySystemd,
    /// It cannot be told or changed, for this reason in a few words.
    Unknown(String),
}

/// Everything that the menu's settings show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// What is in force.
    pub switches: Switches,
    /// Whether it can be changed.
    pub store: Store,
    /// Whether muxtray starts at login.
    pub at_login: AtLogin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_stands_by_itself() {
        let off = Switches {
            notifications: false,
            silent: [FindingId::Stale].into(),
            clean_automatically: false,
            exit_stranded: false,
        };
        let is_on = |switches: &Switches| {
            [
                Setting::Notifications,
                Setting::Kind(FindingId::Stale),
                Setting::Kind(FindingId::Misowned),
                Setting::CleanAutomatically,
                Setting::ExitStranded,
            ]
            .map(|setting| switches.is_on(setting))
        };
        assert_eq!(is_on(&off), [false, false, true, false, false]);
        let notifying = Switches {
            notifications: true,
            ..off.clone()
        };
        assert_eq!(is_on(&notifying), [true, false, true, false, false]);
        let cleaning = Switches {
            clean_automatically: true,
            ..off.clone()
        };
        assert_eq!(is_on(&cleaning), [false, false, true, true, false]);
        let ending = Switches {
            exit_stranded: true,
            silent: BTreeSet::new(),
            ..off
        };
        assert_eq!(is_on(&ending), [false, true, true, false, true]);
    }
}
