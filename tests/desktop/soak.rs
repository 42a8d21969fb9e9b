//! A long run in short time: masters that start, end, hang, continue and are replaced, stranded ones that the applet
//! replaces, configurations that change, a panel and a notification daemon that are killed and restarted, around the
//! running applet. The menu and the announcements are compared with the true state all the time; the resources are
//! measured whenever there are no masters.
//!
//! The schedule is random, from a seed that is printed. The short run is part of the suite; a long one, with this many
//! events and another seed, is:
//!
//! ```text
//! MUXTRAY_SOAK_EVENTS=100000 MUXTRAY_SOAK_SEED=7 cargo test --release --test desktop soak -- --nocapture
//! ```
//!
//! - No death is missed and no state shown wrongly: the menu has to agree with the true state after every batch.
//! - Every problem is announced exactly once, and its notification closed when it is over: see [`announcements`].
//! - Descriptors, threads, inotify watches and children are as many in the end as they were, and memory does not grow.

mod announcements;
mod daemon;
mod masters;
mod panel;
mod reopen;
mod sessions;
mod truth;
mod usage;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{Network, PATIENCE, Process, User, has_glycin, program, skip};
use announcements::Announcements;
use daemon::Daemon;
use futures_lite::future::block_on;
use masters::{Act, Masters};
use panel::Panel;
use truth::{Kind, Problem, Standing, Truth};
use usage::Usage;

/// The events of the run that is part of the suite.
const EVENTS: u64 = 2_500;
/// Batches between two measurements, in the short run and in a long one.
const BATCHES: [usize; 2] = [4, 16];
/// Measurements before those that count: GTK and the C library fill their caches.
const WARM_UP: usize = 1;
/// The least number of measurements that can show a growth.
const MEASUREMENTS: usize = 4;
/// Paths of masters that start and end in order at once, in every batch.
const VISITORS: usize = 40;
/// The number of events that can show a growth of memory; `steady` does it with fewer, of one kind.
const EVENTS_TO_SHOW_GROWTH: u64 = 50_000;
/// The growth allowed from the first quarter to the last, in bytes. One menu row or notification of a hundred bytes
/// leaked with every event would be ten times that in the long run.
const MOST_GROWTH: u64 = 1024 * 1024;

/// Pseudo-random numbers, the same for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^= number >> 31;
        usize::try_from(number % limit as u64).unwrap()
    }
}

/// The applet's surroundings, and their true state.
struct Soak<'a> {
    truth: Truth<'a>,
    desktop: Desktop<'a>,
    daemon: Daemon,
    masters: Masters,
    panel: Panel<'a>,
    announcements: Announcements,
    random: Random,
    /// The applet and all masters run in it.
    network: Option<&'a Network>,
    /// Whether the client has its other addresses.
    is_moved: bool,
    pid: i32,
    events: u64,
    /// The longest time from an event until the menu and the notifications were right.
    slowest: Duration,
    restarts: [u64; 2],
    /// The number of stranded masters that the applet replaced.
    replaced: usize,
}

