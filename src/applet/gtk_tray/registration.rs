//! Sees to it that the panel knows of the icon.
//!
//! AppIndicator asks for the bus twice, and if the second answer is late, as on a machine that is busy with a login, it
//! forgets to register: libayatana-appindicator 0.5.92 to 0.5.94, `name_appeared_handler` with `priv->connection` still
//! null. The icon is on the bus then, and nobody looks at it. So the panel's register is read once, and where the icon
//! is missing it is put there.

use std::time::Duration;

use gtk::gio::{self, Cancellable, DBusCallFlags, DBusConnection};
use gtk::glib::{self, Variant, prelude::*};

/// Until then AppIndicator has registered by itself, where it does.
const AFTER: Duration = Duration::from_secs(1);

/// How long the panel may take to answer, in milliseconds.
const LIMIT: i32 = 10_000;

/// The panel's register of icons.
const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// Where it is.
const WATCHER_PATH: &str = "/StatusNotifierWatcher";

/// Where AppIndicator puts the icon that tray-icon calls "tray-icon tray app muxtray".
const ITEM_PATH: &str = "/org/ayatana/NotificationItem/tray_icon_tray_app_muxtray";

/// Looks into the register in a while, if there is one, and adds the icon if it is missing. A panel that starts later
/// is none of its business: AppIndicator has the bus by then.
pub(super) fn see_to_it() {
    glib::timeout_add_local_once(AFTER, || {
        // The connection that AppIndicator has, too.
        gio::bus_get(gio::BusType::Session, Cancellable::NONE, |connection| {
            if let Ok(connection) = connection {
                look_into_the_register(&connection);
            }
        });
    });
}

fn look_into_the_register(connection: &DBusConnection) {
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
                tracing::debug!("the panel does not know of the icon: registering it once more");
                let item = (ITEM_PATH,).to_variant();
                call(
                    &registrar,
                    WATCHER,
                    "RegisterStatusNotifierItem",
                    &item,
                    |reply| {
                        if let Err(error) = reply {
                            tracing::warn!("the panel does not take the icon: {error}");
                        }
                    },
                );
            }
            Ok(_) => {}
            // No panel is told of elsewhere.
            Err(error) => tracing::debug!("no register of icons: {error}"),
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

/// Whether an item of this connection is in the reply: `:1.42/path` in all registers that are known.
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
    fn an_item_is_told_from_that_of_a_longer_name() {
        let reply = |items: &[&str]| (items.to_variant(),).to_variant();
        assert!(is_listed(&reply(&[":1.4/a", ":1.42/b"]), ":1.42"));
        assert!(is_listed(&reply(&[":1.42"]), ":1.42"));
        assert!(!is_listed(&reply(&[":1.421/b"]), ":1.42"));
        assert!(!is_listed(&reply(&[]), ":1.42"));
    }
}
