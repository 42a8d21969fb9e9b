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
    let switches = Setting::TOP.iter().copied();
    entries.extend(switches.map(|setting| switch(setting, preferences)));
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
    let group_of = |id: FindingId| match id.row().group {
        Group::State => Group::Socket,
        group => group,
    };
    for (key, label, group) in [
        ("of-sockets", tr!("Control sockets"), Group::Socket),
        ("of-directories", tr!("Directories"), Group::Directory),
        (
            "of-configuration",
            tr!("Configuration"),
            Group::Configuration,
        ),
    ] {
        if !preferences.settings.is_on(Setting::Notifications) {
            let label = tr!("{label}: notifications are off", label);
            entries.push(Entry::text(key, label));
            continue;
        }
        let kinds = FindingId::ALL
            .iter()
            .copied()
            .filter(|id| id.severity() >= decide::ANNOUNCED_FROM && group_of(*id) == group)
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
    use crate::present::menu::tests::{drawn, drawn_rows};

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
        drawn_rows(vec![settings_menu(preferences)])
    }

    #[test]
    fn every_setting_has_a_check_mark_that_asks_for_the_opposite() {
        insta::assert_snapshot!(settings(&preferences()));
        let view = starting().with_settings(&preferences());
        assert!(drawn(&view).ends_with("\nAbout  [About]\nQuit  [Quit]\n"));
    }

    #[test]
    fn a_row_that_cannot_be_switched_has_the_reason() {
        let no_home = AtLogin::Unknown("HOME is not set".into());
        let rows = [
            (Store::Nowhere, no_home, true),
            (Store::Invalid, AtLogin::BySystemd, true),
            (Store::Writable, AtLogin::Yes, false),
        ]
        .map(|(store, at_login, on)| {
            let mut preferences = preferences();
            preferences.settings = preferences.settings.with(Setting::Notifications, on);
            let menu = settings(&Preferences {
                store,
                at_login,
                ..preferences
            });
            let rows = menu
                .lines()
                .filter(|line| !line.starts_with("            "));
            rows.map(|line| line.to_owned() + "\n").collect::<String>()
        });
        insta::assert_snapshot!(rows.join("\n"));
    }
}
