//! The notifications that are open, and the conversation with the daemon that shows them.
//!
//! All of it happens on one thread. Every call has a deadline; a daemon that ends takes its notifications with it.

use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_lite::Stream as _;
use notify_rust::{NotificationHandle, NotificationResponse};
use zbus::Connection;
use zbus::fdo::{DBusProxy, NameOwnerChangedStream};

use crate::core::intent::Intent;
use crate::core::notice::{Notice, NoticeKey};
use crate::crash::contained;
use crate::desktop::wait::{Bell, poll_once, within, within_unless};

use super::compose::{Actions, Capabilities, compose};

/// How long a daemon may take to answer; the first call may have to start it.
const CALL_LIMIT: Duration = Duration::from_secs(5);

/// How long all notifications together may take to be closed at the end.
const CLOSE_ALL_LIMIT: Duration = Duration::from_secs(1);

const DAEMON: &str = "org.freedesktop.Notifications";
const DAEMON_PATH: &str = "/org/freedesktop/Notifications";

/// Everything the thread knows.
pub(super) struct Desk<S> {
    send: S,
    bell: Arc<Bell>,
    ending: Arc<AtomicBool>,
    daemon: Option<Daemon>,
    open: HashMap<NoticeKey, Open>,
    warned: bool,
}

/// The daemon of this session.
struct Daemon {
    /// Says when the daemon's name changes hands.
    owners: NameOwnerChangedStream,
    connection: Connection,
    /// Asked once for each daemon.
    capabilities: Option<Capabilities>,
}

/// A notification on the screen.
struct Open {
    /// Holds the connection that showed it: some daemons (dunst) tell only that one of a pressed button.
    handle: Rc<NotificationHandle>,
    actions: Actions,
    /// Ends with the first thing the daemon says of it; `None` where the connection broke.
    response: Pin<Box<dyn Future<Output = Option<NotificationResponse>>>>,
}

