//! The submenus Settings and Notify about. A check mark shows the setting in force; a click asks for the opposite.

use tr::tr;

use super::entry::{Entry, TrayView};
use super::setting_row::{check, reopen, with_reason};
use crate::decide;
use crate::decide::intent::Intent;
use crate::model::finding::{FindingId, Group};
use crate::model::settings::{AtLogin, Change, IconShown, Preferences, Setting, Store};
use crate::model::text;

impl TrayView {
    /// Returns the view with the icon as the setting shows it, or shown because a person asked for it.
    pub fn with_icon(mut self, when: IconShown, is_wanted: bool) -> Self {
        self.is_shown = is_wanted || self.icon.is_shown(when);
        self
    }

    /// Returns the view with the submenus of the settings above About and Quit.
    pub fn with_settings(mut self, preferences: &Preferences) -> Self {
        let at = self.menu.len().saturating_sub(2);
        let menus = [kinds_menu(preferences), settings_menu(preferences)];
        self.menu.splice(at..at, menus);
        self
    }
}

fn settings_menu(preferences: &Preferences) -> Entry {
    let switches = [Setting::Notifications]
        .into_iter()
        .chain(Setting::TOP.iter().copied())
        .filter(|setting| !Setting::ENDS.contains(setting));
    let mut entries: Vec<Entry> = switches
        .map(|setting| switch(setting, preferences))
        .collect();
    let reopened = preferences.settings.reopen.iter();
    entries.extend(reopened.map(|host| {
        let name = text::line(&host.0);
        let label = tr!("Reconnect {host} automatically", host = name);
        reopen(host, label, preferences)
    }));
    entries.push(at_login(&preferences.at_login));
    entries.push(Entry::Separator);
    let icons = IconShown::ALL.into_iter();
    entries.extend(icons.map(|shown| icon(shown, preferences)));
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

/// A switch for each kind of finding that can cause a notification.
fn kinds_menu(preferences: &Preferences) -> Entry {
    let label = tr!("Notify about");
    if preferences.store != Store::Writable {
        return Entry::text("kinds", with_reason(label, preferences.store));
    }
    if !preferences.settings.is_on(Setting::Notifications) {
        let label = tr!("{label}: notifications are off", label);
        return Entry::text("kinds", label);
    }
    let mut entries = Vec::new();
    let group_of = |id: FindingId| match id.row().group {
        Group::State => Group::Socket,
        group => group,
    };
    for group in [Group::Socket, Group::Directory, Group::Configuration] {
        let kinds = FindingId::ALL
            .iter()
            .copied()
            .filter(|id| id.severity() >= decide::ANNOUNCED_FROM && group_of(*id) == group)
            .map(|id| switch(Setting::Kind(id), preferences));
        entries.extend(kinds);
        entries.push(Entry::Separator);
    }
    let ends = Setting::ENDS.iter();
    entries.extend(ends.map(|setting| switch(*setting, preferences)));
    Entry::submenu("kinds", label, entries)
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
    let checked = preferences.settings.is_on(setting);
    let (key, change) = (setting.place().1, Change::Switch(setting, !checked));
    check(key, setting.label(), checked, change, preferences.store)
}

/// One of several values. A click on the one in force changes nothing.
fn icon(shown: IconShown, preferences: &Preferences) -> Entry {
    let checked = preferences.settings.icon == shown;
    let (key, change) = (format!("icon {}", shown.as_str()), Change::Icon(shown));
    check(&key, shown.label(), checked, change, preferences.store)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::control_path::HostAlias;
    use crate::model::settings::Settings;
    use crate::present::menu::tests::{drawn, drawn_rows};
    use crate::present::menu::{Icon, starting};

    pub(in crate::present::menu) fn preferences() -> Preferences {
        Preferences {
            settings: Settings::default()
                .with(Setting::Kind(FindingId::Stale), false)
                .with(Setting::CleanAutomatically, true)
                .changed(&Change::Reopen(HostAlias("db".to_owned()), true)),
            store: Store::Writable,
            at_login: AtLogin::No,
        }
    }

    fn settings(preferences: &Preferences) -> String {
        drawn_rows(vec![kinds_menu(preferences), settings_menu(preferences)])
    }

    #[test]
    fn every_setting_has_a_check_mark_that_asks_for_the_opposite() {
        insta::assert_snapshot!(settings(&preferences()));
        let view = starting().with_settings(&preferences());
        assert!(drawn(&view).ends_with("\nAbout  [About]\nQuit  [Quit]\n"));
    }

    #[test]
    fn the_icon_is_shown_as_the_setting_has_it_or_on_request() {
        use IconShown::{Always, Masters, Problems};
        for (icon, shown_by) in [
            (Icon::Idle, &[Always][..]),
            (Icon::Running, &[Always, Masters]),
            (Icon::Attention, &[Always, Masters, Problems]),
        ] {
            for when in IconShown::ALL {
                let view = TrayView { icon, ..starting() };
                let shown = view.clone().with_icon(when, false).is_shown;
                assert_eq!(shown, shown_by.contains(&when), "{icon:?} {when:?}");
                assert!(view.with_icon(when, true).is_shown);
            }
        }
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
            settings(&Preferences {
                store,
                at_login,
                ..preferences
            })
        });
        insta::assert_snapshot!(rows.join("\n"));
    }
}
