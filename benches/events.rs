//! Measures the time from the kill of a master to the menu and the notification, and from a new master's socket to the
//! menu. Real masters, one at a time, on a desktop with a real panel and notification daemon; muxtray with its default
//! settings.
//!
//! All times are from one clock in this process: the kill before the system call, a notification when it arrives from
//! the bus, the menu when it was fetched after the signal of a change, as panels do. A new master's time begins with
//! the change time of its socket, which can be up to one tick of the kernel's clock (4 ms) early but not late. So
//! errors count against muxtray only.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its tables, and has nobody to report errors to"
)]

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "../tests/support/desktop/mod.rs"]
mod desktop;

mod measure;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use desktop::{Desktop, Message, Parts, TrayIcon, end, lab};
use measure::{Build, Table, Times, quick, time, with_icon};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::Lab;

const ROUNDS: usize = 50;
/// No round begins after this time: a build that only polls would need half a minute for each step.
const ENOUGH: Duration = Duration::from_secs(100);
/// The scan that finds a new master is followed by one more after 50 ms, and another 50 ms later it is a quiet time.
const QUIET: Duration = Duration::from_millis(200);
/// Longer than a build that only polls would need with its defaults.
const DEADLINE: Duration = Duration::from_secs(70);

/// The signals after which a panel fetches the menu again, and the calls to the notification daemon.
const RULES: [&str; 2] = [
    "interface='com.canonical.dbusmenu',type='signal'",
    "interface='org.freedesktop.Notifications'",
];

/// One round: a master starts and is killed.
struct Round {
    /// From its socket to its row in the menu.
    appeared: Duration,
    /// From the kill to the menu with the row as stale.
    stale: Duration,
    /// From the kill to the notification.
    notified: Duration,
}

fn main() {
    // Checked before the lean build is built, which takes minutes.
    if lab("events").is_none() {
        return;
    }
    println!("## Events\n");
    let mut table = Table::new(&["", "rounds", "median", "worst"]);
    for build in with_icon("events") {
        let Some(lab) = lab("events") else {
            return;
        };
        let rounds = rounds(&lab, &build);
        let of = |part: fn(&Round) -> Duration| rounds.iter().map(part).collect::<Times>();
        for (what, times) in [
            (
                "kill -9 to the menu with \"stale\"",
                of(|round| round.stale),
            ),
            ("kill -9 to the notification", of(|round| round.notified)),
            (
                "new master's socket to the menu with it",
                of(|round| round.appeared),
            ),
        ] {
            table.row([
                format!("{}: {what}", build.name),
                times.count().to_string(),
                time(times.median()),
                time(times.worst()),
            ]);
        }
    }
    table.print(
        "An event",
        &format!(
            "Real masters, one killed at a time after a quiet time, default settings; up to {ROUNDS} rounds in {} s a build.",
            ENOUGH.as_secs()
        ),
    );
}

fn rounds(lab: &Lab, build: &Build) -> Vec<Round> {
    // The tests' configuration scans every second; a user has the default.
    lab.write_muxtray_config("");
    let desktop = Desktop::new(lab, Parts::ALL);
    let applet = desktop.start(&build.program, ["run"]);
    let icon = desktop.tray_icon(applet.pid());
    icon.wait_for_row(&["no masters"]);
    let bus = Bus {
        heard: desktop.overhear(&RULES),
        icon,
    };
    let begun = Instant::now();
    let most = if quick() { 3 } else { ROUNDS };
    let mut rounds = Vec::new();
    while rounds.len() < most && begun.elapsed() < ENOUGH {
        rounds.push(round(lab, &bus));
    }
    drop(bus);
    end(applet);
    rounds
}

fn round(lab: &Lab, bus: &Bus<'_>) -> Round {
    let _ = bus.heard.try_iter().count();
    let master = lab.master("web");
    let seen = bus.wait_until("the master is in the menu", |heard| {
        heard.menu_has("\u{25cf} web")
    });
    let linked = linked_at(master.path());
    thread::sleep(QUIET);

    let killed = Instant::now();
    kill(Pid::from_raw(master.pid()), Signal::SIGKILL).unwrap();
    let (mut stale, mut notified) = (None, None);
    bus.wait_until("the menu and a notification tell of it", |heard| {
        if notified.is_none() && heard.is_notification("web: stale control socket") {
            notified = Some(heard.at);
        }
        if stale.is_none() && heard.menu_has("\u{25b2} web") {
            stale = Some(Instant::now());
        }
        stale.is_some() && notified.is_some()
    });

    fs::remove_file(master.path()).unwrap();
    let (mut gone, mut withdrawn) = (false, false);
    bus.wait_until("menu and notification are as before", |heard| {
        gone = gone || heard.menu_has("no masters");
        withdrawn = withdrawn || heard.is_close();
        gone && withdrawn
    });
    let since_kill = |then: Option<Instant>| then.unwrap().duration_since(killed);
    Round {
        appeared: seen.saturating_duration_since(linked),
        stale: since_kill(stale),
        notified: since_kill(notified),
    }
}

/// The messages on the bus, and the icon with the menu that they change.
struct Bus<'a> {
    heard: Receiver<(Instant, zbus::Message)>,
    icon: TrayIcon<'a>,
}

/// A message with its time of arrival.
struct Heard<'a> {
    at: Instant,
    message: &'a zbus::Message,
    icon: &'a TrayIcon<'a>,
}

impl Bus<'_> {
    /// Reads messages until the condition holds, and returns the time then.
    fn wait_until(&self, what: &str, mut condition: impl FnMut(&Heard<'_>) -> bool) -> Instant {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let (at, message) = self
                .heard
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("waited {DEADLINE:?} in vain until {what}"));
            let heard = Heard {
                at,
                message: &message,
                icon: &self.icon,
            };
            if condition(&heard) {
                return Instant::now();
            }
        }
    }
}

impl Heard<'_> {
    /// Returns true if this message announces a change of the menu, and the menu has a row that begins with `label`.
    fn menu_has(&self, label: &str) -> bool {
        let header = self.message.header();
        let interface = header.interface().map(zbus::names::InterfaceName::as_str);
        interface == Some("com.canonical.dbusmenu")
            && self
                .icon
                .menu()
                .is_some_and(|menu| menu.find(label).is_some())
    }

    /// Returns true if this message is the notification with this title.
    fn is_notification(&self, title: &str) -> bool {
        matches!(
            Message::read(self.message),
            Some(Message::Notify { summary, .. }) if summary == title
        )
    }

    /// Returns true if this message closes a notification.
    fn is_close(&self) -> bool {
        matches!(Message::read(self.message), Some(Message::Close(_)))
    }
}

/// The time when the socket was linked to its path, on the clock of all other times.
fn linked_at(path: &Path) -> Instant {
    let file = fs::symlink_metadata(path).unwrap();
    let nanoseconds = u64::try_from(file.ctime_nsec()).unwrap();
    let changed = Duration::from_secs(u64::try_from(file.ctime()).unwrap())
        + Duration::from_nanos(nanoseconds);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Instant::now()
        .checked_sub(now.saturating_sub(changed))
        .unwrap()
}
