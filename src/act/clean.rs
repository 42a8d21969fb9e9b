//! stub
use crate::core::socket::Target;
use std::time::SystemTime;
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Stale,
    Leftover,
    Aside,
}
#[derive(Debug)]
pub struct Cleaned;
impl std::fmt::Display for Cleaned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("removed")
    }
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct CleanError;
pub fn clean(_t: &Target, _k: Kind, _n: SystemTime) -> Result<Cleaned, CleanError> {
    Err(CleanError)
}
pub fn would_clean(_t: &Target, _k: Kind, _n: SystemTime) -> Result<(), CleanError> {
    Err(CleanError)
}
