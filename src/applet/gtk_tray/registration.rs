//! Registers the icon with the panel if AppIndicator failed to.
//!
//! AppIndicator gets the bus connection twice. If the second reply is late, as on a machine under load at login, it
//! does not register the icon: libayatana-appindicator 0.5.92 to 0.5.94, `name_appeared_handler` with
//! `priv->connection` still null. The icon is on the bus then, but no panel shows it. So muxtray reads the list of
//! registered icons once, and registers the icon if it is missing.

use std::time::Duration;

use gtk::gio::{self, DBusCallFlags, DBusConnection};
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
    glib::spawn_future_local(async {
        glib::timeout_future(AFTER).await;
        // `DesktopSession` reports a missing panel.
        if let Err(error) = check_registration().await {
            tracing::debug!("cannot read the registered icons: {error}");
        }
    });
}

async fn check_registration() -> Result<(), glib::Error> {
    // AppIndicator uses the same connection.
    let connection = gio::bus_get_future(gio::BusType::Session).await?;
    let watcher = (WATCHER, WATCHER_PATH);
    let properties = "org.freedesktop.DBus.Properties";
    let list = (WATCHER, "RegisteredStatusNotifierItems").to_variant();
    let items = call(&connection, watcher, properties, "Get", &list).await?;
    let name = connection.unique_name().unwrap_or_default();
    if !is_listed(&items, &name) {
        tracing::debug!("the icon is not registered: registering it again");
        let item = (ITEM_PATH,).to_variant();
        let method = "RegisterStatusNotifierItem";
        if let Err(error) = call(&connection, watcher, WATCHER, method, &item).await {
            tracing::warn!("cannot register the icon with the panel: {error}");
        }
    }
    Ok(())
}

/// Calls a method of the object with this bus name and path.
pub(super) async fn call(
    connection: &DBusConnection,
    (name, path): (&str, &str),
    interface: &str,
    method: &str,
    arguments: &Variant,
) -> Result<Variant, glib::Error> {
    let (flags, arguments) = (DBusCallFlags::NO_AUTO_START, Some(arguments));
    connection
        .call_future(
            Some(name),
            path,
            interface,
            method,
            arguments,
            None,
            flags,
            LIMIT,
        )
        .await
}

/// Returns whether the reply lists an item of this connection. Watchers list `:1.42/path`, that of GNOME `:1.42@/path`.
fn is_listed(reply: &Variant, name: &str) -> bool {
    let Some((items,)) = reply.get::<(Variant,)>() else {
        return false;
    };
    let items = items.get::<Vec<String>>().unwrap_or_default();
    items.iter().any(|item| {
        item.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '@']))
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
        assert!(is_listed(&reply(&[":1.4@/a", ":1.42@/b"]), ":1.42"));
        assert!(!is_listed(&reply(&[":1.421/b"]), ":1.42"));
        assert!(!is_listed(&reply(&[]), ":1.42"));
    }
}