impl Soak<'_> {
    /// Waits until the menu and the notifications agree with the true state.
    #[track_caller]
    fn settle(&mut self, before: &BTreeSet<Problem>) {
        let after = self.truth.problems();
        let began = after.difference(before).cloned().collect();
        let over = before.difference(&after).cloned().collect();
        self.announcements.expect(began, &over, BTreeSet::new());
        let begun = Instant::now();
        let (truth, announcements, daemon) = (&self.truth, &mut self.announcements, &self.daemon);
        let agreed = self.panel.wait(PATIENCE, |shown| {
            truth
                .differs_from(shown)
                .or_else(|| announcements.differs_from(daemon))
        });
        if let Err(why) = agreed {
            panic!("after {} events: {why}", self.events);
        }
        self.slowest = self.slowest.max(begun.elapsed());
        self.announcements.close();
        self.daemon.expire();
    }

    /// Changes the masters of this many paths at once.
    fn batch(&mut self, paths: usize, choose: impl Fn(&mut Random, Standing) -> Option<Standing>) {
        let before = self.truth.problems();
        let mut acts = Vec::new();
        let mut started = Vec::new();
        let mut chosen = BTreeSet::new();
        for _ in 0..paths {
            let slot = VISITORS + self.random.below(self.truth.slots.len() - VISITORS);
            let is_there = !(self.truth.slots[slot].is_far && self.truth.is_far_missing);
            if !is_there || !chosen.insert(slot) {
                continue;
            }
            let (path, standing) = (
                self.truth.slots[slot].path.clone(),
                self.truth.slots[slot].standing,
            );
            let Some(to) = choose(&mut self.random, standing) else {
                continue;
            };
            let act = match (standing, to) {
                (Standing::Nothing, _) => Act::Start(path),
                (Standing::Stale, Standing::Nothing) => Act::Remove(path),
                (Standing::Stale, _) => Act::Replace(path),
                (Standing::Running(pid), Standing::Hung(_)) => Act::Stop(pid),
                (Standing::Hung(pid), Standing::Running(_)) => Act::Continue(pid),
                (Standing::Running(pid) | Standing::Hung(pid), Standing::Stale) => Act::Kill(pid),
                (Standing::Running(pid) | Standing::Hung(pid), _) => Act::End(pid),
            };
            started.push((slot, to));
            acts.push(act);
        }
        // A stopped process makes no event: it is seen with the next one.
        let mut order: Vec<usize> = (0..acts.len()).collect();
        order.sort_by_key(|at| !matches!(acts[*at], Act::Stop(_) | Act::Continue(_)));
        let mut acts: Vec<Act> = order.iter().map(|at| acts[*at].clone()).collect();
        self.events += acts.len() as u64 + 2 * VISITORS as u64;
        let visitors = self.truth.slots[..VISITORS].iter();
        acts.extend(visitors.map(|slot| Act::Visit(slot.path.clone())));
        let pids = self.masters.perform(&acts);
        for (place, at) in order.into_iter().enumerate() {
            let (slot, to) = started[at];
            let pid = |known: i32| if pids[place] == 0 { known } else { pids[place] };
            let to = match (to, self.truth.slots[slot].standing) {
                (Standing::Running(_), Standing::Hung(pid)) => Standing::Running(pid),
                (Standing::Hung(_), Standing::Running(pid)) => Standing::Hung(pid),
                (Standing::Running(known), _) => Standing::Running(pid(known)),
                (other, _) => other,
            };
            self.truth.set(slot, to);
        }
        self.settle(&before);
    }

    fn random_batch(&mut self) {
        let paths = 1 + self.random.below(160);
        self.batch(paths, |random, standing| {
            Some(match (standing, random.below(6)) {
                (Standing::Nothing, _) => Standing::Running(0),
                (Standing::Running(_), 0..=2) => Standing::Stale,
                (Standing::Running(_), 3) => Standing::Hung(0),
                (Standing::Running(_), _) => Standing::Nothing,
                (Standing::Hung(_), 0..=3) => Standing::Running(0),
                (Standing::Hung(_), _) => Standing::Stale,
                (Standing::Stale, 0..=2) => Standing::Running(0),
                (Standing::Stale, _) => Standing::Nothing,
            })
        });
    }

    /// Ends all masters.
    fn end_all_masters(&mut self) {
        while self
            .truth
            .slots
            .iter()
            .any(|slot| slot.standing != Standing::Nothing)
        {
            self.batch(400, |_, standing| match standing {
                Standing::Nothing => None,
                Standing::Hung(_) => Some(Standing::Running(0)),
                Standing::Running(_) | Standing::Stale => Some(Standing::Nothing),
            });
        }
    }

    /// Changes something other than a master, and undoes it or not.
    fn change_surroundings(&mut self) {
        let before = self.truth.problems();
        self.events += 1;
        match self.random.below(6) {
            0 => {
                let host = format!("extra{}", self.random.below(3));
                if !self.truth.extra_hosts.remove(&host) {
                    self.truth.extra_hosts.insert(host);
                }
                self.truth.write_ssh_config();
            }
            // Silenced problems are in a file that can be read.
            1 if !self.truth.is_config_broken => {
                let kind = [Kind::Stale, Kind::Unresponsive][self.random.below(2)];
                if !self.truth.silent.remove(&kind) {
                    self.truth.silent.insert(kind);
                }
                self.truth.write_config();
            }
            1 | 2 => {
                self.truth.is_config_broken = !self.truth.is_config_broken;
                self.truth.write_config();
            }
            3 => {
                self.truth.is_far_missing = !self.truth.is_far_missing;
                let far = self.truth.far_directory();
                if self.truth.is_far_missing {
                    fs::remove_dir(&far).unwrap();
                } else {
                    fs::create_dir(&far).unwrap();
                    User::get().own(&far);
                    // The right mode for control sockets.
                    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
                    fs::set_permissions(&far, mode).unwrap();
                }
            }
            // Shown notifications would be shown again: `faults` tests that.
            4 if before.is_empty() => {
                self.daemon.kill();
                self.announcements.forget_daemon();
                self.daemon.restart();
                self.restarts[1] += 1;
            }
            _ => {
                self.desktop.kill_panel();
                self.desktop.start_panel();
                self.desktop.tray_icon(self.pid);
                self.restarts[0] += 1;
            }
        }
        self.settle(&before);
    }

    /// Undoes the changes of [`Self::change_surroundings`].
    fn undo_changes(&mut self) {
        let before = self.truth.problems();
        if self.truth.is_far_missing {
            let far = self.truth.far_directory();
            fs::create_dir(&far).unwrap();
            User::get().own(&far);
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            fs::set_permissions(&far, mode).unwrap();
            self.truth.is_far_missing = false;
        }
        self.truth.is_config_broken = false;
        self.truth.silent.clear();
        self.truth.extra_hosts.clear();
        self.truth.write_ssh_config();
        self.truth.write_config();
        self.settle(&before);
    }
}

