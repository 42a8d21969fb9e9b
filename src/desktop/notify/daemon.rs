//! The open notifications, and the calls to the daemon that shows them.
//!
//! One thread makes one call at a time. While the daemon does not answer or is missing, notices stay queued, and closed
//! ones are removed. A late call is not cancelled: a daemon that continues later still shows the notification, which
//! must then be closed. When a daemon exits, its notifications are gone.

mod pending_call;

use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_lite::Stream as _;
use notify_rust::{NotificationHandle, NotificationResponse};
use parking::Parker;
use zbus::Connection;
use zbus::fdo::{DBusProxy, NameOwnerChangedStream};

use crate::crash::contained;
use crate::decide::intent::Intent;
use crate::decide::notice::{Notice, NoticeKey};
use crate::desktop::block_on::within;

use super::compose::{Actions, Capabilities, DEFAULT_ACTION};
use super::queue::{Queue, QueuedNotice};
use pending_call::{CALL_LIMIT, DAEMON, PendingCall, ShowError, Shown, show};

/// The limit for closing all notifications at the end.
const CLOSE_ALL_LIMIT: Duration = Duration::from_secs(1);

pub(super) struct DaemonClient<S> {
    send: S,
    parker: Parker,
    /// Ends the wait of `parker`.
    waker: Waker,
    daemon: Option<Daemon>,
    queue: Queue,
    /// Whether the queue is paused until a daemon appears, the bus is back, or a new notice arrives.
    is_paused: bool,
    pending_call: Option<PendingCall>,
    open: HashMap<NoticeKey, Open>,
    warned: bool,
}

struct Daemon {
    /// Signals that the owner of the daemon's name has changed.
    owners: NameOwnerChangedStream,
    connection: Connection,
    /// Read once for each daemon.
    capabilities: Option<Capabilities>,
}

struct Open {
    /// Keeps the connection that showed it: some daemons (dunst) report a pressed button to that connection only.
    handle: Rc<NotificationHandle>,
    actions: Actions,
    /// Returns the first response, or `None` if the connection broke.
    response: Pin<Box<dyn Future<Output = Option<NotificationResponse>>>>,
}

impl<S: Fn(Intent)> DaemonClient<S> {
    pub(super) fn new(send: S, parker: Parker) -> Self {
        Self {
            send,
            waker: Waker::from(parker.unparker()),
            parker,
            daemon: None,
            queue: Queue::default(),
            is_paused: false,
            pending_call: None,
            open: HashMap::new(),
            warned: false,
        }
    }

    pub(super) fn show(&mut self, notice: Notice) {
        self.queue.put(QueuedNotice::new(notice, Instant::now()));
        self.is_paused = false;
    }

    /// Retries queued notices after the bus has changed.
    pub(super) fn try_again(&mut self) {
        self.is_paused = false;
    }

    /// Handles replies and signals, and starts the next call. Returns false if there was nothing to do; the next event
    /// then ends [`Self::wait`].
    pub(super) fn process(&mut self) -> bool {
        // Handle closed notifications first: their ids must not be reused.
        let changed = self.poll_owner();
        let changed = self.poll_responses() || changed;
        let changed = self.poll_call() || changed;
        self.call_next() || changed
    }

    fn call_next(&mut self) -> bool {
        if self.is_paused || self.pending_call.is_some() {
            return false;
        }
        let Some(queued) = self.queue.take(Instant::now()) else {
            return false;
        };
        let daemon = match &mut self.daemon {
            Some(daemon) => daemon,
            none => {
                let found = within(CALL_LIMIT, Daemon::find());
                match found.map_or(Err(ShowError::Late), |found| Ok(found?)) {
                    Ok(found) => none.insert(found),
                    Err(error) => {
                        self.not_shown(queued, &error, false);
                        return true;
                    }
                }
            }
        };
        let replaced = self.open.remove(&queued.notice.key);
        let answer = show(
            queued.notice.clone(),
            daemon.connection.clone(),
            daemon.capabilities,
            replaced.map(|open| open.handle.id()),
        );
        self.pending_call = Some(PendingCall::new(queued, answer));
        true
    }

