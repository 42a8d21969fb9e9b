//! ControlPath: the path of a control socket, the templates of the ssh configuration, and the patterns they make.
//!
//! Sources: ssh_config(5) "ControlPath" and "TOKENS"; `muxserver_listen()` in OpenSSH's mux.c for the temporary
//! name and its length; unix(7) for the length of a socket address.

mod capture;
mod destination;
mod path;
mod pattern;
mod template;

pub use destination::{Destination, HostAlias, ssh_arguments, ssh_words};
pub use path::{
    ASIDE_PREFIX, ControlPath, MAX_ADDRESS_BYTES, MAX_USABLE_BYTES, stem_of_aside,
    stem_of_temporary,
};
pub use pattern::{Component, Pattern};
#[cfg(test)]
pub(crate) use template::known_for_tests;
pub use template::{ConnectionTokens, Known, TemplateError, variables};
