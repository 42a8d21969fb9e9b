//! The user's time zone: the environment variable TZ, or else `/etc/localtime`, as tzset(3) reads them.

use std::error::Error;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;

use tz::timezone::TimeZoneSettings;

use crate::model::zone::Zone;

/// The largest file of Debian's tzdata has 4 KiB.
const MAX_BYTES: u64 = 1 << 20;

const SETTINGS: TimeZoneSettings<'static> =
    TimeZoneSettings::new(TimeZoneSettings::DEFAULT_DIRECTORIES, read_file);

/// `variable` is the value of TZ. Without a valid zone the time is UTC.
#[must_use]
pub fn read(variable: Option<&OsStr>) -> Zone {
    let zone = match variable.map(|value| value.to_str().unwrap_or_default()) {
        Some(value) => SETTINGS.parse_posix_tz(value),
        None => SETTINGS.parse_local(),
    };
    if let Err(error) = &zone {
        tracing::debug!("the time zone is unknown: {error}");
    }
    Zone(zone.ok())
}

fn read_file(path: &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    // TZ may name any file, such as a pipe.
    let mut options = File::options();
    let options = options.read(true).custom_flags(nix::libc::O_NONBLOCK);
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err("not a regular file".into());
    }
    let mut content = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_names_a_zone_and_anything_else_is_utc() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (variable, is_known) in [
            ("CET-1CEST,M3.5.0,M10.5.0/3", true),
            ("", false),
            ("Nowhere/Nothing", false),
            (":/etc/passwd", false),
            (":/dev/zero", false),
            (fifo.to_str().unwrap(), false),
        ] {
            let zone = read(Some(OsStr::new(variable)));
            assert_eq!(zone.0.is_some(), is_known, "{variable:?}");
        }
    }
}