fn soak<'a>(
    truth: Truth<'a>,
    masters: Masters,
    connection: &'a zbus::Connection,
    desktop: Desktop<'a>,
    daemon: Daemon,
    applet: &Process,
    seed: u64,
) -> Soak<'a> {
    let panel = Panel::new(&desktop, connection, applet.pid());
    Soak {
        truth,
        desktop,
        daemon,
        masters,
        panel,
        announcements: Announcements::default(),
        random: Random(seed),
        network: None,
        is_moved: false,
        pid: applet.pid(),
        events: 0,
        slowest: Duration::ZERO,
        restarts: [0, 0],
        replaced: 0,
    }
}

#[test]
fn long_run_announces_each_problem_once_without_growth() {
    let number =
        |name: &str, default: u64| env::var(name).map_or(default, |text| text.parse().unwrap());
    let (events, seed) = (
        number("MUXTRAY_SOAK_EVENTS", EVENTS),
        number("MUXTRAY_SOAK_SEED", 1),
    );
    let test = "long_run_announces_each_problem_once_without_growth";
    let Some(lab) = lab(test) else {
        return;
    };
    let network = Network::of(lab);
    let (lab, network) = match &network {
        Ok(network) => (&network.lab, Some(network)),
        Err(refused) => {
            let (lab, why) = &**refused;
            skip(&format!("{test}, stranded masters"), why);
            (lab, None)
        }
    };
    // The files exist before the applet starts.
    let truth = Truth::new(lab, network.is_some());
    let parts = Parts {
        daemon: false,
        ..Parts::ALL
    };
    let desktop = Desktop::new(lab, parts);
    let address = desktop.bus_address();
    let daemon = Daemon::start(&address);
    let connection = zbus::connection::Builder::address(address.as_str()).build();
    let connection = block_on(connection).unwrap();
    let enter = |command: Command| match network {
        Some(network) => network.enter(&command),
        None => command,
    };
    let applet = desktop.join(lab.command_of_build(program(), ["run"]));
    let applet = Process::start(enter(applet));
    let masters = Masters::new(enter(masters::command(lab)));
    let mut soak = Soak {
        network,
        ..soak(truth, masters, &connection, desktop, daemon, &applet, seed)
    };
    println!("seed {seed}");
    soak.settle(&BTreeSet::new());
    let begun = Instant::now();
    let mut measurements: Vec<Usage> = Vec::new();
    while soak.events < events || measurements.len() < WARM_UP + MEASUREMENTS {
        for _ in 0..BATCHES[usize::from(events > EVENTS)] {
            soak.random_batch();
        }
        soak.end_all_masters();
        for _ in 0..2 {
            soak.change_surroundings();
        }
        soak.undo_changes();
        soak.sessions_and_keeps();
        // A stranded master is replaced after 15 seconds.
        if measurements.len().is_multiple_of(2) {
            soak.stranded_masters_are_replaced();
        }
        measurements.push(Usage::of(applet.pid(), soak.events, begun.elapsed()));
    }
    println!("{}", Usage::table(&measurements));
    println!(
        "{} events, {} masters killed, {} replaced, {} problems announced of {}, panel killed {} times, daemon {} times; slowest {:.1?}",
        soak.events,
        soak.truth.killed,
        soak.replaced,
        soak.announcements.seen,
        soak.announcements.expected,
        soak.restarts[0],
        soak.restarts[1],
        soak.slowest
    );
    assert_eq!(soak.announcements.seen, soak.announcements.expected);
    let measured = &measurements[WARM_UP..];
    if has_glycin(applet.pid()) {
        skip(test, "glycin keeps threads and descriptors");
    } else {
        if soak.events >= EVENTS_TO_SHOW_GROWTH {
            Usage::assert_flat_memory(measured, MOST_GROWTH);
        }
        Usage::wait_until_flat(applet.pid(), &measured[..measured.len() / 2]);
    }
    end(applet);
    drop(soak);
}
