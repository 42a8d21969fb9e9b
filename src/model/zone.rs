use std::time::{Duration, SystemTime};

use tz::{TimeZone, UtcDateTime};

/// A time zone; UTC if the user's is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone(pub Option<TimeZone>);

/// A moment, and the time zone in which people read times.
#[derive(Debug, Clone, Copy)]
pub struct Clock<'a> {
    pub at: SystemTime,
    pub zone: &'a Zone,
}

/// From this time on, a time alone would be read as that of the same day.
const WITH_DATE_FROM: Duration = Duration::from_secs(24 * 60 * 60);

impl Clock<'_> {
    /// Returns `14:32`, or `2026-12-01 14:32` for a time a day or more ahead.
    pub fn time(self, time: SystemTime) -> String {
        let utc = UtcDateTime::from_timespec(unix_seconds(time), 0).ok();
        let local = utc.and_then(|utc| match &self.zone.0 {
            Some(zone) => utc.project(zone.as_ref()).ok(),
            None => utc.project(tz::TimeZoneRef::utc()).ok(),
        });
        let Some(local) = local else {
            return humantime::format_rfc3339_seconds(time).to_string();
        };
        let clock = format!("{:02}:{:02}", local.hour(), local.minute());
        let ahead = time.duration_since(self.at).unwrap_or_default();
        if ahead < WITH_DATE_FROM {
            return clock;
        }
        let (year, month, day) = (local.year(), local.month(), local.month_day());
        format!("{year}-{month:02}-{day:02} {clock}")
    }
}

fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_and_have_a_date_from_a_day_ahead() {
        let berlin = Zone(TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").ok());
        let kolkata = Zone(TimeZone::from_posix_tz("IST-5:30").ok());
        let utc = Zone::default();
        let seconds = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        // 2026-11-29 13:32:59 UTC
        let at = 1_795_959_179;
        for (zone, ahead, expected) in [
            (&utc, 0, "13:32"),
            (&berlin, 0, "14:32"),
            (&kolkata, 600, "19:12"),
            (&berlin, 86_399, "14:32"),
            (&berlin, 86_400, "2026-11-30 14:32"),
            // Summer time.
            (&berlin, 150 * 86_400, "2027-04-28 15:32"),
        ] {
            let clock = Clock {
                at: seconds(at),
                zone,
            };
            assert_eq!(clock.time(seconds(at + ahead)), expected, "{ahead}");
        }
        let clock = Clock {
            at: seconds(at),
            zone: &berlin,
        };
        assert_eq!(clock.time(seconds(at - 3600)), "13:32", "past");
    }
}
