//! The panel's register of icons crashes again and again.

use std::thread;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::{Connection, MessageStream, Variant};

use super::{Usage, make_stale_sockets, ticks, wait_for_log};
use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{PATIENCE, has_glycin, skip, wait_until};

const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// The number of crashes.
const CRASHES: usize = 20;

/// The most processor time for all of them, in hundredths of a second: a busy loop takes a hundred per second.
const MOST_TICKS: u64 = 300;

/// Takes the register's name; leaves every call unanswered, or gives empty answers.
fn register(address: &str, answers: bool) -> Connection {
    let builder = zbus::connection::Builder::address(address);
    let connection = block_on(builder.method_timeout(PATIENCE).build()).unwrap();
    let mut stream = MessageStream::from(&connection);
    wait_until("the name is free", PATIENCE, || {
        block_on(connection.request_name(WATCHER)).is_ok()
    });
    let served = connection.clone();
    // Ends with the connection.
    thread::spawn(move || {
        block_on(async {
            while let Some(Ok(message)) = stream.next().await {
                let header = message.header();
                let is_call = header.message_type() == zbus::message::Type::MethodCall;
                if !answers || !is_call {
                    continue;
                }
                // The sender may have left the bus meanwhile, as this test intends.
                let _ = if header.member().is_some_and(|member| member == "Get") {
                    let none = Variant::from(Vec::<String>::new());
                    served.reply(&header, &none).await
                } else {
                    served.reply(&header, &()).await
                };
            }
        });
    });
    connection
}

#[test]
fn crashing_register_costs_nothing_and_icon_returns() {
    let test = "crashing_register_costs_nothing_and_icon_returns";
    let Some(lab) = lab(test) else {
        return;
    };
    let parts = Parts {
        daemon: false,
        ..Parts::ALL
    };
    let mut desktop = Desktop::new(&lab, parts);
    let mut applet = desktop.muxtray_run(&[]);
    // The first notice opens a connection to the bus for good.
    make_stale_sockets(&lab, &["db"]);
    desktop
        .tray_icon(applet.pid())
        .wait_for_row(&["\u{25b2} db"]);
    wait_for_log(&applet, "cannot show notifications");
    let before = Usage::of(&applet);
    desktop.kill_panel();
    let address = desktop.bus_address();
    let crash = |answers| {
        let connection = register(&address, answers);
        block_on(connection.close()).unwrap();
    };
    crash(true);
    let ticks_before = ticks(&applet);
    for number in 0..CRASHES {
        crash(number % 2 == 0);
    }
    // A register that hangs for a while.
    let hanging = register(&address, false);
    make_stale_sockets(&lab, &["web"]);
    block_on(hanging.close()).unwrap();
    assert!(applet.is_running(), "{}", applet.stderr());

    desktop.start_panel();
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["\u{25b2} web"]);
    if has_glycin(applet.pid()) {
        skip(test, "glycin keeps threads and descriptors");
    } else {
        wait_until("no thread or descriptor is left over", PATIENCE, || {
            Usage::of(&applet).is_at_most(before)
        });
    }
    let used = ticks(&applet) - ticks_before;
    assert!(used <= MOST_TICKS, "{used} hundredths of a second");
    end(applet);
}
