//! How soon something is known: a master is killed, until the menu says so and until the notification is on the bus;
//! a master starts, until it is in the menu. Real masters, one at a time, on a desktop with a real panel and a real
//! notification daemon; muxtray as it is installed, with its own defaults.
//!
//! Everything is timed by one clock, in this process: the kill from before the system call, a notification when it
//! arrives from the bus, the menu when it has been fetched as a panel does, after the signal that it changed. A new
//! master counts from when its socket was linked, by the file's change time, which a tick of the kernel's clock (4 ms)
//! may put too early but never too late. So the benchmark errs against muxtray only.

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
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use desktop::{Desktop, Message, Parts, TrayIcon, end, lab};
use measure::{Build, Table, Times, quick, ratio_of_times, time_if_any, with_icon};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use support::Lab;

const ROUNDS: usize = 50;
/// Rounds that have not begun by then are left out: a build that only polls needs half a minute for each step.
const ENOUGH: Duration = Duration::from_secs(100);
/// Longer than the longest that a build that only polls may need by its defaults.
const DEADLINE: Duration = Duration::from_secs(70);

/// What a panel fetches the menu again for, and what a notification daemon is told.
const RULES: [&str; 2] = [
    "interface='com.canonical.dbusmenu',type='signal'",
    "interface='org.freedesktop.Notifications'",
];

/// One round: a master that comes and is killed.
struct Round {
    /// From its socket to the menu with it.
    appeared: Duration,
    /// From the kill to its parent's knowing: the soonest that anybody can.
    reaped: Duration,
    /// From the kill to the menu that says stale.
    stale: Duration,
    /// From the kill to the notification.
    notified: Duration,
}

fn main() {
    // Asked before the lean build is built, which takes minutes.
    if lab("events").is_none() {
        return;
    }
    println!("## Events\n");
    let mut table = Table::new(&[
        "",
        "rounds",
        "median",
        "worst",
        "ratio of medians to `waitid`",
    ]);
    for build in with_icon("events") {
        let Some(lab) = lab("events") else {
            return;
        };
        let rounds = rounds(&lab, &build);
        let of = |part: fn(&Round) -> Duration| rounds.iter().map(part).collect::<Times>();
        let reaped = of(|round| round.reaped);
        for (what, times) in [
            ("kill -9 to its parent's `waitid`", &reaped),
            (
                "kill -9 to the menu that says stale",
                &of(|round| round.stale),
            ),
            (
                "kill -9 to the notification on the bus",
                &of(|round| round.notified),
            ),
            (
                "new master's socket to the menu with it",
                &of(|round| round.appeared),
            ),
        ] {
            table.row([
                format!("{}: {what}", build.name),
                times.count().to_string(),
                time_if_any(times.median()),
                time_if_any(times.worst()),
                ratio_of_times(times.median(), reaped.median()),
            ]);
        }
    }
    table.print(
        "How soon it is known",
        &format!(
            "Real masters, one killed at a time, default settings; up to {ROUNDS} rounds in {} s a build.",
            ENOUGH.as_secs()
        ),
    );
}

fn rounds(lab: &Lab, build: &Build) -> Vec<Round> {
    // The laboratory of the tests looks every second; this is about what a person has.
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

    let pid = Pid::from_raw(master.pid());
    let killed = Instant::now();
    kill(pid, Signal::SIGKILL).unwrap();
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
    let reaped = killed.elapsed();
    let (mut stale, mut notified) = (None, None);
    bus.wait_until("the menu and a notification tell of it", |heard| {
        if notified.is_none() && heard.was_told("web: stale control socket") {
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
        withdrawn = withdrawn || heard.was_taken_back();
        gone && withdrawn
    });
    let since_kill = |then: Option<Instant>| then.unwrap().duration_since(killed);
    Round {
        appeared: seen.saturating_duration_since(linked),
        reaped,
        stale: since_kill(stale),
        notified: since_kill(notified),
    }
}

/// What goes over the bus, and the icon whose menu it changes.
struct Bus<'a> {
    heard: Receiver<(Instant, zbus::Message)>,
    icon: TrayIcon<'a>,
}

/// A message as it arrived.
struct Heard<'a> {
    at: Instant,
    message: &'a zbus::Message,
    icon: &'a TrayIcon<'a>,
}

impl Bus<'_> {
    /// Looks at every message until one makes the condition hold, and says when it was found to.
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
    /// Whether this message says that the menu changed, and the menu now has a row that begins so.
    fn menu_has(&self, label: &str) -> bool {
        let header = self.message.header();
        let interface = header.interface().map(zbus::names::InterfaceName::as_str);
        interface == Some("com.canonical.dbusmenu")
            && self
                .icon
                .menu()
                .is_some_and(|menu| menu.find(label).is_some())
    }

    /// Whether this message is the notification with this title.
    fn was_told(&self, title: &str) -> bool {
        matches!(
            Message::read(self.message),
            Some(Message::Notify { summary, .. }) if summary == title
        )
    }

    /// Whether this message takes a notification back.
    fn was_taken_back(&self) -> bool {
        matches!(Message::read(self.message), Some(Message::Close(_)))
    }
}

/// When the socket was linked into place, by the clock that times everything else.
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
