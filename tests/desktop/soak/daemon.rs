//! A notification daemon that records the notifications it was asked to show, those that are open, and those that were
//! closed. It can end as a killed one does, and be replaced by another, which counts its notifications from 1 again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::{Connection, Message, MessageStream};

use crate::desktop::NotifyArguments;

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// The reason why a notification was closed, in the terms of the specification.
#[derive(Debug, Clone, Copy)]
enum Reason {
    Expired = 1,
    Asked = 3,
}

/// A notification that a program requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The daemon's id.
    pub(crate) id: u32,
    /// Whether it replaced an open one.
    pub(crate) replaces: bool,
    pub(crate) summary: String,
    pub(crate) body: String,
    /// Whether it expires.
    pub(crate) is_transient: bool,
    /// Keys and labels in turn.
    actions: Vec<String>,
    sender: String,
}

#[derive(Debug, Default)]
struct Record {
    /// The notifications since the last [`Daemon::take_shown`].
    shown: Vec<Shown>,
    open: BTreeMap<u32, Shown>,
    last: u32,
}

pub(crate) struct Daemon {
    address: String,
    connection: Option<Connection>,
    record: Arc<Mutex<Record>>,
    /// The transient ones that have expired, each with the program that requested it.
    expired: Vec<(u32, String)>,
}

impl Daemon {
    /// Starts it on the bus at this address.
    pub(crate) fn start(address: &str) -> Self {
        let mut daemon = Self {
            address: address.to_owned(),
            connection: None,
            record: Arc::default(),
            expired: Vec::new(),
        };
        daemon.restart();
        daemon
    }

    /// Ends as a killed process does; its notifications vanish.
    pub(crate) fn kill(&mut self) {
        let connection = self.connection.take().unwrap();
        block_on(connection.close()).unwrap();
        let mut record = self.record.lock().unwrap();
        record.open.clear();
        record.last = 0;
        self.expired.clear();
    }

    /// Starts another daemon in its place.
    pub(crate) fn restart(&mut self) {
        let address = self.address.as_str();
        let connection = zbus::connection::Builder::address(address).build();
        let connection = block_on(connection).unwrap();
        let stream = MessageStream::from(&connection);
        thread::spawn({
            let (connection, record) = (connection.clone(), Arc::clone(&self.record));
            move || block_on(serve(&connection, stream, &record))
        });
        block_on(connection.request_name(NAME)).unwrap();
        self.connection = Some(connection);
    }

    /// The notifications requested since the last call.
    pub(crate) fn take_shown(&self) -> Vec<Shown> {
        std::mem::take(&mut self.record.lock().unwrap().shown)
    }

    /// The open notifications.
    pub(crate) fn open(&self) -> BTreeMap<u32, Shown> {
        self.record.lock().unwrap().open.clone()
    }

    /// Closes the transient notifications. A program listens only once it knows the id, so the signal is sent again
    /// each time.
    pub(crate) fn expire(&mut self) {
        let Some(connection) = &self.connection else {
            return;
        };
        let mut record = self.record.lock().unwrap();
        let (transient, open): (BTreeMap<_, _>, _) = std::mem::take(&mut record.open)
            .into_iter()
            .partition(|(_, shown)| shown.is_transient);
        record.open = open;
        drop(record);
        for (id, sender) in &self.expired {
            block_on(signal_closed(connection, sender, *id, Reason::Expired));
        }
        self.expired.clear();
        for (id, shown) in transient {
            block_on(signal_closed(
                connection,
                &shown.sender,
                id,
                Reason::Expired,
            ));
            self.expired.push((id, shown.sender));
        }
    }
}

async fn signal_closed(connection: &Connection, sender: &str, id: u32, reason: Reason) {
    // The sender may have left the bus since.
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

async fn serve(connection: &Connection, mut stream: MessageStream, record: &Mutex<Record>) {
    while let Some(Ok(message)) = stream.next().await {
        let header = message.header();
        if header.message_type() != zbus::message::Type::MethodCall {
            continue;
        }
        // Without a connection for the reply the daemon is gone too.
        let _ = match header.member().map(|member| member.as_str().to_owned()) {
            Some(member) if member == "GetCapabilities" => {
                let capabilities = ["actions", "body"].as_slice();
                connection.reply(&header, &capabilities).await
            }
            Some(member) if member == "Notify" => {
                let id = record.lock().unwrap().show(&message);
                connection.reply(&header, &id).await
            }
            Some(member) if member == "CloseNotification" => {
                let id: u32 = message.body().deserialize().unwrap();
                let closed = record.lock().unwrap().close(id);
                let replied = connection.reply(&header, &()).await;
                if let Some(shown) = closed {
                    signal_closed(connection, &shown.sender, id, Reason::Asked).await;
                }
                replied
            }
            other => panic!("nobody should call {other:?}"),
        };
    }
}

impl Record {
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
            // 0: never expires. For the answer to a click the daemon decides.
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
