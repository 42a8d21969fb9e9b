//! The single instance and the search for a panel, on a private session bus.

use crate::session_bus::{wait_until, with_private_bus};
use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use muxtray::desktop::instance::{InstanceError, acquire};
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
