//! ControlPersist of a host or a master.

use serde::{Deserialize, Serialize};

/// ControlPersist: how long a master runs after its last session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Persist {
    #[default]
    No,
    Forever,
    Seconds(u32),
}

impl Persist {
    /// Parses a value of ControlPersist, as `ssh -G` prints it or a person types it (TIME FORMATS in sshd_config(5)).
    pub fn parse(value: &str) -> Option<Self> {
        Some(match &*value.to_ascii_lowercase() {
            "no" | "false" => Self::No,
            "yes" | "true" | "0" => Self::Forever,
            time => Self::Seconds(match time.parse() {
                Ok(seconds) => seconds,
                Err(_) => {
                    let time = humantime::parse_duration(time).ok()?;
                    time.as_secs().try_into().ok()?
                }
            }),
        })
    }

    /// Returns the value in `list --json`: 0 is without limit, `None` is "no".
    pub const fn as_secs(self) -> Option<u32> {
        match self {
            Self::No => None,
            Self::Forever => Some(0),
            Self::Seconds(seconds) => Some(seconds),
        }
    }
}