/// Why a notice could not be shown.
#[derive(Debug, thiserror::Error)]
enum ShowError {
    #[error("no answer within {} s", CALL_LIMIT.as_secs())]
    Late,
    #[error(transparent)]
    Bus(#[from] zbus::Error),
    #[error(transparent)]
    Notify(#[from] notify_rust::error::Error),
}

impl<S: Fn(Intent)> Desk<S> {
    /// `bell` is rung when the daemon has said something; `ending` ends a wait for the daemon early.
    pub(super) fn new(send: S, bell: Arc<Bell>, ending: Arc<AtomicBool>) -> Self {
        Self {
            send,
            bell,
            ending,
            daemon: None,
            open: HashMap::new(),
            warned: false,
        }
    }

    /// Shows the notice, in the place of the one with its key.
    pub(super) fn show(&mut self, notice: &Notice) {
        // What the daemon has closed by now is not to be replaced.
        self.listen_to_all();
        if let Err(error) = self.try_show(notice) {
            self.open.remove(&notice.key);
            if self.warned {
                tracing::debug!("notification not shown: {error}");
            } else {
                self.warned = true;
                tracing::warn!(
                    "cannot show notifications: {error}; `muxtray list` still tells of every problem"
                );
            }
        }
    }

    fn try_show(&mut self, notice: &Notice) -> Result<(), ShowError> {
        let capabilities = self.capabilities()?;
        let (mut notification, actions) = compose(notice, capabilities);
        let replaced = self.open.remove(&notice.key);
        if let Some(open) = &replaced {
            notification.id(open.handle.id());
        }
        let handle = within_unless(
            &self.bell,
            &self.ending,
            CALL_LIMIT,
            notification.show_async(),
        )
        .ok_or(ShowError::Late)??;
        self.open
            .insert(notice.key.clone(), Open::new(handle, actions));
        Ok(())
    }

    /// The capabilities of the daemon, which is found and if need be started by this.
    fn capabilities(&mut self) -> Result<Capabilities, ShowError> {
        let (bell, ending) = (&self.bell, &self.ending);
        let daemon = match &mut self.daemon {
            Some(daemon) => daemon,
            none => none.insert(
                within_unless(bell, ending, CALL_LIMIT, Daemon::find())
                    .ok_or(ShowError::Late)??,
            ),
        };
        if let Some(capabilities) = daemon.capabilities {
            return Ok(capabilities);
        }
        let asked = within_unless(bell, ending, CALL_LIMIT, daemon.ask_capabilities());
        let capabilities = asked.ok_or(ShowError::Late)??;
        daemon.capabilities = Some(capabilities);
        Ok(capabilities)
    }

    /// Closes the notification with this key.
    pub(super) fn close(&mut self, key: &NoticeKey) {
        if let Some(open) = self.open.remove(key) {
            // Where the daemon has closed it itself, it answers with an error that says nothing new.
            let closed = within_unless(
                &self.bell,
                &self.ending,
                CALL_LIMIT,
                open.handle.close_async(),
            );
            if closed.is_none() {
                tracing::debug!("the notification daemon did not close a notification in time");
            }
        }
    }

    /// Closes what is open, in a second at most.
    pub(super) fn close_all(&mut self) {
        let open = std::mem::take(&mut self.open);
        let closed = within(CLOSE_ALL_LIMIT, async {
            for open in open.values() {
                open.handle.close_async().await;
            }
        });
        if closed.is_none() {
            tracing::debug!("the notification daemon did not close the last notifications in time");
        }
    }

    /// Waits until the bell is rung.
    pub(super) fn wait(&self) {
        self.bell.wait();
    }

    /// Takes in what the daemon has said. Whether there was anything; if not, the bell rings with the next.
    pub(super) fn listen(&mut self) -> bool {
        let news = self.listen_to_owner();
        self.listen_to_all() || news
    }

    /// Forgets everything that a daemon which is gone has shown.
    fn listen_to_owner(&mut self) -> bool {
        let Some(daemon) = &mut self.daemon else {
            return false;
        };
        let waker = Waker::from(Arc::clone(&self.bell));
        match Pin::new(&mut daemon.owners).poll_next(&mut Context::from_waker(&waker)) {
            Poll::Pending => false,
            Poll::Ready(Some(signal)) => {
                // A daemon that merely appears is the one our own call has started.
                if signal
                    .args()
                    .is_ok_and(|change| change.old_owner().is_some())
                {
                    daemon.capabilities = None;
                    self.open.clear();
                }
                true
            }
            Poll::Ready(None) => {
                self.daemon = None;
                self.open.clear();
                true
            }
        }
    }

    /// Acts on pressed buttons, and forgets what is closed.
    fn listen_to_all(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.bell));
        let mut over = Vec::new();
        for (key, open) in &mut self.open {
            // notify-rust unwraps what the bus answers while it begins to listen; a bus that breaks then must not
            // end this thread.
            let poll = || poll_once(open.response.as_mut(), &waker);
            if let Some(response) = contained(poll).unwrap_or(Some(None)) {
                over.push((key.clone(), response));
            }
        }
        let news = !over.is_empty();
        for (key, response) in over {
            let intent = match response {
                Some(NotificationResponse::Default) => self.intent(&key, "default"),
                Some(NotificationResponse::Action(name)) => self.intent(&key, &name),
                Some(_) | None => {
                    self.open.remove(&key);
                    continue;
                }
            };
            if let Some(intent) = intent {
                (self.send)(intent);
            }
            // A button acts once. Most daemons close what was answered; those that do not are asked to.
            self.close(&key);
        }
        news
    }

    fn intent(&self, key: &NoticeKey, action: &str) -> Option<Intent> {
        let actions = &self.open.get(key)?.actions;
        let (_, intent) = actions.iter().find(|(name, _)| name == action)?;
        Some(intent.clone())
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

    async fn ask_capabilities(&self) -> zbus::Result<Capabilities> {
        let reply = self
            .connection
            .call_method(
                Some(DAEMON),
                DAEMON_PATH,
                Some(DAEMON),
                "GetCapabilities",
                &(),
            )
            .await?;
        let names: Vec<String> = reply.body().deserialize()?;
        Ok(Capabilities::new(&names))
    }
}

impl Open {
    fn new(handle: NotificationHandle, actions: Actions) -> Self {
        let handle = Rc::new(handle);
        let listening = Rc::clone(&handle);
        let response = Box::pin(async move {
            let mut heard = None;
            listening
                .wait_for_action_async(|response: &NotificationResponse| {
                    heard = Some(response.clone());
                })
                .await;
            heard
        });
        Self {
            handle,
            actions,
            response,
        }
    }
}
