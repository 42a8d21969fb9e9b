//! One muxtray for each session, by a name on the session bus; what the bus knows of panels; and when it ends.
//!
//! Knows nothing of what the instance does. Every question to the bus has a deadline.

use std::time::Duration;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::fdo::RequestNameFlags;
use zbus::{Connection, MessageStream, OwnedVariant};

use super::APP_ID;
use super::block_on::within;

/// How long the bus may take to answer. It is a local daemon; it answers in milliseconds or not at all.
const BUS_LIMIT: Duration = Duration::from_secs(3);

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const WATCHER_PATH: &str = "/StatusNotifierWatcher";

/// Being the one instance of this session. It ends when the value is dropped.
#[derive(Debug)]
pub struct Instance {
    connection: Connection,
}

/// Why this is not the one instance.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Another process holds the name.
    #[error("muxtray is already running in this session")]
    AlreadyRunning,
    /// There is no bus to ask. Without one there is no second instance to guard against that anyone could see.
    #[error("cannot reach the session bus: {0}")]
    NoBus(String),
}

/// Takes the session's bus name, without waiting in line for it.
///
/// # Errors
/// [`InstanceError::AlreadyRunning`] where another process holds it, [`InstanceError::NoBus`] where nobody could
/// be asked in time.
pub fn acquire() -> Result<Instance, InstanceError> {
    let asked = within(BUS_LIMIT, async {
        let connection = Connection::session().await?;
        connection
            .request_name_with_flags(APP_ID, RequestNameFlags::DO_NOT_QUEUE)
            .await?;
        Ok(connection)
    });
    match asked {
        Some(Ok(connection)) => Ok(Instance { connection }),
        Some(Err(zbus::Error::NameTaken)) => Err(InstanceError::AlreadyRunning),
        Some(Err(error)) => Err(InstanceError::NoBus(error.to_string())),
        None => Err(InstanceError::NoBus(format!(
            "no answer within {} s",
            BUS_LIMIT.as_secs()
        ))),
    }
}

impl Instance {
    /// Whether a panel of this session shows tray icons now: a StatusNotifier watcher is there and has a host.
    ///
    /// `false` is no verdict for ever: a panel may start later, and gets the icon then.
    #[must_use]
    pub fn has_tray_host(&self) -> bool {
        within(BUS_LIMIT, self.ask_for_tray_host())
            .flatten()
            .unwrap_or(false)
    }

    async fn ask_for_tray_host(&self) -> Option<bool> {
        let asked = self.connection.call_method(
            Some(WATCHER),
            WATCHER_PATH,
            Some("org.freedesktop.DBus.Properties"),
            "Get",
            &(WATCHER, "IsStatusNotifierHostRegistered"),
        );
        let value: OwnedVariant = asked.await.ok()?.body().deserialize().ok()?;
        bool::try_from(value).ok()
    }

    /// Waits until the session bus has ended, and the session with it. Sleeps; there is no deadline, so this is for a
    /// thread of its own.
    pub fn wait_for_end_of_bus(&self) {
        let mut messages = MessageStream::from(&self.connection);
        block_on(async { while let Some(Ok(_)) = messages.next().await {} });
    }
}
