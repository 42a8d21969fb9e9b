use std::fmt;
use std::ops::Add;

use tr::tr;

use super::text;

/// The connections that end with a master. X11 and agent connections are not visible.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Carried {
    /// The multiplexed sessions, which include the ssh of a ProxyJump through the master, and its own session.
    pub sessions: u32,
    /// Connections that run through its forwardings.
    pub forwarded: u32,
}

impl Carried {
    pub const NONE: Self = Self::sessions(0);

    pub const fn sessions(sessions: u32) -> Self {
        let forwarded = 0;
        Self {
            sessions,
            forwarded,
        }
    }

    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Whether there are no more of either kind than in `limit`.
    pub const fn is_within(self, limit: Self) -> bool {
        self.sessions <= limit.sessions && self.forwarded <= limit.forwarded
    }
}

impl Add for Carried {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sessions: self.sessions.saturating_add(other.sessions),
            forwarded: self.forwarded.saturating_add(other.forwarded),
        }
    }
}

/// `2 sessions, 1 forwarded connection`; a kind without any is left out, except that there is always one of them.
impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions =
            (self.sessions > 0 || self.forwarded == 0).then(|| text::sessions(self.sessions));
        let forwarded = (self.forwarded > 0).then(|| {
            tr!("{n} forwarded connection" | "{n} forwarded connections" % self.forwarded)
        });
        f.write_str(&text::list(sessions.into_iter().chain(forwarded)))
    }
}

/// `2`, or `2+1` with one forwarded connection.
impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.sessions)?;
        if self.forwarded > 0 {
            write!(f, "+{}", self.forwarded)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_and_limited_each() {
        let carried = |sessions, forwarded| Carried {
            sessions,
            forwarded,
        };
        for (has, text, limit, fits) in [
            (carried(0, 0), "0 sessions", carried(0, 0), true),
            (carried(1, 0), "1 session", carried(0, 1), false),
            (
                carried(0, 2),
                "2 forwarded connections",
                carried(2, 0),
                false,
            ),
            (
                carried(2, 1),
                "2 sessions, 1 forwarded connection",
                carried(2, 1),
                true,
            ),
            (
                carried(1, 2),
                "1 session, 2 forwarded connections",
                carried(2, 1),
                false,
            ),
        ] {
            assert_eq!(
                (has.to_string().as_str(), has.is_within(limit)),
                (text, fits)
            );
            assert_eq!(has + has, carried(has.sessions * 2, has.forwarded * 2));
        }
    }
}
