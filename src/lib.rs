//! muxtray watches OpenSSH's control sockets without connecting to them, shows every master in a desktop tray, and
//! reports what is stale, misowned or otherwise broken, with the command that helps.
//!
//! ```text
//!  ssh config, kernel, settings     kernel tables, lstat, /proc        pure                pure              pure
//!      discover            ──►          observe               ──►  diagnose   ──►      decide    ──►     present
//!   Places (candidates)                 Facts                       Snapshot            Effects      table, JSON, menu
//!                 scan = discover + observe + diagnose, once                               │
//!   events (watch) and requests (Intent) wake one engine thread                            └──►  actions
//! ```
//!
//! - [`model`]: the shared values. [`diagnose`], [`decide`], [`present`]: judgement, announcements, text. These four
//!   touch no file, socket, process or clock.
//! - [`config`], [`autostart`]: the user's settings, and start at login.
//! - [`discover`]: the paths that can be control sockets; the only module that runs `ssh -G`.
//! - [`observe`]: facts from the kernel and from files; connects only if the kernel shows no listener.
//! - [`scan`]: discover, observe and diagnose, once. [`watch`]: the events after which a scan can differ.
//! - [`mux`]: the protocol of a control socket.
//! - [`actions`]: check, exit, stop, clean, fix, end a process, open, time a host; the only module that changes
//!   anything outside muxtray's own files.
//! - [`engine`]: the thread that scans again and again and owns all state. [`desktop`]: the session bus and
//!   notifications. [`run`]: the engine with its desktop. [`cli`]: the command line.
//! - [`i18n`]: the language of texts. [`log`], [`crash`], [`privilege`], [`unconfined`]: logging, panics, rights, and
//!   programs started outside the systemd unit's confines.
//!
//! `docs/architecture.md` lists the invariants and the place of each kind of change. The tray itself is the program
//! `muxtray-applet` (`src/applet`), so the command line loads no GTK.

pub mod actions;
pub mod autostart;
mod bounded_command;
pub mod cli;
pub mod config;
pub mod crash;
pub mod decide;
pub mod desktop;
pub mod diagnose;
pub mod discover;
pub mod engine;
mod files;
pub mod i18n;
pub mod log;
pub mod model;
pub mod mux;
pub mod observe;
pub mod present;
pub mod privilege;
pub mod run;
pub mod scan;
#[cfg(test)]
mod tests;
mod transient_error;
pub mod unconfined;
pub mod watch;
pub mod xdg;

/// The version, with the commit that was built if it is known: "0.1.0 (1a2b3c4d5e)".
pub const VERSION: &str = env!("MUXTRAY_VERSION");
