//! A panel whose register has lost the icon, or never got it: the applet registers once more.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::PATIENCE;
use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::{Connection, MessageStream, Variant};

/// A panel's register that records every registration, and lists nothing.
fn forgetful_register(address: &str) -> Receiver<(String, String)> {
    let (sender, registered) = mpsc::channel();
    let connection = block_on(zbus::connection::Builder::address(address).build()).unwrap();
    let stream = MessageStream::from(&connection);
    block_on(connection.request_name("org.kde.StatusNotifierWatcher")).unwrap();
    // Ends with the bus.
    thread::spawn(move || block_on(serve(&connection, stream, &sender)));
    registered
}

async fn serve(
    connection: &Connection,
    mut stream: MessageStream,
    registered: &Sender<(String, String)>,
) {
    while let Some(Ok(message)) = stream.next().await {
        let header = message.header();
        if header.message_type() != zbus::message::Type::MethodCall {
            continue;
        }
        let Some(member) = header.member() else {
            continue;
        };
        match member.as_str() {
            "RegisterStatusNotifierItem" => {
                let path: String = message.body().deserialize().unwrap();
                connection.reply(&header, &()).await.unwrap();
                let _ = registered.send((header.sender().unwrap().to_string(), path));
            }
            "Get" => {
                let none = Variant::from(Vec::<String>::new());
                connection.reply(&header, &none).await.unwrap();
            }
            other => panic!("nobody should call {other}"),
        }
    }
}

#[test]
fn icon_missing_in_register_is_registered_again() {
    let Some(lab) = lab("icon_missing_in_register_is_registered_again") else {
        return;
    };
    let parts = Parts {
        panel: false,
        daemon: false,
        ..Parts::ALL
    };
    let desktop = Desktop::new(&lab, parts);
    let registered = forgetful_register(&desktop.bus_address());
    let applet = desktop.muxtray_run(&[]);
    let by_appindicator = registered.recv_timeout(PATIENCE).unwrap();
    let once_more = registered.recv_timeout(PATIENCE).unwrap();
    assert_eq!(once_more, by_appindicator, "the same icon");
    end(applet);
}
