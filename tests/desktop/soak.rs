//! A long life in short: masters that come, die, hang, are continued and replaced, configurations that change, a panel and
//! a notification daemon that are killed and come back, around the running applet. What it shows and announces is
//! compared with what is true all the time; what it takes is measured whenever nothing is there.
//!
//! The schedule is random, from a seed that is printed. The short run is part of the suite; the long one, of so many
//! events, from another seed:
//!
//! ```text
//! MUXTRAY_SOAK_EVENTS=100000 MUXTRAY_SOAK_SEED=7 cargo test --release --test soak -- --nocapture
//! ```
//!
//! - No death is missed and no state shown wrongly: the menu has to agree with the truth after every batch.
//! - No problem is told twice, none not at all, and what is over is taken back: see [`ledger`].
//! - Descriptors, threads, inotify watches and children are as many in the end as they were, and memory does not grow.

mod daemon;
mod ledger;
mod masters;
mod panel;
mod usage;
mod world;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::time::{Duration, Instant};

use crate::desktop::{Desktop, Parts, end, lab};
use crate::support::{Lab, PATIENCE, Process, User};
use daemon::Daemon;
use futures_lite::future::block_on;
use ledger::Ledger;
use masters::{Act, Masters};
use panel::Panel;
use usage::Usage;
use world::{Kind, Problem, Standing, World};

/// The events of the run that is part of the suite.
const EVENTS: u64 = 2_500;
/// Batches between two rests, in the short run and in a long one.
const BATCHES: [usize; 2] = [4, 16];
/// Rests before what is measured counts: GTK and the C library fill their caches.
const WARM_UP: usize = 1;
/// The least rests that a growth can be told from.
const RESTS: usize = 4;
/// Paths of masters that come and end in order at once, in every batch.
const VISITORS: usize = 40;
/// So many events tell whether memory grows; `tests/steady.rs` does it with fewer, of one kind.
const TELLING: u64 = 50_000;
/// So much more may be in use in the last quarter than in the first, in bytes. One menu row or notification of a hundred
/// bytes that leaked with every event would be ten times that in the long run.
const MOST_GROWTH: u64 = 1024 * 1024;

/// Numbers that look random, the same from the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^= number >> 31;
        usize::try_from(number % sides as u64).unwrap()
    }
}

/// Everything around the applet, and what is known of it.
struct Soak<'a> {
    world: World<'a>,
    desktop: Desktop<'a>,
    daemon: Daemon,
    masters: Masters,
    panel: Panel<'a>,
    ledger: Ledger,
    dice: Dice,
    pid: i32,
    events: u64,
    /// The longest time from an event to everything being shown and told.
    slowest: Duration,
    restarts: [u64; 2],
}

