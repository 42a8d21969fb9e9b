//! The single instance of a session, held by a name on the session bus; requests to it, as org.freedesktop.Application of
//! the Desktop Entry Specification has them; and the state of the tray watcher and the bus.

use std::collections::HashMap;
use std::time::Duration;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::fdo::RequestNameFlags;
use zbus::message::Type;
use zbus::{Connection, Message, MessageStream, OwnedVariant, Variant};

use super::APP_ID;
use super::block_on::within;
use crate::decide::launch::LauncherAction;

/// A local daemon answers within milliseconds or not at all.
const BUS_LIMIT: Duration = Duration::from_secs(3);

const APPLICATION: &str = "org.freedesktop.Application";
const APPLICATION_PATH: &str = "/io/github/muxtray/Muxtray";

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
        None => Err(no_answer()),
    }
}

/// Asks the instance that runs in this session for an action.
///
/// # Errors
/// [`InstanceError::NoBus`] if it does not answer in time, or with an error.
pub fn ask_running(action: LauncherAction) -> Result<(), InstanceError> {
    let asked = within(BUS_LIMIT, async {
        let connection = Connection::session().await?;
        let (parameters, platform) = (
            Vec::<Variant<'_>>::new(),
            HashMap::<&str, Variant<'_>>::new(),
        );
        let body = (action.name(), parameters, platform);
        let (name, path) = (Some(APP_ID), APPLICATION_PATH);
        let method = "ActivateAction";
        connection
            .call_method(name, path, Some(APPLICATION), method, &body)
            .await
    });
    match asked {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(InstanceError::NoBus(error.to_string())),
        None => Err(no_answer()),
    }
}

fn no_answer() -> InstanceError {
    InstanceError::NoBus(format!("no answer within {} s", BUS_LIMIT.as_secs()))
}

/// Returns the action that a call asks for, or the name of the D-Bus error and a text.
fn requested(call: &Message) -> Result<LauncherAction, (&'static str, String)> {
    type Body = (String, Vec<OwnedVariant>, HashMap<String, OwnedVariant>);
    let invalid = |text| ("org.freedesktop.DBus.Error.InvalidArgs", text);
    match call.header().member().map_or("", |member| member.as_str()) {
        "Activate" => Ok(LauncherAction::Show),
        "ActivateAction" => {
            let body = call.body().deserialize::<Body>();
            let (name, _, _) = body.map_err(|error| invalid(error.to_string()))?;
            name.parse().map_err(invalid)
        }
        member => Err((
            "org.freedesktop.DBus.Error.UnknownMethod",
            format!("no method {member}"),
        )),
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

    /// Answers other instances until the session bus closes the connection. There is no deadline, so call it on a separate
    /// thread.
    pub fn serve(&self, launched: impl Fn(LauncherAction)) {
        let mut messages = MessageStream::from(&self.connection);
        block_on(async {
            while let Some(Ok(message)) = messages.next().await {
                if message.message_type() == Type::MethodCall {
                    let header = message.header();
                    let sent = match requested(&message) {
                        Ok(action) => {
                            launched(action);
                            self.connection.reply(&header, &()).await
                        }
                        Err((name, text)) => {
                            self.connection.reply_error(&header, name, &text).await
                        }
                    };
                    if let Err(error) = sent {
                        tracing::debug!("no answer to a launcher: {error}");
                    }
                }
            }
        });
    }
}
