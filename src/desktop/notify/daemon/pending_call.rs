//! A call to the notification daemon that has not returned yet.

use std::pin::Pin;
use std::time::{Duration, Instant};

use notify_rust::NotificationHandle;
use zbus::Connection;
use zbus::fdo;

use crate::decide::notice::Notice;
use crate::desktop::notify::compose::{Actions, Capabilities, compose};
use crate::desktop::notify::queue::QueuedNotice;

/// The limit of a call; the first one may start the daemon.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(5);

pub(super) const DAEMON: &str = "org.freedesktop.Notifications";
const DAEMON_PATH: &str = "/org/freedesktop/Notifications";

pub(super) struct Shown {
    pub(super) handle: NotificationHandle,
    pub(super) actions: Actions,
    pub(super) capabilities: Capabilities,
}

pub(super) struct PendingCall {
    pub(super) queued: QueuedNotice,
    /// False if the notice was closed during the call.
    pub(super) is_current: bool,
    pub(super) timeout_is_logged: bool,
    since: Instant,
    pub(super) answer: Pin<Box<dyn Future<Output = Result<Shown, ShowError>>>>,
}

impl PendingCall {
    pub(super) fn new(
        queued: QueuedNotice,
        answer: impl Future<Output = Result<Shown, ShowError>> + 'static,
    ) -> Self {
        Self {
            queued,
            is_current: true,
            timeout_is_logged: false,
            since: Instant::now(),
            answer: Box::pin(answer),
        }
    }

    /// Returns the time until the timeout is logged, or `None` if it is logged already.
    pub(super) fn time_left(&self) -> Option<Duration> {
        (!self.timeout_is_logged).then(|| CALL_LIMIT.saturating_sub(self.since.elapsed()))
    }

    pub(super) fn is_overdue(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }
}

/// Shows the notice in place of the notification `replaced`. Reads the capabilities of the daemon if they are not known.
pub(super) async fn show(
    notice: Notice,
    connection: Connection,
    capabilities: Option<Capabilities>,
    replaced: Option<u32>,
) -> Result<Shown, ShowError> {
    let capabilities = match capabilities {
        Some(capabilities) => capabilities,
        None => read_capabilities(&connection).await?,
    };
    let (mut notification, actions) = compose(&notice, capabilities);
    if let Some(id) = replaced {
        notification.id(id);
    }
    Ok(Shown {
        handle: notification.show_async().await?,
        actions,
        capabilities,
    })
}

async fn read_capabilities(connection: &Connection) -> zbus::Result<Capabilities> {
    let name = Some(DAEMON);
    let reply = connection
        .call_method(name, DAEMON_PATH, name, "GetCapabilities", &())
        .await?;
    let names: Vec<String> = reply.body().deserialize()?;
    Ok(Capabilities::new(&names))
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ShowError {
    #[error("no answer within {} s", CALL_LIMIT.as_secs())]
    Late,
    #[error(transparent)]
    Bus(#[from] zbus::Error),
    #[error(transparent)]
    Notify(#[from] notify_rust::error::Error),
}

impl ShowError {
    /// Returns whether the bus replied that no process owns the name of the daemon.
    pub(super) fn has_no_owner(&self) -> bool {
        let Self::Bus(zbus::Error::FDO(error)) = self else {
            return false;
        };
        matches!(
            **error,
            fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_)
        )
    }
}
