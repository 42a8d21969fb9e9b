//! The tray's connection to the session bus: the registration with panels, and signals to them.

use std::thread;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::message::{Flags, Type};
use zbus::{Connection, DynamicType, Message, MessageStream};

pub(super) const ITEM: &str = "org.kde.StatusNotifierItem";
pub(super) const MENU: &str = "com.canonical.dbusmenu";

/// Cinnamon opens the menu on a left click only if the path begins like this (xapp-sn-watcher, sn-item.c, `is_ai`).
const ITEM_PATH: &str = "/org/ayatana/NotificationItem/muxtray";
pub(super) const MENU_PATH: &str = "/org/ayatana/NotificationItem/muxtray/Menu";

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const BUS: &str = "org.freedesktop.DBus";

pub(super) struct Bus(Connection);

impl Bus {
    /// Connects, and calls `take` with each message, from a thread that ends with the bus or when `take` returns false.
    pub(super) fn open(take: impl Fn(Message) -> bool + Send + 'static) -> zbus::Result<Self> {
        let connection = block_on(Connection::session())?;
        let mut messages = MessageStream::from(&connection);
        let read = move || {
            while let Some(Ok(message)) = block_on(messages.next()) {
                if !take(message) {
                    break;
                }
            }
        };
        thread::Builder::new()
            .name("tray-bus".to_owned())
            .spawn(read)?;
        let starts =
            format!("type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{WATCHER}'");
        let path = "/org/freedesktop/DBus";
        block_on(connection.call_method(Some(BUS), path, Some(BUS), "AddMatch", &starts))?;
        Ok(Self(connection))
    }

    /// Registers the icon with the panels, if there is one. Does not wait for the reply: a panel may never answer.
    pub(super) fn register(&self) {
        let call = Message::method_call("/StatusNotifierWatcher", "RegisterStatusNotifierItem")
            .destination(WATCHER)
            .interface(WATCHER)
            .with_flags(Flags::NO_REPLY_EXPECTED);
        self.send(call.build(&ITEM_PATH));
    }

    pub(super) fn item_signal(&self, name: &str) {
        self.signal(ITEM_PATH, ITEM, name, &());
    }

    pub(super) fn status_signal(&self, status: &str) {
        self.signal(ITEM_PATH, ITEM, "NewStatus", &status);
    }

    pub(super) fn menu_signal<B>(&self, name: &str, body: &B)
    where
        B: serde::Serialize + DynamicType,
    {
        self.signal(MENU_PATH, MENU, name, body);
    }

    fn signal<B>(&self, path: &str, interface: &str, name: &str, body: &B)
    where
        B: serde::Serialize + DynamicType,
    {
        self.send(Message::signal(path, interface, name).build(body));
    }

    /// Sends a message, and waits until the bus has taken it.
    pub(super) fn send(&self, message: zbus::Result<Message>) {
        let sent = message.and_then(|message| block_on(self.0.send(&message)));
        if let Err(error) = sent {
            tracing::debug!("no message to the panel: {error}");
        }
    }
}

/// Returns whether a panel has started, to which the icon is not registered yet.
pub(super) fn is_start_of_panel(message: &Message) -> bool {
    if message.message_type() != Type::Signal {
        return false;
    }
    let names: zbus::Result<(String, String, String)> = message.body().deserialize();
    names.is_ok_and(|(name, _, owner)| name == WATCHER && !owner.is_empty())
}
