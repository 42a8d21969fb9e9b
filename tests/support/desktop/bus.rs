//! The laboratory's session bus, and the messages to and from the notification daemon.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::{Connection, MessageStream, OwnedVariant};

use super::notify_arguments::NotifyArguments;
use crate::support::{Lab, PATIENCE, Process};

pub(crate) const NOTIFICATIONS: &str = "org.freedesktop.Notifications";

const BUS: &str = "org.freedesktop.DBus";

/// A message to or from the notification daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A program asks the daemon to show a notification.
    Notify {
        replaces: u32,
        summary: String,
        /// Its text with markup.
        body: String,
        /// Its actions: key and label in turn.
        actions: Vec<String>,
    },
    /// A program asks the daemon to close a notification.
    Close(u32),
    /// The daemon reports that a notification is closed.
    Closed(u32),
}

/// Calls a method of the bus itself.
pub(super) fn ask<R>(connection: &Connection, method: &str, name: &str) -> Option<R>
where
    R: serde::de::DeserializeOwned + zbus::Type,
{
    let path = "/org/freedesktop/DBus";
    let reply = block_on(connection.call_method(Some(BUS), path, Some(BUS), method, &name));
    reply.ok()?.body().deserialize().ok()
}

/// A property of an object on the bus.
pub(super) fn property(
    connection: &Connection,
    owner: &str,
    path: &str,
    interface: &str,
    name: &str,
) -> Option<OwnedVariant> {
    let reply = block_on(connection.call_method(
        Some(owner),
        path,
        Some("org.freedesktop.DBus.Properties"),
        "Get",
        &(interface, name),
    ));
    reply.ok()?.body().deserialize().ok()
}
pub(super) fn bus_address(lab: &Lab) -> String {
    format!("unix:path={}", lab.path("run/bus").display())
}

/// A session bus that accepts root too, because root may run the tests. It activates only the services that the panel's
/// configuration needs.
pub(super) fn start_bus(lab: &Lab) -> Process {
    let service = "org.xfce.Xfconf.service";
    let services = lab.path("services");
    if !services.exists() {
        lab.make_directory("services");
    }
    if let Ok(text) = fs::read(Path::new("/usr/share/dbus-1/services").join(service)) {
        lab.write(services.join(service), text);
    }
    let configuration = lab.write(
        "bus.conf",
        format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig>\n  <type>session</type>\n  <listen>{}</listen>\n  <auth>EXTERNAL</auth>\n  \
             <servicedir>{}</servicedir>\n  <policy context=\"default\">\n    \
             <allow send_destination=\"*\" eavesdrop=\"true\"/>\n    <allow eavesdrop=\"true\"/>\n    \
             <allow own=\"*\"/>\n    <allow user=\"*\"/>\n  </policy>\n</busconfig>\n",
            bus_address(lab),
            services.display()
        ),
    );
    let mut command = lab.command("dbus-daemon");
    command
        .arg(format!("--config-file={}", configuration.display()))
        .args(["--nofork", "--nopidfile", "--print-address=1"]);
    let mut bus = Process::start(command);
    bus.wait_for_output("\n", PATIENCE);
    bus
}

/// A connection to the bus, with a deadline for every call.
pub(super) fn connect(lab: &Lab) -> Connection {
    let connection = zbus::connection::Builder::address(bus_address(lab).as_str())
        .method_timeout(PATIENCE)
        .build();
    block_on(connection).expect("the bus has just been started")
}

/// Returns every message on the bus that matches one of these rules, each with its time of arrival, from a thread that
/// ends with the bus.
pub(super) fn overhear(lab: &Lab, rules: &[&str]) -> Receiver<(Instant, zbus::Message)> {
    let connection = connect(lab);
    block_on(connection.call_method(
        Some(BUS),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus.Monitoring"),
        "BecomeMonitor",
        &(rules, 0_u32),
    ))
    .expect("the bus lets its owner listen");
    let mut stream = MessageStream::from(connection);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        while let Some(Ok(message)) = block_on(stream.next()) {
            if sender.send((Instant::now(), message)).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Collects the messages to and from the notification daemon, on a thread that ends with the bus.
pub(super) fn monitor(lab: &Lab, messages: &Arc<Mutex<Vec<Message>>>) {
    let overheard = overhear(lab, &[&format!("interface='{NOTIFICATIONS}'")]);
    let messages = Arc::clone(messages);
    thread::spawn(move || {
        for (_, message) in overheard {
            if let Some(message) = Message::read(&message) {
                messages.lock().unwrap().push(message);
            }
        }
    });
}

impl Message {
    /// Parses a message; returns `None` for all others.
    pub(crate) fn read(message: &zbus::Message) -> Option<Self> {
        let header = message.header();
        let body = message.body();
        match header.member()?.as_str() {
            "Notify" => {
                let (_, replaces, _, summary, text, actions, _, _): NotifyArguments =
                    body.deserialize().ok()?;
                Some(Self::Notify {
                    replaces,
                    summary,
                    body: text,
                    actions,
                })
            }
            "CloseNotification" => Some(Self::Close(body.deserialize().ok()?)),
            "NotificationClosed" => {
                let (id, _): (u32, u32) = body.deserialize().ok()?;
                Some(Self::Closed(id))
            }
            _ => None,
        }
    }
}