    fn poll_call(&mut self) -> bool {
        let Some(call) = &mut self.pending_call else {
            return false;
        };
        let mut context = Context::from_waker(&self.waker);
        let Poll::Ready(answer) = call.answer.as_mut().poll(&mut context) else {
            if call.is_overdue() {
                call.timeout_is_logged = true;
                self.warn(&ShowError::Late);
            }
            return false;
        };
        let Some(call) = self.pending_call.take() else {
            return false;
        };
        match answer {
            Ok(shown) => {
                if let Some(daemon) = &mut self.daemon {
                    daemon.capabilities = Some(shown.capabilities);
                }
                let id = shown.handle.id();
                // If the daemon reused the id, the other notification was replaced.
                self.open.retain(|_, other| other.handle.id() != id);
                tracing::debug!(id, "notification shown");
                let key = call.queued.notice.key;
                self.open.insert(key.clone(), Open::new(shown));
                if !call.is_current {
                    self.close_shown(&key);
                }
            }
            Err(error) if call.is_current => {
                let has_daemon = self.has_daemon();
                self.not_shown(call.queued, &error, has_daemon);
                // The signal that the daemon has exited may arrive after the failed call; handle it now, or the call
                // would count as failed twice.
                while self.poll_owner() {}
            }
            Err(error) => tracing::debug!("notification not shown: {error}"),
        }
        true
    }

    fn has_daemon(&self) -> bool {
        self.daemon.as_ref().is_some_and(|daemon| {
            let reply = within(CALL_LIMIT, daemon.has_owner());
            reply.is_some_and(|has_owner| has_owner.unwrap_or(false))
        })
    }

    /// Queues a notice again if it may still be shown. If a daemon is running and the bus did not report the name as
    /// unowned, it may have received the call, which counts as a failed try.
    fn not_shown(&mut self, queued: QueuedNotice, error: &ShowError, has_daemon: bool) {
        self.warn(error);
        self.is_paused = !has_daemon;
        let kept = if has_daemon && !error.has_no_owner() {
            queued.lost()
        } else {
            Some(queued)
        };
        if let Some(queued) = kept {
            self.queue.put_back(queued);
        }
    }

    fn warn(&mut self, error: &ShowError) {
        if self.warned {
            tracing::debug!("notification not shown: {error}");
        } else {
            self.warned = true;
            tracing::warn!(
                "cannot show notifications: {error}; `muxtray list` still reports every problem"
            );
        }
    }

    /// Closes the notification with this key, or cancels it if it is not shown yet.
    pub(super) fn close(&mut self, key: &NoticeKey) {
        self.queue.remove(key);
        if let Some(call) = &mut self.pending_call
            && call.queued.notice.key == *key
        {
            call.is_current = false;
        }
        self.close_shown(key);
    }

    fn close_shown(&mut self, key: &NoticeKey) {
        if let Some(open) = self.open.remove(key) {
            // If the daemon has already closed it, the error it returns can be ignored.
            if within(CALL_LIMIT, open.handle.close_async()).is_none() {
                tracing::debug!("the notification daemon did not close a notification in time");
            }
        }
    }

    pub(super) fn close_all(&mut self) {
        let (open, call) = (std::mem::take(&mut self.open), self.pending_call.take());
        let closed = within(CLOSE_ALL_LIMIT, async {
            for open in open.values() {
                open.handle.close_async().await;
            }
            if let Some(call) = call
                && let Ok(shown) = call.answer.await
            {
                shown.handle.close_async().await;
            }
        });
        if closed.is_none() {
            tracing::debug!("the notification daemon did not close the last notifications in time");
        }
    }

    pub(super) fn wait(&self) {
        match self.pending_call.as_ref().and_then(PendingCall::time_left) {
            Some(left) => {
                self.parker.park_timeout(left);
            }
            None => self.parker.park(),
        }
    }

