//! Notifications against a daemon controlled by the test, on a private session bus.
#![allow(
    clippy::unwrap_used,
    reason = "used by tests only, which clippy does not see in helpers"
)]

use crate::notify_arguments;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::session_bus::{wait_until, with_private_bus};
use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use muxtray::decide::intent::Intent;
use muxtray::decide::notice::{Button, Notice, NoticeKey};
use muxtray::desktop::notify::Notifier;
use notify_arguments::NotifyArguments;
use zbus::{Connection, Message, MessageStream};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
const LIMIT: Duration = Duration::from_secs(10);

/// A call that the daemon received.
#[derive(Debug)]
enum Call {
    Notify {
        sender: String,
        id: u32,
        replaces: u32,
        summary: String,
        body: String,
        actions: Vec<String>,
    },
    Close(u32),
}

struct Daemon {
    connection: Connection,
    calls: Receiver<Call>,
}

impl Daemon {
    /// Starts a daemon that answers everything or, if `deaf`, everything but the request to show a notification.
    fn start(capabilities: &'static [&'static str], deaf: bool) -> Self {
        let connection = block_on(Connection::session()).unwrap();
        let stream = MessageStream::from(&connection);
        block_on(connection.request_name(NAME)).unwrap();
        let (sender, calls) = channel();
        std::thread::spawn({
            let connection = connection.clone();
            move || block_on(serve(&connection, stream, capabilities, deaf, &sender))
        });
        Self { connection, calls }
    }

    fn next(&self) -> Call {
        self.calls.recv_timeout(LIMIT).unwrap()
    }

    /// Sends a signal as dunst does: only to the client that showed the notification.
    fn send_signal(&self, receiver: &str, signal: &str, id: u32, what: &str) {
        let sent = if signal == "ActionInvoked" {
            let body = (id, what);
            block_on(
                self.connection
                    .emit_signal(Some(receiver), PATH, NAME, signal, &body),
            )
        } else {
            let body = (id, 2_u32);
            block_on(
                self.connection
                    .emit_signal(Some(receiver), PATH, NAME, signal, &body),
            )
        };
        sent.unwrap();
    }

    /// Ends as a killed process does.
    fn kill(self) {
        block_on(self.connection.close()).unwrap();
    }
}

async fn serve(
    connection: &Connection,
    mut stream: MessageStream,
    capabilities: &[&str],
    deaf: bool,
    calls: &Sender<Call>,
) {
    let mut last = 0;
    while let Some(Ok(message)) = stream.next().await {
        let header = message.header();
        let Some(member) = header.member() else {
            continue;
        };
        if header.message_type() != zbus::message::Type::MethodCall {
            continue;
        }
        match member.as_str() {
            "GetCapabilities" => {
                connection.reply(&header, &capabilities).await.unwrap();
            }
            "Notify" if deaf => {}
            "Notify" => {
                let call = notify(&message, &mut last);
                let Call::Notify { id, .. } = &call else {
                    unreachable!("made above");
                };
                connection.reply(&header, id).await.unwrap();
                calls.send(call).unwrap();
            }
            "CloseNotification" => {
                let id: u32 = message.body().deserialize().unwrap();
                connection.reply(&header, &()).await.unwrap();
                calls.send(Call::Close(id)).unwrap();
            }
            other => panic!("nobody should call {other}"),
        }
    }
}

fn notify(message: &Message, last: &mut u32) -> Call {
    let body = message.body();
    let (name, replaces, icon, summary, body, actions, hints, _): NotifyArguments =
        body.deserialize().unwrap();
    assert_eq!(
        (name.as_str(), icon.as_str()),
        ("muxtray", "io.github.muxtray.Muxtray")
    );
    assert!(hints.contains_key("desktop-entry"), "{hints:?}");
    let id = if replaces == 0 {
        *last += 1;
        *last
    } else {
        replaces
    };
    Call::Notify {
        sender: message.header().sender().unwrap().to_string(),
        id,
        replaces,
        summary,
        body,
        actions,
    }
}

fn notice(summary: &str) -> Notice {
    Notice {
        key: NoticeKey::Summary,
        summary: summary.to_owned(),
        body: "1 < 2".to_owned(),
        advice: None,
        buttons: vec![Button {
            label: "Show".to_owned(),
            intent: Intent::Show(None),
        }],
        transient: false,
        is_question: false,
    }
}

fn start() -> (Notifier, Receiver<Intent>) {
    let (sender, intents) = channel();
    let notifier = Notifier::start(move |intent| sender.send(intent).unwrap()).unwrap();
    (notifier, intents)
}

#[test]
fn notice_is_shown_replaced_and_closed() {
    with_private_bus("notify::notice_is_shown_replaced_and_closed", || {
        let daemon = Daemon::start(&["body", "body-markup", "actions"], false);
        let (notifier, _intents) = start();
        notifier.show(notice("first"));
        let Call::Notify {
            id,
            replaces: 0,
            body,
            actions,
            ..
        } = daemon.next()
        else {
            panic!("not shown");
        };
        assert_eq!(body, "1 &lt; 2");
        assert_eq!(actions, ["default", "Show"]);

        notifier.show(notice("second"));
        let Call::Notify {
            replaces, summary, ..
        } = daemon.next()
        else {
            panic!("not replaced");
        };
        assert_eq!((replaces, summary.as_str()), (id, "second"));

        notifier.close(NoticeKey::Summary);
        assert!(matches!(daemon.next(), Call::Close(closed) if closed == id));

        notifier.show(notice("third"));
        assert!(matches!(daemon.next(), Call::Notify { replaces: 0, .. }));
        notifier.end();
        assert!(
            matches!(daemon.next(), Call::Close(_)),
            "open notifications are closed at the end"
        );
    });
}

