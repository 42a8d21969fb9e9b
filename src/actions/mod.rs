//! Actions on control sockets and their masters: the only module that changes anything outside muxtray's own files.
//!
//! Every action checks the facts again right before it changes something ([`held_socket`], [`kernel`]), and has a
//! deadline. [`perform`] turns results into [`ActionReport`](crate::decide::action_report::ActionReport)s.

pub mod clean;
mod control;
pub mod desktop_program;
mod end_process;
pub mod error;
pub mod fix;
pub mod forward;
mod held_directory;
pub mod held_socket;
pub mod keep;
pub mod kernel;
pub mod open;
pub mod parallel;
pub mod perform;
mod pidfd;
pub mod rehearsal;
pub mod speed_test;
pub mod ssh;
pub mod terminal;
pub mod xdg_open;
