//! The values that all other modules share: sockets, hosts, directories, findings. No file, clock or process is
//! touched here.

pub mod agent_socket;
pub mod carried;
pub mod client;
pub mod command_words;
pub mod control_path;
pub mod directory;
pub mod finding;
pub mod fix;
pub mod forward;
pub mod forwarding;
pub mod group;
pub mod host_settings;
pub mod ids;
pub mod interest;
pub mod keep;
pub mod network;
pub mod observation;
pub mod persist;
pub mod place_difference;
pub mod places;
pub mod port_holder;
pub mod recent;
pub mod remembered;
#[cfg(test)]
pub(crate) mod samples;
pub mod seen;
pub mod settings;
pub mod socket;
pub mod ssh_command_line;
pub mod state;
pub mod target;
pub mod text;
pub mod zone;
