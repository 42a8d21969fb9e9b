//! Rows with a check mark that change a setting.

use tr::tr;

use super::entry::Entry;
use crate::decide::intent::Intent;
use crate::model::control_path::HostAlias;
use crate::model::settings::{Change, Preferences, Store};
use crate::model::socket::Socket;

/// Returns the row in the submenu of a master; `None` for one without a configured host.
pub(super) fn reopen_row(socket: &Socket, preferences: &Preferences) -> Option<Entry> {
    let hosts = &socket.hosts;
    let listed = hosts
        .iter()
        .find(|host| preferences.settings.reopen.contains(host));
    let host = listed.or(hosts.first())?;
    socket
        .is_own_at_control_path()
        .then(|| reopen(host, tr!("Reconnect automatically"), preferences))
}

pub(super) fn reopen(host: &HostAlias, label: String, preferences: &Preferences) -> Entry {
    let checked = preferences.settings.reopen.contains(host);
    let change = Change::Reopen(host.clone(), !checked);
    let key = format!("reopen {}", host.0);
    check(&key, label, checked, change, preferences.store)
}

/// A row with a check mark that changes a setting.
pub(super) fn check(
    key: &str,
    label: String,
    checked: bool,
    change: Change,
    store: Store,
) -> Entry {
    Entry::Check {
        key: key.to_owned(),
        label: with_reason(label, store),
        checked,
        intent: (store == Store::Writable).then_some(Intent::Set(change)),
    }
}

/// A disabled row shows the reason.
pub(super) fn with_reason(label: String, store: Store) -> String {
    match store {
        Store::Writable => label,
        Store::Invalid => tr!("{label}: configuration not valid", label),
        Store::Nowhere => tr!("{label}: HOME is not set", label),
    }
}
