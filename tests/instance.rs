//! The single instance and the search for a panel, on a private session bus.

mod session_bus;

use muxtray::desktop::instance::{InstanceError, acquire, tray_host};
use session_bus::{wait_until, with_private_bus};

#[test]
fn a_second_instance_is_told_and_a_later_one_may_start() {
    with_private_bus(
        "a_second_instance_is_told_and_a_later_one_may_start",
        || {
            let first = acquire().unwrap();
            assert!(matches!(acquire(), Err(InstanceError::AlreadyRunning)));
            drop(first);
            wait_until("the name is free again", || acquire().is_ok());
        },
    );
}

#[test]
fn without_a_watcher_there_is_no_tray_host() {
    with_private_bus("without_a_watcher_there_is_no_tray_host", || {
        assert!(!tray_host());
    });
}
