//! Ending a master that has lost its network: it is asked, and where that is in vain, its process is ended.
//!
//! A connection that is full has no room for the farewell to the server, which the master waits for (`client_loop()` in
//! clientloop.c), so it may take the request and never carry it out.

use std::fmt;

use thiserror::Error;

use super::System;
use super::control::{self, ActError, CHECK_LIMIT, Exited};
use super::end_process::{self, EndError, Ended};
use crate::decide::intent::SessionConsent;
use crate::model::socket::Target;

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Farewell {
    /// It did as it was asked.
    Exited(Exited),
    /// Its process was ended.
    Ended(Ended),
}

impl fmt::Display for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(exited) => exited.fmt(f),
            Self::Ended(ended) => ended.fmt(f),
        }
    }
}

/// Why it did not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotEnded {
    /// It was not asked, or answered that it would not.
    #[error(transparent)]
    Asked(#[from] ActError),
    /// It was asked in vain, and this became of its process.
    #[error(transparent)]
    Process(#[from] EndError),
}

/// Ends it. Takes as long as an exit request and [`end_process::end`] at the longest.
///
/// # Errors
/// [`NotEnded`]
pub fn say(target: &Target, consent: SessionConsent) -> Result<Farewell, NotEnded> {
    match control::exit(&System, target, consent, CHECK_LIMIT) {
        Ok(exited) => Ok(Farewell::Exited(exited)),
        Err(error) if error.is_in_vain() => {
            tracing::info!("{} {error}", target.path);
            Ok(end_process::end(&System, target, consent).map(Farewell::Ended)?)
        }
        Err(error) => Err(error.into()),
    }
}
