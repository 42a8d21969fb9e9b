//! The submenu Settings. A check mark shows the setting in force; a click asks for the opposite.

use tr::tr;

use super::entry::{Entry, TrayView};
use crate::decide;
use crate::decide::intent::Intent;
use crate::model::finding::{FindingId, Group};
use crate::model::settings::{AtLogin, Preferences, Setting, Store};

impl TrayView {
    /// Returns the view with the submenu Settings above About and Quit.
    pub fn with_settings(mut self, preferences: &Preferences) -> Self {
        let at = self.menu.len().saturating_sub(2);
        self.menu.insert(at, settings_menu(preferences));
        self
    }
}

fn settings_menu(preferences: &Preferences) -> Entry {
    let mut entries = vec![notifications(preferences)];
    entries.extend(
        Setting::TOP
            .iter()
            .map(|setting| switch(*setting, preferences)),
    );
    entries.push(at_login(&preferences.at_login));
    entries.push(Entry::Separator);
    let label = tr!("Open configuration");
    entries.push(match preferences.store {
        Store::Writable | Store::Invalid => {
            Entry::item("open-configuration", label, Intent::OpenConfiguration)
        }
        Store::Nowhere => Entry::text("open-configuration", with_reason(label, Store::Nowhere)),
    });
    Entry::submenu("settings", tr!("Settings"), entries)
}

/// The switch for all notifications, and one for each kind of finding that can cause one.
fn notifications(preferences: &Preferences) -> Entry {
    let mut entries = vec![
        switch(Setting::Notifications, preferences),
        Entry::Separator,
    ];
    let sections = [
        (
            "of-sockets",
            tr!("Control sockets"),
            &[Group::State, Group::Socket][..],
        ),
        ("of-directories", tr!("Directories"), &[Group::Directory]),
        (
            "of-configuration",
            tr!("Configuration"),
            &[Group::Configuration],
        ),
    ];
    for (key, label, groups) in sections {
        if !preferences.settings.is_on(Setting::Notifications) {
            let label = tr!("{label}: notifications are off", label);
            entries.push(Entry::text(key, label));
            continue;
        }
        let kinds = FindingId::ALL
            .iter()
            .copied()
            .filter(|id| id.severity() >= decide::ANNOUNCED_FROM)
            .filter(|id| groups.contains(&id.row().group))
            .map(|id| switch(Setting::Kind(id), preferences));
        entries.push(Entry::submenu(key, label, kinds.collect()));
    }
    Entry::submenu("notifications-menu", tr!("Notifications"), entries)
}

fn at_login(at_login: &AtLogin) -> Entry {
    let label = tr!("Start at login");
    let (label, checked, intent) = match at_login {
        AtLogin::Yes => (label, true, Some(Intent::StartAtLogin(false))),
        AtLogin::No => (label, false, Some(Intent::StartAtLogin(true))),
        AtLogin::BySystemd => (tr!("{label}: by systemd", label), true, None),
        AtLogin::Unknown(why) => (format!("{label}: {why}"), false, None),
    };
    Entry::Check {
        key: "start-at-login".to_owned(),
        label,
        checked,
        intent,
    }
}

fn switch(setting: Setting, preferences: &Preferences) -> Entry {
    let (_, key) = setting.place();
    let checked = preferences.settings.is_on(setting);
    let store = preferences.store;
    Entry::Check {
        key: key.to_owned(),
        label: with_reason(setting.label(), store),
        checked,
        intent: (store == Store::Writable).then_some(Intent::Set(setting, !checked)),
    }
}

/// A disabled row shows the reason.
fn with_reason(label: String, store: Store) -> String {
    match store {
        Store::Writable => label,
        Store::Invalid => tr!("{label}: configuration not valid", label),
        Store::Nowhere => tr!("{label}: HOME is not set", label),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::settings::Settings;
    use crate::present::menu::starting;
    use crate::present::menu::tests::drawn;

    fn preferences() -> Preferences {
        Preferences {
            settings: Settings::default()
                .with(Setting::Kind(FindingId::Stale), false)
                .with(Setting::CleanAutomatically, true),
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
    fn every_setting_has_a_check_mark_that_asks_for_the_opposite() {
        insta::assert_snapshot!(settings(&preferences()));
    }

    #[test]
    fn settings_stand_above_about() {
        let view = starting().with_settings(&preferences());
        let is_submenu = |entry: &Entry| matches!(entry, Entry::Submenu { .. });
        let at = view.menu.iter().position(is_submenu).unwrap();
        assert!(matches!(&view.menu[at + 1], Entry::Item { key, .. } if key == "about"));
    }

    #[test]
    fn a_row_that_cannot_be_switched_has_the_reason() {
        let off = Setting::Notifications;
        for (store, at_login, rows) in [
            (
                Store::Nowhere,
                AtLogin::Unknown("HOME is not set".into()),
                &[
                    "([x] Clean stale sockets automatically: HOME is not set)",
                    "([ ] Start at login: HOME is not set)",
                    "(Open configuration: HOME is not set)",
                ][..],
            ),
            (
                Store::Invalid,
                AtLogin::BySystemd,
                &[
                    "([ ] End masters that lost their network: configuration not valid)",
                    "([x] Start at login: by systemd)",
                    "Open configuration  [OpenConfiguration]",
                ],
            ),
            (
                Store::Writable,
                AtLogin::Yes,
                &[
                    "[ ] Notify of problems  [",
                    "(Control sockets: notifications are off)",
                    "[x] Start at login  [StartAtLogin(false)]",
                ],
            ),
        ] {
            let mut preferences = Preferences {
                store,
                at_login,
                ..preferences()
            };
            if store == Store::Writable {
                preferences.settings = preferences.settings.with(off, false);
            }
            let menu = settings(&preferences);
            for row in rows {
                assert!(menu.contains(row), "{row}: {menu}");
            }
        }
    }
}
