//! The result of a command with its exit status, and the streams to which it prints.

use std::fmt;
use std::io::{self, Write};

use crate::model::finding::Severity;

/// The result of a command; of several targets the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[must_use]
pub enum Outcome {
    Well,
    /// muxtray could not find out, for example because it has no access.
    Unknown,
    /// Something is wrong with a target, or a finding of severity error was reported.
    Wrong,
    Misused,
}

impl Outcome {
    pub const fn status(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Wrong => 1,
            Self::Misused => 2,
            Self::Unknown => 3,
        }
    }
}

impl From<Option<Severity>> for Outcome {
    fn from(worst: Option<Severity>) -> Self {
        if worst == Some(Severity::Error) {
            Self::Wrong
        } else {
            Self::Well
        }
    }
}

pub(super) struct Output<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) err: &'a mut dyn Write,
}

impl Output<'_> {
    pub(super) fn fail(&mut self, outcome: Outcome, why: impl fmt::Display) -> io::Result<Outcome> {
        writeln!(self.err, "muxtray: {why}")?;
        Ok(outcome)
    }
}
