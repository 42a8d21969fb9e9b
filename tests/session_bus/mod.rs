//! A private session bus for a test, without activatable services.
//!
//! The programs under test find their bus through the environment, which all threads of a process share. So a test runs
//! itself again, in its own process with the address of the private bus in the environment.

#![allow(
    clippy::unwrap_used,
    reason = "used by tests only, which clippy does not see here"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MARK: &str = "MUXTRAY_TEST_ON_PRIVATE_BUS";

/// Runs `case` with a private bus; `test` is the name of the calling test. Skips the test if dbus-daemon is not
/// installed.
pub(crate) fn with_private_bus(test: &str, case: impl FnOnce()) {
    if std::env::var_os(MARK).is_some() {
        return case();
    }
    let directory = tempfile::tempdir().unwrap();
    let configuration = directory.path().join("bus.conf");
    std::fs::write(
        &configuration,
        format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={}/bus</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>"#,
            directory.path().display()
        ),
    )
    .unwrap();
    let Ok(mut daemon) = Command::new("dbus-daemon")
        .arg("--nofork")
        .arg("--print-address=1")
        .arg(format!("--config-file={}", configuration.display()))
        .stdout(Stdio::piped())
        .spawn()
    else {
        // Written directly, because the test harness hides captured output.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: {test}: dbus-daemon is not installed"
        );
        return;
    };
    let mut address = String::new();
    BufReader::new(daemon.stdout.take().unwrap())
        .read_line(&mut address)
        .unwrap();
    let _daemon = Ended(daemon);
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env("DBUS_SESSION_BUS_ADDRESS", address.trim())
        .env(MARK, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed on its private bus");
}

/// A child that is killed with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `condition` holds; panics with its description after ten seconds.
#[allow(
    dead_code,
    reason = "not every test that has a bus waits for something"
)]
pub(crate) fn wait_until(description: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {description}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
