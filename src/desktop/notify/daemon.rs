//! The notifications that are open, and the conversation with the daemon that shows them.
//!
//! All of it happens on one thread. One notice at a time is given to the daemon; the others wait for as long as it does
//! not answer, or is not there, and what is over meanwhile is never shown. A call that is late is not given up: who
//! comes to life again shows what it was asked, and that has to be taken back some day. A daemon that ends takes its
//! notifications with it.

mod pending_call;

use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_lite::Stream as _;
use notify_rust::{NotificationHandle, NotificationResponse};
use zbus::Connection;
use zbus::fdo::{self, DBusProxy, NameOwnerChangedStream};

use crate::crash::contained;
use crate::decide::intent::Intent;
use crate::decide::notice::{Notice, NoticeKey};
use crate::desktop::block_on::{Bell, poll_once, within, within_unless};

use super::compose::{Actions, Capabilities, compose};
use super::queue::{Queue, Waiting};
use pending_call::{Answer, Asked};

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
    waiting: Queue,
    /// Nobody is there to be given what waits, until something changes.
    is_held: bool,
    asked: Option<Asked>,
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

impl ShowError {
    /// Whether the bus has answered that nobody has the daemon's name.
    fn is_nobodys(&self) -> bool {
        let Self::Bus(zbus::Error::FDO(error)) = self else {
            return false;
        };
        matches!(
            **error,
            fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_)
        )
    }

    /// Whether the daemon has answered, with an error of its own.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Bus(zbus::Error::MethodError(..)))
    }
}

impl<S: Fn(Intent)> Desk<S> {
    /// `bell` is rung when the daemon has said something; `ending` ends a wait for the daemon early.
    pub(super) fn new(send: S, bell: Arc<Bell>, ending: Arc<AtomicBool>) -> Self {
        Self {
            send,
            bell,
            ending,
            daemon: None,
            waiting: Queue::default(),
            is_held: false,
            asked: None,
            open: HashMap::new(),
            warned: false,
        }
    }

    /// Has the notice shown, in the place of the one with its key, as soon as the daemon takes it.
    pub(super) fn show(&mut self, notice: Notice) {
        self.waiting.put(Waiting::new(notice, Instant::now()));
        self.is_held = false;
    }

    /// Shows the notice, whatever time it takes; returns at once where there is nobody to show it.
    pub(super) fn show_now(&mut self, notice: Notice) {
        self.show(notice);
        loop {
            if self.go_on() {
                continue;
            }
            if self.asked.is_none() {
                return;
            }
            self.wait();
        }
    }

    /// Tries again what could not be given to anybody: the bus is another.
    pub(super) fn try_again(&mut self) {
        self.is_held = false;
    }

    /// Takes in what the daemon has said, and gives it the next notice. Whether there was anything to do; if not, the
    /// bell rings when there is.
    pub(super) fn go_on(&mut self) -> bool {
        // What the daemon has closed by now is not to be replaced.
        let news = self.listen_to_owner();
        let news = self.listen_to_all() || news;
        let news = self.listen_to_answer() || news;
        self.give_next() || news
    }

    /// Gives the daemon the next notice, if it has answered the last.
    fn give_next(&mut self) -> bool {
        if self.is_held || self.asked.is_some() {
            return false;
        }
        let Some(waiting) = self.waiting.take(Instant::now()) else {
            return false;
        };
        self.ask(waiting);
        true
    }

    /// Asks the daemon to show it, or first what it can show.
    fn ask(&mut self, waiting: Waiting) {
        let daemon = match &mut self.daemon {
            Some(daemon) => daemon,
            none => match within_unless(&self.bell, &self.ending, CALL_LIMIT, Daemon::find()) {
                Some(Ok(found)) => none.insert(found),
                Some(Err(error)) => return self.not_shown(waiting, &error.into(), false),
                None => return self.not_shown(waiting, &ShowError::Late, false),
            },
        };
        self.asked = Some(match daemon.capabilities {
            None => Asked::for_capabilities(waiting, daemon.connection.clone()),
            Some(capabilities) => {
                let (mut notification, actions) = compose(&waiting.notice, capabilities);
                if let Some(open) = self.open.remove(&waiting.notice.key) {
                    notification.id(open.handle.id());
                }
                Asked::to_show(waiting, notification, actions)
            }
        });
    }