impl Soak<'_> {
    /// What has happened is waited for: in the menu, and in the notifications.
    #[track_caller]
    fn settle(&mut self, before: &BTreeSet<Problem>) {
        let after = self.world.problems();
        let began = after.difference(before).cloned().collect();
        let over = before.difference(&after).cloned().collect();
        self.ledger.expect(began, &over, BTreeSet::new());
        let begun = Instant::now();
        let (world, ledger, daemon) = (&self.world, &mut self.ledger, &self.daemon);
        let agreed = self.panel.wait(PATIENCE, |shown| {
            world
                .differs_from(shown)
                .or_else(|| ledger.differs_from(daemon))
        });
        if let Err(why) = agreed {
            panic!("after {} events: {why}", self.events);
        }
        self.slowest = self.slowest.max(begun.elapsed());
        self.ledger.close();
        self.daemon.expire();
    }

    /// Masters of so many paths do something, all at once.
    fn batch(&mut self, paths: usize, choose: impl Fn(&mut Dice, Standing) -> Option<Standing>) {
        let before = self.world.problems();
        let mut acts = Vec::new();
        let mut started = Vec::new();
        let mut chosen = BTreeSet::new();
        for _ in 0..paths {
            let slot = VISITORS + self.dice.roll(self.world.slots.len() - VISITORS);
            let is_there = !(self.world.slots[slot].is_far && self.world.is_far_missing);
            if !is_there || !chosen.insert(slot) {
                continue;
            }
            let (path, standing) = (
                self.world.slots[slot].path.clone(),
                self.world.slots[slot].standing,
            );
            let Some(to) = choose(&mut self.dice, standing) else {
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
        // That a process was stopped is no event: it is seen with the next one.
        let mut order: Vec<usize> = (0..acts.len()).collect();
        order.sort_by_key(|at| !matches!(acts[*at], Act::Stop(_) | Act::Continue(_)));
        let mut acts: Vec<Act> = order.iter().map(|at| acts[*at].clone()).collect();
        self.events += acts.len() as u64 + 2 * VISITORS as u64;
        let visitors = self.world.slots[..VISITORS].iter();
        acts.extend(visitors.map(|slot| Act::Visit(slot.path.clone())));
        let pids = self.masters.perform(&acts);
        for (place, at) in order.into_iter().enumerate() {
            let (slot, to) = started[at];
            let pid = |known: i32| if pids[place] == 0 { known } else { pids[place] };
            let to = match (to, self.world.slots[slot].standing) {
                (Standing::Running(_), Standing::Hung(pid)) => Standing::Running(pid),
                (Standing::Hung(_), Standing::Running(pid)) => Standing::Hung(pid),
                (Standing::Running(known), _) => Standing::Running(pid(known)),
                (other, _) => other,
            };
            self.world.set(slot, to);
        }
        self.settle(&before);
    }

    fn random_batch(&mut self) {
        let paths = 1 + self.dice.roll(160);
        self.batch(paths, |dice, standing| {
            Some(match (standing, dice.roll(6)) {
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

    /// Nothing is left.
    fn clear(&mut self) {
        while self
            .world
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

    /// Something else than a master changes, and is undone or not.
    fn around(&mut self) {
        let before = self.world.problems();
        self.events += 1;
        match self.dice.roll(6) {
            0 => {
                let host = format!("extra{}", self.dice.roll(3));
                if !self.world.extra_hosts.remove(&host) {
                    self.world.extra_hosts.insert(host);
                }
                self.world.write_ssh_config();
            }
            // What is silent is in a file that can be read.
            1 if !self.world.is_config_broken => {
                let kind = [Kind::Stale, Kind::Unresponsive][self.dice.roll(2)];
                if !self.world.silent.remove(&kind) {
                    self.world.silent.insert(kind);
                }
                self.world.write_config();
            }
            1 | 2 => {
                self.world.is_config_broken = !self.world.is_config_broken;
                self.world.write_config();
            }
            3 => {
                self.world.is_far_missing = !self.world.is_far_missing;
                let far = self.world.far_directory();
                if self.world.is_far_missing {
                    fs::remove_dir(&far).unwrap();
                } else {
                    fs::create_dir(&far).unwrap();
                    User::get().own(&far);
                    // The one that is right for control sockets.
                    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
                    fs::set_permissions(&far, mode).unwrap();
                }
            }
            // What was shown would be shown again: `tests/faults_desktop` has that.
            4 if before.is_empty() => {
                self.daemon.die();
                self.ledger.lose();
                self.daemon.come_back();
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

    /// Undoes what [`Self::around`] has left.
    fn mend(&mut self) {
        let before = self.world.problems();
        if self.world.is_far_missing {
            let far = self.world.far_directory();
            fs::create_dir(&far).unwrap();
            User::get().own(&far);
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            fs::set_permissions(&far, mode).unwrap();
            self.world.is_far_missing = false;
        }
        self.world.is_config_broken = false;
        self.world.silent.clear();
        self.world.extra_hosts.clear();
        self.world.write_ssh_config();
        self.world.write_config();
        self.settle(&before);
    }
}

fn soak<'a>(
    lab: &'a Lab,
    world: World<'a>,
    connection: &'a zbus::Connection,
    desktop: Desktop<'a>,
    daemon: Daemon,
    applet: &Process,
    seed: u64,
) -> Soak<'a> {
    let panel = Panel::new(&desktop, connection, applet.pid());
    Soak {
        world,
        desktop,
        daemon,
        masters: Masters::new(lab),
        panel,
        ledger: Ledger::default(),
        dice: Dice(seed),
        pid: applet.pid(),
        events: 0,
        slowest: Duration::ZERO,
        restarts: [0, 0],
    }
}

#[test]
fn a_long_life() {
    let number =
        |name: &str, default: u64| env::var(name).map_or(default, |text| text.parse().unwrap());
    let (events, seed) = (
        number("MUXTRAY_SOAK_EVENTS", EVENTS),
        number("MUXTRAY_SOAK_SEED", 1),
    );
    let Some(lab) = lab("a_long_life") else {
        return;
    };
    // The files are there before the applet is.
    let world = World::new(&lab);
    let parts = Parts {
        daemon: false,
        ..Parts::ALL
    };
    let desktop = Desktop::new(&lab, parts);
    let address = desktop.bus_address();
    let daemon = Daemon::start(&address);
    let connection = zbus::connection::Builder::address(address.as_str()).build();
    let connection = block_on(connection).unwrap();
    let applet = desktop.muxtray_run(&[]);
    let mut soak = soak(&lab, world, &connection, desktop, daemon, &applet, seed);
    println!("seed {seed}");
    soak.settle(&BTreeSet::new());
    let begun = Instant::now();
    let mut rests: Vec<Usage> = Vec::new();
    while soak.events < events || rests.len() < WARM_UP + RESTS {
        for _ in 0..BATCHES[usize::from(events > EVENTS)] {
            soak.random_batch();
        }
        soak.clear();
        for _ in 0..2 {
            soak.around();
        }
        soak.mend();
        rests.push(Usage::of(applet.pid(), soak.events, begun.elapsed()));
    }
    println!("{}", Usage::table(&rests));
    println!(
        "{} events, {} masters killed, {} problems told of {}, panel killed {} times, daemon {} times; slowest {:.1?}",
        soak.events,
        soak.world.deaths,
        soak.ledger.seen,
        soak.ledger.expected,
        soak.restarts[0],
        soak.restarts[1],
        soak.slowest
    );
    assert_eq!(soak.ledger.seen, soak.ledger.expected);
    let most_growth = (soak.events >= TELLING).then_some(MOST_GROWTH);
    Usage::assert_flat(&rests[WARM_UP..], most_growth);
    end(applet);
    drop(soak);
}
