//! Why ssh told no configuration of a host. It is kept from run to run, so it holds what was seen, and is put into
//! words where it is told.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tr::tr;

use crate::discover::bounded_command::MAX_OUTPUT;
use crate::model::text;

/// What ssh said as it ended with an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::discover) enum Refusal {
    /// Its message, as one printable line.
    Said(String),
    /// Nothing: how it ended.
    Mute(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(message) => f.write_str(message),
            Self::Mute(status) => {
                f.write_str(&tr!("ssh ended with {status} and no message", status))
            }
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::discover) enum Silence {
    /// ssh was not asked any more.
    NotAsked,
    /// It did not end within this time.
    TimedOut(Duration),
    /// It wrote more than any configuration has.
    TooMuch,
    /// It could not be listened to: the system's words.
    Broken(String),
    /// It could not be started for now, because something has run out: the system's words.
    NothingLeft(String),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::NotAsked => tr!("not asked, because others took too long"),
            Self::TimedOut(limit) => tr!(
                "no answer within {seconds} s",
                seconds = text::number(limit.as_secs_f32())
            ),
            Self::TooMuch => tr!(
                "more than {size} of output",
                size = format_args!("{} KiB", MAX_OUTPUT >> 10)
            ),
            Self::Broken(error) | Self::NothingLeft(error) => error.clone(),
        })
    }
}