    /// Takes in what the daemon has answered.
    fn listen_to_answer(&mut self) -> bool {
        let Some(asked) = &mut self.asked else {
            return false;
        };
        let waker = Waker::from(Arc::clone(&self.bell));
        let Some(answer) = poll_once(asked.answer.as_mut(), &waker) else {
            if asked.is_overdue() {
                asked.is_told_late = true;
                self.warn(&ShowError::Late);
            }
            return false;
        };
        let Some(asked) = self.asked.take() else {
            return false;
        };
        match answer {
            Ok(Answer::Capabilities(capabilities)) => {
                if let Some(daemon) = &mut self.daemon {
                    daemon.capabilities = Some(capabilities);
                }
                if asked.is_wanted {
                    self.ask(asked.waiting);
                }
            }
            Ok(Answer::Shown(handle, actions)) => {
                // What has the same number has taken the other's place, whatever the daemon meant by that.
                self.open
                    .retain(|_, other| other.handle.id() != handle.id());
                tracing::debug!(id = handle.id(), "notification shown");
                let key = asked.waiting.notice.key;
                self.open.insert(key.clone(), Open::new(*handle, actions));
                if !asked.is_wanted {
                    self.take_back(&key);
                }
            }
            Err(error) if asked.is_wanted => {
                let has_daemon = self.has_daemon();
                self.not_shown(asked.waiting, &error, has_daemon);
                // That the daemon is gone may be told after what that did to the call, and is no second loss.
                while self.listen_to_owner() {}
            }
            Err(error) => tracing::debug!("notification not shown: {error}"),
        }
        true
    }

    /// Whether a daemon is there now.
    fn has_daemon(&self) -> bool {
        let Some(daemon) = &self.daemon else {
            return false;
        };
        let asked = within_unless(&self.bell, &self.ending, CALL_LIMIT, daemon.is_there());
        asked.is_some_and(|there| there.unwrap_or(false))
    }

    /// Keeps a notice for the next daemon where there is none. Where there is one, it may not be the one that was asked,
    /// and is asked once; one that came too late for the question has not been asked at all, and one that refused has
    /// answered, even if it has left since.
    fn not_shown(&mut self, waiting: Waiting, error: &ShowError, has_daemon: bool) {
        self.warn(error);
        self.is_held = !has_daemon;
        let is_asked = error.is_refusal() || has_daemon && !error.is_nobodys();
        let kept = if is_asked {
            waiting.lost()
        } else {
            Some(waiting)
        };
        if let Some(waiting) = kept {
            self.waiting.put_back(waiting);
        }
    }

    fn warn(&mut self, error: &ShowError) {
        if self.warned {
            tracing::debug!("notification not shown: {error}");
        } else {
            self.warned = true;
            tracing::warn!(
                "cannot show notifications: {error}; `muxtray list` still tells of every problem"
            );
        }
    }

    /// Closes the notification with this key, or sees to it that it is never shown.
    pub(super) fn close(&mut self, key: &NoticeKey) {
        self.waiting.remove(key);
        if let Some(asked) = &mut self.asked
            && asked.waiting.notice.key == *key
        {
            asked.is_wanted = false;
        }
        self.take_back(key);
    }

    /// Closes the notification with this key.
    fn take_back(&mut self, key: &NoticeKey) {
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
        if let Some(asked) = self.asked.take()
            && let Some(Ok(Answer::Shown(handle, actions))) =
                within_unless(&self.bell, &self.ending, CALL_LIMIT, asked.answer)
        {
            let key = asked.waiting.notice.key;
            self.open.insert(key, Open::new(*handle, actions));
        }
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

    /// Waits until the bell is rung, or an answer is overdue.
    pub(super) fn wait(&self) {
        match self.asked.as_ref().and_then(Asked::time_left) {
            Some(left) => self.bell.wait_for(left),
            None => self.bell.wait(),
        }
    }

    /// Forgets everything that a daemon which is gone has shown, and gives its successor what it has not answered.
    fn listen_to_owner(&mut self) -> bool {
        let Some(daemon) = &mut self.daemon else {
            return false;
        };
        let waker = Waker::from(Arc::clone(&self.bell));
        match Pin::new(&mut daemon.owners).poll_next(&mut Context::from_waker(&waker)) {
            Poll::Pending => false,
            Poll::Ready(Some(signal)) => {
                let change = signal.args();
                // A daemon that merely appears is the one our own call has started.
                if change.as_ref().is_ok_and(|it| it.old_owner().is_some()) {
                    daemon.capabilities = None;
                    self.forget_daemon();
                }
                if change.is_ok_and(|it| it.new_owner().is_some()) {
                    self.is_held = false;
                }
                true
            }
            Poll::Ready(None) => {
                self.daemon = None;
                self.is_held = true;
                self.forget_daemon();
                true
            }
        }
    }

    fn forget_daemon(&mut self) {
        self.open.clear();
        let Some(mut asked) = self.asked.take().filter(|asked| asked.is_wanted) else {
            return;
        };
        // What was shown before the end is not lost.
        let answer = poll_once(asked.answer.as_mut(), Waker::noop());
        if !matches!(answer, Some(Ok(Answer::Shown(..))))
            && let Some(waiting) = asked.waiting.lost()
        {
            self.waiting.put_back(waiting);
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
            self.take_back(&key);
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

    async fn is_there(&self) -> zbus::Result<bool> {
        let name = DAEMON.try_into()?;
        Ok(DBusProxy::new(&self.connection)
            .await?
            .name_has_owner(name)
            .await?)
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
