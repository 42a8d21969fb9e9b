//! The arguments of a notification; shared with the tests without a desktop.

use std::collections::HashMap;

use zbus::OwnedVariant;

/// The arguments of Notify: program name, id of the replaced notification, icon, title, text, actions, hints and
/// timeout; see the Desktop Notifications Specification.
pub(crate) type NotifyArguments = (
    String,
    u32,
    String,
    String,
    String,
    Vec<String>,
    HashMap<String, OwnedVariant>,
    i32,
);
