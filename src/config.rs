//! muxtray's configuration file.
//!
//! It is read with confy. A file that is not valid is a finding, and is never overwritten. muxtray writes the file if
//! there is none, and changes single settings in it; everything else in the file stays as it is.

mod error;
mod file;
mod write;

pub use crate::model::settings::{Notifications, Settings};
pub use error::ConfigError;
pub use file::{default_path, load, write_first};
pub use write::{SetError, set};
