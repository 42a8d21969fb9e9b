//! One question to the daemon that it has not answered yet.

use std::pin::Pin;
use std::time::{Duration, Instant};

use notify_rust::{Notification, NotificationHandle};
use zbus::Connection;

use super::{CALL_LIMIT, DAEMON, DAEMON_PATH, ShowError};
use crate::desktop::notify::compose::{Actions, Capabilities};
use crate::desktop::notify::queue::Waiting;

/// What the daemon answers.
pub(super) enum Answer {
    Capabilities(Capabilities),
    Shown(Box<NotificationHandle>, Actions),
}

/// A question, and the notice that it was asked for.
pub(super) struct Asked {
    pub(super) waiting: Waiting,
    /// Whether its problem is not over yet.
    pub(super) is_wanted: bool,
    /// Whether it has been said that no answer comes.
    pub(super) is_told_late: bool,
    since: Instant,
    pub(super) answer: Pin<Box<dyn Future<Output = Result<Answer, ShowError>>>>,
}

impl Asked {
    /// What it can show.
    pub(super) fn for_capabilities(waiting: Waiting, connection: Connection) -> Self {
        Self::new(waiting, async move {
            let name = Some(DAEMON);
            let reply = connection
                .call_method(name, DAEMON_PATH, name, "GetCapabilities", &())
                .await?;
            let names: Vec<String> = reply.body().deserialize()?;
            Ok(Answer::Capabilities(Capabilities::new(&names)))
        })
    }

    /// To show this.
    pub(super) fn to_show(waiting: Waiting, notification: Notification, actions: Actions) -> Self {
        Self::new(waiting, async move {
            let handle = notification.show_async().await?;
            Ok(Answer::Shown(Box::new(handle), actions))
        })
    }

    fn new(
        waiting: Waiting,
        answer: impl Future<Output = Result<Answer, ShowError>> + 'static,
    ) -> Self {
        Self {
            waiting,
            is_wanted: true,
            is_told_late: false,
            since: Instant::now(),
            answer: Box::pin(answer),
        }
    }

    /// Until it is to be said that no answer comes.
    pub(super) fn time_left(&self) -> Option<Duration> {
        (!self.is_told_late).then(|| CALL_LIMIT.saturating_sub(self.since.elapsed()))
    }

    /// Whether that is to be said now.
    pub(super) fn is_overdue(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }
}
