//! The pure core: values in, values out.
//!
//! Nothing here touches a file, a socket, the environment, a process, a thread or a clock; what is needed of
//! them arrives as an argument. It imports nothing of the other rooms (`tests/architecture.rs` keeps that true).
//! In reading order:

pub mod control_path;
pub mod finding;
pub mod intent;
pub mod notice;
pub mod places;
pub mod socket;
pub mod text;
pub mod view;
