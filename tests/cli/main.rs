//! The command line against real ssh masters, configurations and files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod actions;
mod asking;
mod autostart;
mod carried;
mod config;
mod control_master;
mod doctor;
mod documents;
mod explain;
mod filesystems;
mod forward;
mod generated_pages;
mod hostile;
mod json;
mod list;
mod list_output;
mod log;
mod metainfo;
mod names;
mod namespaces;
mod network;
mod not_multiplexed;
mod open;
mod other_listeners;
mod persist;
mod places;
mod privilege;
mod remedies;
mod reopen;
mod sessions;
mod settings;
mod speed_test;
mod ssh_versions;
mod system_files;
mod terminate;
mod translations;
mod watch;
