//! The pure core: values in, values out.
//!
//! Nothing here touches a file, a socket, the environment, a process, a thread or a clock; what is needed of
//! them arrives as an argument. It imports nothing of the other rooms (`tests/architecture.rs` keeps that true).
//! In reading order:

pub mod control_path;
pub mod decide;
pub mod diagnose;
pub mod directory;
pub mod doctor;
pub mod ending;
pub mod explain;
pub mod finding;
pub mod fix;
pub mod guide;
pub mod intent;
pub mod interest;
pub mod network;
pub mod notice;
pub mod obstacle;
pub mod opening;
pub mod places;
pub mod recent;
pub mod remedy;
pub mod report;
pub mod setting;
pub mod socket;
pub mod table;

#[cfg(test)]
mod samples;
pub mod target;
pub mod text;
pub mod trial;
pub mod view;
