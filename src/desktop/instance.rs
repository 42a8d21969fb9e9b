//! The single instance of a session, held by a name on the session bus; and the state of the tray watcher and the bus.

use std::time::Duration;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::fdo::RequestNameFlags;
use zbus::{Connection, MessageStream, OwnedVariant};

use super::APP_ID;
use super::block_on::within;

/// A local daemon answers within milliseconds or not at all.
const BUS_LIMIT: Duration = Duration::from_secs(3);

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const WATCHER_PATH: &str = "/StatusNotifierWatcher";

/// The bus name of this session, released on drop.
#[derive(Debug)]
pub struct Instance {
    connection: Connection,
}

#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error("muxtray is already running in this session")]
    AlreadyRunning,
    /// The bus is unreachable or does not answer.
    #[error("cannot reach the session bus: {0}")]
    NoBus(String),
}

/// Acquires the bus name without queueing for it.
pub fn acquire() -> Result<Instance, InstanceError> {
    let connected = within(BUS_LIMIT, async {
        let connection = Connection::session().await?;
        connection
            .request_name_with_flags(APP_ID, RequestNameFlags::DO_NOT_QUEUE)
            .await?;
        Ok(connection)
    });
    match connected {
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
    /// Returns whether a panel shows tray icons now: a StatusNotifierWatcher with a registered host.
    ///
    /// If it returns false, a panel may still start later, and gets the icon then.
    pub fn has_tray_host(&self) -> bool {
        within(BUS_LIMIT, self.read_tray_host())
            .flatten()
            .unwrap_or(false)
    }

    async fn read_tray_host(&self) -> Option<bool> {
        let reply = self.connection.call_method(
            Some(WATCHER),
            WATCHER_PATH,
            Some("org.freedesktop.DBus.Properties"),
            "Get",
            &(WATCHER, "IsStatusNotifierHostRegistered"),
        );
        let value: OwnedVariant = reply.await.ok()?.body().deserialize().ok()?;
        bool::try_from(value).ok()
    }

    /// Blocks until the session bus closes the connection. There is no deadline, so call it on a separate thread.
    pub fn wait_for_end_of_bus(&self) {
        let mut messages = MessageStream::from(&self.connection);
        block_on(async { while let Some(Ok(_)) = messages.next().await {} });
    }
}
