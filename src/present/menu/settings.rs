//! Settings ▸: a check mark for everything that is on or off, and the file with the rest.
//!
//! A mark shows what is in force, and its row asks for the opposite. Nothing is switched here.

use tr::tr;

use super::{Entry, TrayView};
use crate::decide::headline;
use crate::decide::intent::Intent;
use crate::model::finding::FindingId;
use crate::model::setting::{AtLogin, Preferences, Setting, Store};
use crate::model::text;

impl TrayView {
    /// The same view with the settings in its menu, above About.
    #[must_use]
    pub fn with_settings(mut self, preferences: &Preferences) -> Self {
        let is_about =
            |entry: &Entry| matches!(entry, Entry::Item { key, .. } if key.as_str() == "about");
        let at = self.menu.iter().position(is_about);
        let at = at.unwrap_or(self.menu.len());
        self.menu.insert(at, settings_menu(preferences));
        self
    }
}

fn settings_menu(preferences: &Preferences) -> Entry {
    let mut entries = vec![notifications(preferences)];
    for (key, label, setting) in [
        (
            "clean-automatically",
            tr!("Clean stale sockets automatically"),
            Setting::CleanAutomatically,
        ),
        (
            "exit-stranded",
            tr!("End masters that lost their network"),
            Setting::ExitStranded,
        ),
    ] {
        entries.push(switch(key, &label, setting, preferences));
    }
    entries.push(at_login(&preferences.at_login));
    entries.push(Entry::Separator);
    entries.push(match preferences.store {
        Store::Writable | Store::Invalid => Entry::item(
            "open-configuration",
            tr!("Open configuration"),
            Intent::OpenConfiguration,
        ),
        Store::Nowhere => Entry::text(
            "open-configuration",
            with_reason(&tr!("Open configuration"), preferences.store),
        ),
    });
    submenu("settings", &tr!("Settings"), entries)
}

/// The switch for all, and one for each kind that is ever announced, in groups that a person finds.
fn notifications(preferences: &Preferences) -> Entry {
    let all = switch(
        "notifications",
        &tr!("Notify of problems"),
        Setting::Notifications,
        preferences,
    );
    let mut entries = vec![all, Entry::Separator];
    let are_on = preferences.switches.is_on(Setting::Notifications);
    for group in Group::ALL {
        let (key, label) = group.name();
        if !are_on {
            // Marks below would say that these are announced.
            entries.push(Entry::text(
                key,
                tr!("{label}: notifications are off", label),
            ));
            continue;
        }
        let ids = FindingId::ALL.iter().copied();
        let ids = ids.filter(|id| Group::of(*id) == Some(group));
        let kinds = ids.map(|id| switch(id.as_str(), &title(id), Setting::Kind(id), preferences));
        entries.push(submenu(key, &label, kinds.collect()));
    }
    submenu("notifications-menu", &tr!("Notifications"), entries)
}

/// A notification's words for the kind, as a row begins; programs keep their small letters.
fn title(id: FindingId) -> String {
    match headline(id) {
        program if program.starts_with("ssh ") || program.starts_with("muxtray") => program,
        other => text::sentence(&other),
    }
}

fn at_login(at_login: &AtLogin) -> Entry {
    let row = |label: String, checked, intent| Entry::Check {
        key: "start-at-login".to_owned(),
        label,
        checked,
        intent,
    };
    let label = tr!("Start at login");
    match at_login {
        AtLogin::Yes => row(label, true, Some(Intent::StartAtLogin(false))),
        AtLogin::No => row(label, false, Some(Intent::StartAtLogin(true))),
        AtLogin::BySystemd => row(tr!("{label}: by systemd", label), true, None),
        AtLogin::Unknown(why) => row(format!("{label}: {why}"), false, None),
    }
}

fn switch(key: &str, label: &str, setting: Setting, preferences: &Preferences) -> Entry {
    let checked = preferences.switches.is_on(setting);
    let store = preferences.store;
    Entry::Check {
        key: key.to_owned(),
        label: with_reason(label, store),
        checked,
        intent: (store == Store::Writable).then_some(Intent::Set(setting, !checked)),
    }
}

/// What cannot be switched says why.
fn with_reason(label: &str, store: Store) -> String {
    match store {
        Store::Writable => label.to_owned(),
        Store::Invalid => tr!("{label}: configuration not valid", label),
        Store::Nowhere => tr!("{label}: HOME is not set", label),
    }
}

fn submenu(key: &str, label: &str, entries: Vec<Entry>) -> Entry {
    Entry::Submenu {
        key: key.to_owned(),
        label: label.to_owned(),
        entries,
    }
}

/// Kinds of findings that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Sockets,
    Directories,
    Configuration,
}

impl Group {
    const ALL: [Self; 3] = [Self::Sockets, Self::Directories, Self::Configuration];

    fn name(self) -> (&'static str, String) {
        match self {
            Self::Sockets => ("of-sockets", tr!("Control sockets")),
            Self::Directories => ("of-directories", tr!("Directories")),
            Self::Configuration => ("of-configuration", tr!("Configuration")),
        }
    }

