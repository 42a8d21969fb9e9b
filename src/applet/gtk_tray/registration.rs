//! Registers the icon with the panel if AppIndicator failed to.
//!
//! AppIndicator gets the bus connection twice. If the second reply is late, as on a machine under load at login, it
//! does not register the icon: libayatana-appindicator 0.5.92 to 0.5.94, `name_appeared_handler` with
//! `priv->connection` still null. The icon is on the bus then, but no panel shows it. So muxtray reads the list of
//! registered icons once, and registers the icon if it is missing.

use std::time::Duration;

use gtk::gio::{self, Cancellable, DBusCallFlags, DBusConnection};
use gtk::glib::{self, Variant, prelude::*};

/// Time for AppIndicator to register the icon.
const AFTER: Duration = Duration::from_secs(1);

/// Timeout of a bus call, in milliseconds.
const LIMIT: i32 = 10_000;

const WATCHER: &str = "org.kde.StatusNotifierWatcher";

const WATCHER_PATH: &str = "/StatusNotifierWatcher";

/// The object path that AppIndicator derives from the title "tray-icon tray app muxtray".
const ITEM_PATH: &str = "/org/ayatana/NotificationItem/tray_icon_tray_app_muxtray";

/// Checks the list of registered icons after a delay, and registers the icon if it is missing. If a panel starts later,
/// AppIndicator has the connection by then and registers with it.
pub(super) fn register_if_missing() {
    glib::timeout_add_local_once(AFTER, || {
        // AppIndicator uses the same connection.
        gio::bus_get(gio::BusType::Session, Cancellable::NONE, |connection| {
            if let Ok(connection) = connection {
                check_register(&connection);
            }
        });
    });
}

fn check_register(connection: &DBusConnection) {
    let Some(name) = connection.unique_name() else {
        return;
    };
    let property = (WATCHER, "RegisteredStatusNotifierItems").to_variant();
    let registrar = connection.clone();
    call(
        connection,
        "org.freedesktop.DBus.Properties",
        "Get",
        &property,
        move |reply| match reply {
            Ok(items) if !is_listed(&items, &name) => {
                tracing::debug!("the icon is not registered: registering it again");
                let item = (ITEM_PATH,).to_variant();
                call(
                    &registrar,
                    WATCHER,
                    "RegisterStatusNotifierItem",
                    &item,
                    |reply| {
                        if let Err(error) = reply {
                            tracing::warn!("cannot register the icon with the panel: {error}");
                        }
                    },
                );
            }
            Ok(_) => {}
            // `DesktopSession` reports a missing panel.
            Err(error) => tracing::debug!("cannot read the registered icons: {error}"),
        },
    );
}

fn call(
    connection: &DBusConnection,
    interface: &str,
    method: &str,
    arguments: &Variant,
    then: impl FnOnce(Result<Variant, glib::Error>) + 'static,
) {
    connection.call(
        Some(WATCHER),
        WATCHER_PATH,
        interface,
        method,
        Some(arguments),
        None,
        DBusCallFlags::NO_AUTO_START,
        LIMIT,
        Cancellable::NONE,
        then,
    );
}

/// Returns whether the reply lists an item of this connection. Watchers list `:1.42/path`.
fn is_listed(reply: &Variant, name: &str) -> bool {
    let Some((items,)) = reply.get::<(Variant,)>() else {
        return false;
    };
    let items = items.get::<Vec<String>>().unwrap_or_default();
    items.iter().any(|item| {
        item.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_item_by_whole_connection_name() {
        let reply = |items: &[&str]| (items.to_variant(),).to_variant();
        assert!(is_listed(&reply(&[":1.4/a", ":1.42/b"]), ":1.42"));
        assert!(is_listed(&reply(&[":1.42"]), ":1.42"));
        assert!(!is_listed(&reply(&[":1.421/b"]), ":1.42"));
        assert!(!is_listed(&reply(&[]), ":1.42"));
    }
}
