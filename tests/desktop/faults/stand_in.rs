//! A notification daemon with answers chosen by the test.

use std::sync::{Arc, Mutex};
use std::thread;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::{Connection, Message, MessageStream};

use crate::desktop::NotifyArguments;
use crate::support::{PATIENCE, look_for, wait_for, wait_until};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// Its capabilities.
const CAPABILITIES: &[&str] = &["body", "actions"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Follows the specification.
    Good,
    /// Takes every call and answers none.
    Deaf,
    /// Reports its capabilities, and answers requests to show something only after [`StandIn::answer`].
    Slow,
    /// Ends on the first request to show something.
    DiesAtNotify,
    /// Answers everything with an error.
    Refuses,
    /// Gives every notification this id, and has a hundred thousand unknown capabilities.
    Absurd(u32),
}

/// A received call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Capabilities,
    Notify {
        summary: String,
        id: u32,
        actions: Vec<String>,
    },
    Close(u32),
}

/// The daemon. It leaves the bus when it is dropped.
pub(crate) struct StandIn {
    connection: Connection,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// The unanswered requests, each with the id to answer.
    owed: Arc<Mutex<Vec<(Message, u32)>>>,
}

impl StandIn {
    #[track_caller]
    pub(crate) fn start(address: &str, manner: Manner) -> Self {
        let builder = zbus::connection::Builder::address(address);
        let connection = block_on(builder.method_timeout(PATIENCE).build()).unwrap();
        let stream = MessageStream::from(&connection);
        wait_until("the name is free", PATIENCE, || {
            block_on(connection.request_name(NAME)).is_ok()
        });
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let owed: Arc<Mutex<Vec<(Message, u32)>>> = Arc::default();
        // Ends with the connection.
        thread::spawn({
            let (connection, asked, owed) =
                (connection.clone(), Arc::clone(&asked), Arc::clone(&owed));
            move || block_on(serve(&connection, stream, manner, &asked, &owed))
        });
        Self {
            connection,
            asked,
            owed,
        }
    }

    /// All calls received so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The titles of the requests to show a notification, in order.
    pub(crate) fn shown(&self) -> Vec<String> {
        let title = |asked| match asked {
            Asked::Notify { summary, .. } => Some(summary),
            Asked::Capabilities | Asked::Close(_) => None,
        };
        self.asked().into_iter().filter_map(title).collect()
    }

    /// Waits until exactly these titles were requested.
    #[track_caller]
    pub(crate) fn wait_for_shown(&self, titles: &[&str]) {
        let there = look_for(PATIENCE, || {
            (self.shown().len() >= titles.len()).then(|| self.shown())
        });
        assert_eq!(there.unwrap_or_else(|| self.shown()), titles);
    }

    /// The id and the sender's actions of the notification with this title.
    #[track_caller]
    pub(crate) fn notification(&self, title: &str) -> (u32, Vec<String>) {
        wait_for(&format!("{title:?} is shown"), PATIENCE, || {
            self.asked()
                .into_iter()
                .rev()
                .find_map(|asked| match asked {
                    Asked::Notify {
                        summary,
                        id,
                        actions,
                    } if summary == title => Some((id, actions)),
                    Asked::Notify { .. } | Asked::Capabilities | Asked::Close(_) => None,
                })
        })
    }

    /// Answers the unanswered requests.
    pub(crate) fn answer(&self) {
        for (message, id) in self.owed.lock().unwrap().drain(..) {
            block_on(self.connection.reply(&message.header(), &id)).unwrap();
        }
    }

    /// Signals to every client that this action of this notification was chosen.
    pub(crate) fn invoke(&self, id: u32, action: &str) {
        let body = (id, action);
        let none = None::<&str>;
        block_on(
            self.connection
                .emit_signal(none, PATH, NAME, "ActionInvoked", &body),
        )
        .unwrap();
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // The bus may be gone already.
        let _ = block_on(self.connection.clone().close());
    }
}

async fn serve(
    connection: &Connection,
    mut stream: MessageStream,
    manner: Manner,
    asked: &Mutex<Vec<Asked>>,
    owed: &Mutex<Vec<(Message, u32)>>,
) {
    let mut last = 0;
    while let Some(Ok(message)) = stream.next().await {
        let header = message.header();
        if header.message_type() != zbus::message::Type::MethodCall {
            continue;
        }
        // A recorded call has its answer underway.
        if manner == Manner::Refuses {
            refuse(connection, &message).await;
        }
        let note = |what| asked.lock().unwrap().push(what);
        let member = header.member().unwrap().as_str();
        if member == "Notify" {
            let (title, replaced, actions) = read_notify(&message);
            let id = match manner {
                Manner::Absurd(id) => id,
                _ if replaced != 0 => replaced,
                _ => {
                    last += 1;
                    last
                }
            };
            note(Asked::Notify {
                summary: title,
                id,
                actions,
            });
            match manner {
                Manner::Good | Manner::Absurd(_) => {
                    let _ = connection.reply(&header, &id).await;
                }
                Manner::Deaf | Manner::Slow => owed.lock().unwrap().push((message.clone(), id)),
                Manner::DiesAtNotify => return drop(connection.clone().close().await),
                Manner::Refuses => {}
            }
            continue;
        }
        note(match member {
            "GetCapabilities" => Asked::Capabilities,
            "CloseNotification" => Asked::Close(message.body().deserialize().unwrap()),
            other => panic!("nobody should call {other}"),
        });
        let is_about_capabilities = member == "GetCapabilities";
        match manner {
            Manner::Deaf | Manner::Refuses => {}
            Manner::Absurd(_) if is_about_capabilities => {
                let all: Vec<String> = (0..100_000)
                    .map(|number| format!("x-{number}"))
                    .chain(["actions".to_owned()])
                    .collect();
                connection.reply(&header, &all).await.unwrap();
            }
            Manner::Good | Manner::Slow | Manner::DiesAtNotify | Manner::Absurd(_) => {
                if is_about_capabilities {
                    let _ = connection.reply(&header, &CAPABILITIES).await;
                } else {
                    let _ = connection.reply(&header, &()).await;
                }
            }
        }
    }
}

async fn refuse(connection: &Connection, message: &Message) {
    let error = "org.example.Error.Broken";
    let _ = connection
        .reply_error(&message.header(), error, &("not today",))
        .await;
}

/// The title, the replaced id, and the actions.
fn read_notify(message: &Message) -> (String, u32, Vec<String>) {
    let arguments: NotifyArguments = message.body().deserialize().unwrap();
    let (_, replaced, _, title, _, actions, _, _) = arguments;
    (title, replaced, actions)
}
