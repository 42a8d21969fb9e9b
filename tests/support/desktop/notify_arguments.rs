//! What the notification daemon is asked with; shared with the tests that have no desktop.

use std::collections::HashMap;

use zbus::OwnedVariant;

/// The arguments of Notify: the program's name, what is replaced, icon, title, text, actions, hints and how long it is
/// shown, see the Desktop Notifications Specification.
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