    /// Handles changes of the daemon's owner. When a daemon exits, drops its notifications and queues the notice of an
    /// unfinished call.
    fn poll_owner(&mut self) -> bool {
        let Some(daemon) = &mut self.daemon else {
            return false;
        };
        match Pin::new(&mut daemon.owners).poll_next(&mut Context::from_waker(&self.waker)) {
            Poll::Pending => false,
            Poll::Ready(Some(signal)) => {
                let change = signal.args();
                // If there was no previous owner, our own call has started this daemon.
                if change.as_ref().is_ok_and(|it| it.old_owner().is_some()) {
                    daemon.capabilities = None;
                    self.forget_daemon();
                }
                if change.is_ok_and(|it| it.new_owner().is_some()) {
                    self.is_paused = false;
                }
                true
            }
            Poll::Ready(None) => {
                self.daemon = None;
                self.is_paused = true;
                self.forget_daemon();
                true
            }
        }
    }

    fn forget_daemon(&mut self) {
        self.open.clear();
        let Some(mut call) = self.pending_call.take().filter(|call| call.is_current) else {
            return;
        };
        // A notice that was shown before the exit is not queued again.
        let answer = call
            .answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if !matches!(answer, Poll::Ready(Ok(_)))
            && let Some(queued) = call.queued.lost()
        {
            self.queue.put_back(queued);
        }
    }

    /// Sends the intents of pressed buttons, and drops closed notifications.
    fn poll_responses(&mut self) -> bool {
        let mut context = Context::from_waker(&self.waker);
        let mut over = Vec::new();
        for (key, open) in &mut self.open {
            // notify-rust panics if the bus connection breaks when it starts to listen; this must not end the thread.
            let poll = || open.response.as_mut().poll(&mut context);
            if let Poll::Ready(response) = contained(poll).unwrap_or(Poll::Ready(None)) {
                over.push((key.clone(), response));
            }
        }
        let changed = !over.is_empty();
        for (key, response) in over {
            let action = match response {
                Some(NotificationResponse::Default) => DEFAULT_ACTION.to_owned(),
                Some(NotificationResponse::Action(name)) => name,
                Some(_) | None => {
                    self.open.remove(&key);
                    continue;
                }
            };
            let open = self.open.get_mut(&key);
            let action = open.and_then(|open| open.actions.remove(&action));
            if let Some(intent) = action {
                (self.send)(intent);
            }
            // A button acts once. Most daemons then close the notification; close it in the others too.
            self.close_shown(&key);
        }
        changed
    }
}

/// Shows a notice that is never closed. Returns at once if there is no bus or no daemon.
pub(super) async fn show_now(notice: Notice) {
    if let Ok(connection) = Connection::session().await
        && let Err(error) = show(notice, connection, None, None).await
    {
        tracing::debug!("notification not shown: {error}");
    }
}

impl Daemon {
    async fn find() -> zbus::Result<Self> {
        let connection = Connection::session().await?;
        let owners = DBusProxy::new(&connection)
            .await?
            .receive_name_owner_changed_with_args(&[(0, DAEMON)])
            .await?;
        Ok(Self {
            owners,
            connection,
            capabilities: None,
        })
    }

    async fn has_owner(&self) -> zbus::Result<bool> {
        let name = DAEMON.try_into()?;
        Ok(DBusProxy::new(&self.connection)
            .await?
            .name_has_owner(name)
            .await?)
    }
}

impl Open {
    fn new(shown: Shown) -> Self {
        let handle = Rc::new(shown.handle);
        let waiting_handle = Rc::clone(&handle);
        let response = Box::pin(async move {
            let mut received = None;
            waiting_handle
                .wait_for_action_async(|response: &NotificationResponse| {
                    received = Some(response.clone());
                })
                .await;
            received
        });
        Self {
            handle,
            actions: shown.actions,
            response,
        }
    }
}
