//! A notification daemon that keeps account: what it was asked to show, what of that is open, and what was closed. It
//! can die as a killed one does, and another can take its place, which counts its notifications from 1 again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::{Connection, Message, MessageStream};

use crate::desktop::NotifyArguments;

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// Why a notification is gone, in the words of the specification.
#[derive(Debug, Clone, Copy)]
enum Reason {
    Expired = 1,
    Asked = 3,
}

/// A notification that a program wanted shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// What the daemon calls it.
    pub(crate) id: u32,
    /// Whether it took the place of one that was open.
    pub(crate) replaces: bool,
    /// Its title.
    pub(crate) summary: String,
    /// Its text.
    pub(crate) body: String,
    /// Whether it goes by itself.
    pub(crate) is_transient: bool,
    /// Keys and labels in turn.
    actions: Vec<String>,
    sender: String,
}

#[derive(Debug, Default)]
struct Account {
    /// What was shown and not taken out of the account yet.
    shown: Vec<Shown>,
    open: BTreeMap<u32, Shown>,
    last: u32,
}

/// The daemon.
pub(crate) struct Daemon {
    address: String,
    connection: Option<Connection>,
    account: Arc<Mutex<Account>>,
    /// The transient ones that have expired, with the program that showed each.
    expired: Vec<(u32, String)>,
}

impl Daemon {
    /// On the bus at this address.
    pub(crate) fn start(address: &str) -> Self {
        let mut daemon = Self {
            address: address.to_owned(),
            connection: None,
            account: Arc::default(),
            expired: Vec::new(),
        };
        daemon.come_back();
        daemon
    }

    /// Ends as a killed process does, with everything it showed.
    pub(crate) fn die(&mut self) {
        let connection = self.connection.take().unwrap();
        block_on(connection.close()).unwrap();
        let mut account = self.account.lock().unwrap();
        account.open.clear();
        account.last = 0;
        self.expired.clear();
    }

    /// Another one takes its place.
    pub(crate) fn come_back(&mut self) {
        let address = self.address.as_str();
        let connection = zbus::connection::Builder::address(address).build();
        let connection = block_on(connection).unwrap();
        let stream = MessageStream::from(&connection);
        thread::spawn({
            let (connection, account) = (connection.clone(), Arc::clone(&self.account));
            move || block_on(serve(&connection, stream, &account))
        });
        block_on(connection.request_name(NAME)).unwrap();
        self.connection = Some(connection);
    }

    /// What was shown since this was last asked.
    pub(crate) fn take_shown(&self) -> Vec<Shown> {
        std::mem::take(&mut self.account.lock().unwrap().shown)
    }

    /// What is open.
    pub(crate) fn open(&self) -> BTreeMap<u32, Shown> {
        self.account.lock().unwrap().open.clone()
    }

    /// What may go by itself goes. A program begins to listen only once it knows the id, so that is said again each time.
    pub(crate) fn expire(&mut self) {
        let Some(connection) = &self.connection else {
            return;
        };
        let mut account = self.account.lock().unwrap();
        let (transient, open): (BTreeMap<_, _>, _) = std::mem::take(&mut account.open)
            .into_iter()
            .partition(|(_, shown)| shown.is_transient);
        account.open = open;
        drop(account);
        for (id, sender) in &self.expired {
            block_on(tell_closed(connection, sender, *id, Reason::Expired));
        }
        self.expired.clear();
        for (id, shown) in transient {
            block_on(tell_closed(connection, &shown.sender, id, Reason::Expired));
            self.expired.push((id, shown.sender));
        }
    }
}

async fn tell_closed(connection: &Connection, sender: &str, id: u32, reason: Reason) {
    // Who showed it may have left the bus since.
    let _ = connection
        .emit_signal(
            Some(sender),
            PATH,
            NAME,
            "NotificationClosed",
            &(id, reason as u32),
        )
        .await;
}

async fn serve(connection: &Connection, mut stream: MessageStream, account: &Mutex<Account>) {
    while let Some(Ok(message)) = stream.next().await {
        let header = message.header();
        if header.message_type() != zbus::message::Type::MethodCall {
            continue;
        }
        // A reply that finds no connection any more finds no daemon either.
        let _ = match header.member().map(|member| member.as_str().to_owned()) {
            Some(member) if member == "GetCapabilities" => {
                let capabilities = ["actions", "body"].as_slice();
                connection.reply(&header, &capabilities).await
            }
            Some(member) if member == "Notify" => {
                let id = account.lock().unwrap().show(&message);
                connection.reply(&header, &id).await
            }
            Some(member) if member == "CloseNotification" => {
                let id: u32 = message.body().deserialize().unwrap();
                let closed = account.lock().unwrap().close(id);
                let replied = connection.reply(&header, &()).await;
                if let Some(shown) = closed {
                    tell_closed(connection, &shown.sender, id, Reason::Asked).await;
                }
                replied
            }
            other => panic!("nobody should call {other:?}"),
        };
    }
}

impl Account {
    fn show(&mut self, message: &Message) -> u32 {
        let arguments: NotifyArguments = message.body().deserialize().unwrap();
        let (_, replaced, _, summary, body, actions, _, timeout) = arguments;
        let is_replacement = self.open.contains_key(&replaced);
        let id = if is_replacement {
            replaced
        } else {
            self.last += 1;
            self.last
        };
        let shown = Shown {
            id,
            replaces: is_replacement,
            summary,
            body,
            // 0: never by itself. What is an answer leaves that to the daemon.
            is_transient: timeout != 0,
            actions,
            sender: message.header().sender().unwrap().to_string(),
        };
        self.open.insert(id, shown.clone());
        self.shown.push(shown);
        id
    }

    fn close(&mut self, id: u32) -> Option<Shown> {
        self.open.remove(&id)
    }
}
