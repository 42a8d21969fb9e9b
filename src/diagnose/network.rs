//! Whether the network behind a master still works, judged by the kernel's own numbers of its connection.
//!
//! A master answers every alive check while its connection is dead. What tells is TCP: data that nobody acknowledges
//! and that is sent again and again; a local address that no interface has any more. An idle connection shows nothing
//! at all, so after a resume or a change of its way it is doubtful until something has been heard over it.
//!
//! One sample is judged here, with what [`Memory`] adds of those before it. How the numbers are got is not known here.

mod judge;
mod memory;

pub use judge::{
    ADDRESS_TOLERANCE, ANSWER_SLACK, DOUBT_PAUSE, DOUBT_WATCHED, LIMIT, SLEPT, STRANDED_ATTEMPTS,
    SUSPECT_AFTER, SUSPECT_ATTEMPTS,
};
pub use memory::Memory;

#[cfg(test)]
mod tests;