#[test]
fn pressed_button_gives_one_intent() {
    with_private_bus("notify::pressed_button_gives_one_intent", || {
        let daemon = Daemon::start(&["body", "actions"], false);
        let (notifier, intents) = start();
        notifier.show(notice("press"));
        let Call::Notify {
            sender, id, body, ..
        } = daemon.next()
        else {
            panic!("not shown");
        };
        assert_eq!(body, "1 < 2", "no markup, nothing to escape");

        // A person presses later than the program begins to listen; the test presses until the press arrives.
        let mut heard = None;
        wait_until("the button is heard", || {
            daemon.send_signal(&sender, "ActionInvoked", id, "default");
            heard = intents.recv_timeout(Duration::from_millis(50)).ok();
            heard.is_some()
        });
        assert_eq!(heard, Some(Intent::Show(None)));
        assert!(matches!(daemon.next(), Call::Close(closed) if closed == id));
        notifier.end();
        assert!(intents.recv_timeout(LIMIT).is_err(), "heard only once");
    });
}

#[test]
fn notification_closed_by_daemon_is_forgotten() {
    with_private_bus("notify::notification_closed_by_daemon_is_forgotten", || {
        let daemon = Daemon::start(&["actions"], false);
        let (notifier, _intents) = start();
        notifier.show(notice("first"));
        let mut shown = daemon.next();
        wait_until("a closed notification is not replaced", || {
            let Call::Notify { sender, id, .. } = &shown else {
                panic!("not shown");
            };
            // The program begins to listen only once it knows the id; the signal of a daemon that closes at once is
            // lost.
            for _ in 0..3 {
                daemon.send_signal(sender, "NotificationClosed", *id, "");
                let heard = daemon.calls.recv_timeout(Duration::from_millis(30));
                assert!(heard.is_err(), "nothing is asked of the daemon: {heard:?}");
            }
            notifier.show(notice("again"));
            shown = daemon.next();
            matches!(shown, Call::Notify { replaces: 0, .. })
        });
        notifier.end();
    });
}

#[test]
fn next_daemon_is_used_after_one_ends() {
    with_private_bus("notify::next_daemon_is_used_after_one_ends", || {
        let (notifier, _intents) = start();
        notifier.show(notice("to nobody"));
        let first = Daemon::start(&["actions"], false);
        // The first notice may have come too early, or reached this daemon just in time.
        notifier.show(notice("shown"));
        wait_until(
            "the first daemon is asked",
            || matches!(first.next(), Call::Notify { summary, .. } if summary == "shown"),
        );
        first.kill();
        let second = Daemon::start(&[], false);
        notifier.show(notice("shown again"));
        let Call::Notify {
            replaces, actions, ..
        } = second.next()
        else {
            panic!("not shown");
        };
        assert_eq!(replaces, 0, "an id of the dead daemon means nothing here");
        assert!(actions.is_empty(), "this one has no buttons");
        notifier.end();
    });
}

#[test]
fn silent_daemon_does_not_delay_the_end() {
    with_private_bus("notify::silent_daemon_does_not_delay_the_end", || {
        let _daemon = Daemon::start(&["actions"], true);
        let (notifier, _intents) = start();
        notifier.show(notice("unheard"));
        let begun = Instant::now();
        notifier.end();
        // The wait for an answer takes 5 s.
        assert!(begun.elapsed() < Duration::from_secs(4));
    });
}

/// Starts like the applet; then a thread panics.
fn crash() -> ! {
    muxtray::crash::log_panics();
    muxtray::crash::abort_on_panic(muxtray::run::notify_of_crash);
    let _ = std::thread::spawn(|| panic!("on <purpose>")).join();
    unreachable!("a panic ends the program");
}

/// Runs a test again as a program that crashes, and asserts that it ends by SIGABRT, in time.
fn expect_crash(test: &str) {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("notify::{test}")])
        .env(CRASHES, "1")
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut status = None;
    wait_until("the crashed program has ended", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    let signal = std::os::unix::process::ExitStatusExt::signal(&status.unwrap());
    assert_eq!(signal, Some(nix::sys::signal::Signal::SIGABRT as i32));
}

/// Set for the program that crashes.
const CRASHES: &str = "MUXTRAY_TEST_CRASHES";

fn is_to_crash() -> bool {
    std::env::var_os(CRASHES).is_some()
}

#[test]
fn crash_leaves_notification() {
    if is_to_crash() {
        crash();
    }
    with_private_bus("notify::crash_leaves_notification", || {
        let daemon = Daemon::start(&["body", "body-markup"], false);
        expect_crash("crash_leaves_notification");
        let Call::Notify {
            summary,
            body,
            actions,
            ..
        } = daemon.next()
        else {
            panic!("not shown");
        };
        assert_eq!(summary, "muxtray has crashed");
        assert!(
            body.starts_with("on &lt;purpose&gt;, at tests/system/notify.rs:"),
            "{body}"
        );
        assert!(body.contains("muxtray run"), "{body}");
        assert!(actions.is_empty());
    });
}

#[test]
fn crash_does_not_wait_for_silent_daemon() {
    if is_to_crash() {
        crash();
    }
    with_private_bus("notify::crash_does_not_wait_for_silent_daemon", || {
        let _daemon = Daemon::start(&["actions"], true);
        expect_crash("crash_does_not_wait_for_silent_daemon");
    });
}
