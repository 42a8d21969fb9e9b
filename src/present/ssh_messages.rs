//! The messages that ssh prints about multiplexing and forwarding, one row each, and the most usual ones about something
//! else. `doctor --explain`, the man page and `docs/ssh-messages.md` come from these rows.
//!
//! OpenSSH is not translated, so a message is recognised by its fixed text. Source: mux.c, channels.c, clientloop.c,
//! misc.c, ssh.c, readconf.c and monitor_fdpass.c of OpenSSH 8.9 to 10.5.

mod control_sockets;
mod devices;
mod forwarding;
mod masters;
mod other;
mod pasted;
mod recognise;
mod row;
mod table;
mod wording;

pub use pasted::{decoded, with_home};
pub use recognise::{Recognised, recognise};
pub use row::{SshMessage, Subject};
pub use table::{SSH_MESSAGES, printed_because_of};
