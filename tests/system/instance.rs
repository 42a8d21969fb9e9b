//! The single instance and the search for a panel, on a private session bus.

use std::collections::HashMap;

use crate::session_bus::{wait_until, with_private_bus};
use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use muxtray::decide::launch::LauncherAction;
use muxtray::desktop::APP_ID;
use muxtray::desktop::instance::{InstanceError, acquire, ask_running};
use zbus::{Connection, MessageStream, Variant};

#[test]
fn second_instance_is_refused_until_first_ends() {
    with_private_bus(
        "instance::second_instance_is_refused_until_first_ends",
        || {
            let first = acquire().unwrap();
            assert!(matches!(acquire(), Err(InstanceError::AlreadyRunning)));
            drop(first);
            wait_until("the name is free again", || acquire().is_ok());
        },
    );
}

#[test]
fn running_instance_is_asked_for_actions() {
    with_private_bus("instance::running_instance_is_asked_for_actions", || {
        assert!(ask_running(LauncherAction::Show).is_err(), "none runs");
        let running = acquire().unwrap();
        let (sender, launched) = std::sync::mpsc::channel();
        std::thread::spawn(move || running.serve(|action| sender.send(action).unwrap()));
        for action in LauncherAction::ALL {
            wait_until("it answers", || ask_running(action).is_ok());
            assert_eq!(launched.recv().unwrap(), action);
        }
        let launcher = block_on(Connection::session()).unwrap();
        let call = |method: &'static str, body: &(Vec<&str>, HashMap<&str, Variant<'_>>)| {
            block_on(launcher.call_method(
                Some(APP_ID),
                "/io/github/muxtray/Muxtray",
                Some("org.freedesktop.Application"),
                method,
                body,
            ))
        };
        assert!(call("Open", &(vec![], HashMap::new())).is_err());
        assert!(call("ActivateAction", &(vec![], HashMap::new())).is_err());
        let activate = block_on(launcher.call_method(
            Some(APP_ID),
            "/io/github/muxtray/Muxtray",
            Some("org.freedesktop.Application"),
            "Activate",
            &HashMap::<&str, Variant<'_>>::new(),
        ));
        activate.unwrap();
        assert_eq!(launched.recv().unwrap(), LauncherAction::Show);
    });
}

#[test]
fn no_tray_host_without_watcher() {
    with_private_bus("instance::no_tray_host_without_watcher", || {
        assert!(!acquire().unwrap().has_tray_host());
    });
}

#[test]
fn tray_host_is_reported_by_watcher() {
    with_private_bus("instance::tray_host_is_reported_by_watcher", || {
        let watcher = block_on(Connection::session()).unwrap();
        let mut calls = MessageStream::from(&watcher);
        block_on(watcher.request_name("org.kde.StatusNotifierWatcher")).unwrap();
        std::thread::spawn(move || {
            let mut answers = [false, true].into_iter();
            block_on(async {
                while let Some(Ok(message)) = calls.next().await {
                    let header = message.header();
                    if header.member().is_some_and(|member| member == "Get") {
                        let answer = Variant::from(answers.next().unwrap());
                        watcher.reply(&header, &answer).await.unwrap();
                    }
                }
            });
        });
        let instance = acquire().unwrap();
        assert!(!instance.has_tray_host(), "a watcher without a panel");
        assert!(instance.has_tray_host(), "a watcher with a panel");
    });
}