    /// Where a kind is found; `None` for those that are never announced, because they are only worth knowing.
    const fn of(id: FindingId) -> Option<Self> {
        match id {
            FindingId::Stranded
            | FindingId::Unresponsive
            | FindingId::Stale
            | FindingId::Misowned
            | FindingId::Foreign
            | FindingId::NotASocket
            | FindingId::Denied
            | FindingId::Leftover
            | FindingId::Orphaned
            | FindingId::Unverifiable
            | FindingId::InsecureMode => Some(Self::Sockets),
            FindingId::DirectoryMissing
            | FindingId::DirectoryInsecure
            | FindingId::DirectoryMisowned
            | FindingId::DirectoryNotWritable
            | FindingId::FilesystemUnsupported
            | FindingId::FilesystemFull
            | FindingId::FilesystemNetwork => Some(Self::Directories),
            FindingId::PathTooLong
            | FindingId::PathCollision
            | FindingId::PathNotPerMachine
            | FindingId::ConfigInvalid
            | FindingId::SshConfigInvalid
            | FindingId::SshMissing => Some(Self::Configuration),
            FindingId::Suspect
            | FindingId::SessionsAtLimit
            | FindingId::NoPersistExpiry
            | FindingId::NoControlPersist
            | FindingId::NoKeepalive
            | FindingId::WatchLimit => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::Severity;
    use crate::model::setting::Switches;
    use crate::present::menu::starting;
    use crate::present::menu::tests::drawn;

    fn preferences() -> Preferences {
        Preferences {
            switches: Switches {
                notifications: true,
                silent: [FindingId::Stale].into(),
                clean_automatically: true,
                exit_stranded: false,
            },
            store: Store::Writable,
            at_login: AtLogin::No,
        }
    }

    fn settings(preferences: &Preferences) -> String {
        drawn(&TrayView {
            menu: vec![settings_menu(preferences)],
            ..starting()
        })
    }

    #[test]
    fn everything_that_can_be_switched() {
        insta::assert_snapshot!(settings(&preferences()));
    }

    #[test]
    fn it_stands_above_about() {
        let keys: Vec<String> = starting()
            .with_settings(&preferences())
            .menu
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::Separator => None,
                Entry::Item { key, .. } | Entry::Check { key, .. } | Entry::Submenu { key, .. } => {
                    Some(key)
                }
            })
            .collect();
        assert_eq!(keys, ["summary", "settings", "about", "quit"]);
    }

    #[test]
    fn every_kind_that_is_announced_has_a_mark_and_no_other() {
        for id in FindingId::ALL {
            let is_announced = id.severity() >= Severity::Warning;
            assert_eq!(Group::of(*id).is_some(), is_announced, "{id:?}");
        }
    }

    #[test]
    fn a_row_asks_for_the_opposite_of_its_mark() {
        fn check(entries: &[Entry], marks: &mut usize) {
            for entry in entries {
                match entry {
                    Entry::Check {
                        checked, intent, ..
                    } => {
                        *marks += 1;
                        match intent {
                            Some(Intent::Set(_, on) | Intent::StartAtLogin(on)) => {
                                assert_eq!(*on, !checked);
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                    Entry::Submenu { entries, .. } => check(entries, marks),
                    Entry::Separator | Entry::Item { .. } => {}
                }
            }
        }
        let mut marks = 0;
        check(&[settings_menu(&preferences())], &mut marks);
        assert_eq!(marks, 24 + 1 + 3);
    }

    #[test]
    fn what_cannot_be_switched_says_why() {
        let with = |store, at_login| {
            settings(&Preferences {
                store,
                at_login,
                ..preferences()
            })
        };
        let nowhere = with(Store::Nowhere, AtLogin::Unknown("HOME is not set".into()));
        for row in [
            "([x] Clean stale sockets automatically: HOME is not set)",
            "([ ] Start at login: HOME is not set)",
            "(Open configuration: HOME is not set)",
        ] {
            assert!(nowhere.contains(row), "{row}: {nowhere}");
        }
        let invalid = with(Store::Invalid, AtLogin::BySystemd);
        for row in [
            "([ ] End masters that lost their network: configuration not valid)",
            "([x] Start at login: by systemd)",
            "Open configuration  [OpenConfiguration]",
        ] {
            assert!(invalid.contains(row), "{row}: {invalid}");
        }
    }

    #[test]
    fn with_all_off_no_kind_claims_to_be_announced() {
        let mut preferences = preferences();
        preferences.switches.notifications = false;
        let menu = settings(&preferences);
        assert!(menu.contains("[ ] Notify of problems  ["), "{menu}");
        assert!(
            menu.contains("(Control sockets: notifications are off)"),
            "{menu}"
        );
        assert!(!menu.contains("Stale control socket"), "{menu}");
    }

    #[test]
    fn start_at_login_asks_for_the_opposite_and_says_who_else_does_it() {
        let row = |login| match at_login(&login) {
            Entry::Check {
                label,
                checked,
                intent,
                ..
            } => (label, checked, intent),
            other => panic!("{other:?}"),
        };
        let label = || "Start at login".to_owned();
        for (login, expected) in [
            (
                AtLogin::Yes,
                (label(), true, Some(Intent::StartAtLogin(false))),
            ),
            (
                AtLogin::No,
                (label(), false, Some(Intent::StartAtLogin(true))),
            ),
            (AtLogin::BySystemd, (label() + ": by systemd", true, None)),
            (
                AtLogin::Unknown("denied".to_owned()),
                (label() + ": denied", false, None),
            ),
        ] {
            assert_eq!(row(login), expected);
        }
    }

    #[test]
    fn a_program_keeps_its_small_letter() {
        for (id, told) in [
            (FindingId::SshMissing, "ssh cannot be started"),
            (
                FindingId::ConfigInvalid,
                "muxtray's configuration is not valid",
            ),
            (FindingId::Stale, "Stale control socket"),
            (FindingId::PathTooLong, "ControlPath too long"),
        ] {
            assert_eq!(title(id), told);
        }
    }
}
