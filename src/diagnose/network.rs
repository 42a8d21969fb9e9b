//! Whether the network connection of a master still works, judged by the kernel's numbers for it.
//!
//! A master answers alive checks while its connection is dead. TCP shows it: data that is retransmitted without an answer, or
//! a local address that no interface has any more. An idle connection shows nothing, so after a resume or a change of its
//! route it is suspect until something arrives.

mod judge;
mod memory;

pub use judge::{
    ADDRESS_TOLERANCE, ANSWER_SLACK, DOUBT_PAUSE, DOUBT_WATCHED, LIMIT, SLEPT, STRANDED_ATTEMPTS,
    SUSPECT_AFTER, SUSPECT_ATTEMPTS,
};
pub use memory::Memory;

#[cfg(test)]
mod tests;
