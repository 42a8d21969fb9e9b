//! The panel's register of icons crashes again and again.

use std::thread;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::{Connection, MessageStream, Variant};

use super::{Usage, break_hosts, ticks, wait_for_word};
use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{PATIENCE, wait_until};

const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// How often it crashes.
const CRASHES: usize = 20;

/// The most processor time that all of it may take, in hundredths of a second: a loop that spins takes a hundred in
/// each.
const MOST_TICKS: u64 = 300;

/// Takes the register's place; leaves every call unanswered, or answers it with nothing.
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
                // It may have left the bus meanwhile, which is what this is about.
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
fn a_register_that_crashes_in_a_loop_costs_nothing_and_the_icon_comes_back() {
    let test = "a_register_that_crashes_in_a_loop_costs_nothing_and_the_icon_comes_back";
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
    break_hosts(&lab, &["db"]);
    desktop
        .tray_icon(applet.pid())
        .wait_for_row(&["\u{25b2} db"]);
    wait_for_word(&applet, "cannot show notifications");
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
    // One that hangs, for a while.
    let hanging = register(&address, false);
    break_hosts(&lab, &["web"]);
    block_on(hanging.close()).unwrap();
    assert!(applet.is_running(), "{}", applet.stderr());

    desktop.start_panel();
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["\u{25b2} web"]);
    wait_until("no thread or descriptor is left over", PATIENCE, || {
        Usage::of(&applet).is_at_most(before)
    });
    let used = ticks(&applet) - ticks_before;
    assert!(used <= MOST_TICKS, "{used} hundredths of a second");
    end(applet);
}
