//! Every order in which a clean and other programs can get in each other's way, one run for each, with the real clean on
//! a real filesystem. Nothing is sampled: the explorer counts in two ways that no order was left out.
//!
//! A clean stands still between any two of its system calls that matter ([`cleaner`]); an ssh makes the calls of
//! OpenSSH's mux.c one by one ([`ssh`]). After every call the directory is read, so that it is known who took what
//! ([`stage`]). In every run has to hold ([`scene`]):
//!
//! - no clean removes anything but a socket that nobody listens on, and never by the name under which masters look;
//! - no start is broken: link(2) fails only where another file stands at the path;
//! - what was taken aside and is no prey is put back, or the clean says that it could not be; and the next clean settles it;
//! - a clean that dies anywhere leaves nothing that the next does not settle.
//!
//! # What cannot be prevented
//!
//! Linux has no call that removes a name only if it is a certain file's. So:
//!
//! - Two ssh alone can take a live socket from one another: both are refused, the first removes the file and becomes a
//!   master, the second removes the first's. [`two_clients_alone`] shows it without any clean.
//! - A clean that is killed while it holds a master aside cannot put it back. The next clean does.
//! - A master that takes the path after a clean has judged is renamed with it, and stands aside until the clean has
//!   looked again. Where yet another master takes the path in that moment, there is no way back: the first keeps a name
//!   of muxtray's, an orphan with a successor. The clean says so (`LeftAside`), nothing is removed, and sessions go on.
//!
//! A program of its own: a child that another thread forks holds the listeners of a dead master open until it execs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cleaner;
mod explorer;
mod scene;
mod ssh;
mod stage;

use std::collections::BTreeSet;
use std::time::Duration;

use muxtray::actions::clean::{CleanError, CleanStep, Remnant};

use cleaner::{EVERY, LOCKING, NAMES, Order, Window};
use explorer::{Explored, explore};
use scene::{Ending, Scene, Standing};
use ssh::{Fate, Ssh};
use stage::{ASIDE, HOME};

/// What came of all runs of a scene.
#[derive(Debug, Default)]
struct Sum {
    endings: BTreeSet<Ending>,
    /// Runs in which an ssh took a live socket from another.
    losses: u64,
    /// Runs in which a clean could not put back what it had taken.
    left: u64,
}

/// Has a clean of the path stand still in these windows.
fn clean(windows: &'static [Window]) -> Order {
    Order {
        jobs: &[(HOME, Remnant::Stale)],
        windows,
        dies_at: None,
        ahead: Duration::ZERO,
    }
}

/// Goes through every run of a scene that begins with stale sockets of these names.
fn all(
    lengths: &[usize],
    stale: &[&str],
    orders: &[Order],
    sshs: impl Fn() -> Vec<Ssh>,
) -> (Explored, Sum) {
    let directory = tempfile::tempdir().unwrap();
    let mut sum = Sum::default();
    let explored = explore(
        lengths,
        || Scene::new(directory.path(), stale, orders, sshs()),
        |scene| {
            let is_left = |outcome: &_| matches!(outcome, Err(CleanError::LeftAside { .. }));
            sum.losses += u64::from(!scene.losses().is_empty());
            sum.left += u64::from(scene.outcomes().any(is_left));
            sum.endings.insert(scene.judge());
        },
    );
    (explored, sum)
}

/// The order of a clean that dies in this window.
fn dying(window: Window) -> Order {
    Order {
        dies_at: Some(window),
        ..clean(LOCKING)
    }
}

#[test]
fn a_clean_and_a_starting_master() {
    let (explored, sum) = all(&[10, 4], &[HOME], &[clean(EVERY)], || vec![Ssh::master(0)]);
    explored.expect(1001).expect_every_word();
    // `ssh -M` does not remove a stale socket: whether it is there in time to find the path free is all that differs.
    let endings = [Standing::Serves, Standing::No(Fate::Disabled)].map(alone);
    assert_eq!(sum.endings, BTreeSet::from(endings));
    assert_eq!((sum.losses, sum.left), (0, 0));
}

#[test]
fn a_clean_and_a_client_that_removes_the_stale_socket_itself() {
    let (explored, sum) = all(&[10, 6], &[HOME], &[clean(EVERY)], || vec![Ssh::client(0)]);
    explored.expect(1378).expect_every_word();
    assert_eq!(
        sum.endings,
        BTreeSet::from([(vec![Standing::Serves], Some(0))])
    );
    assert_eq!((sum.losses, sum.left), (0, 0));
}

/// How one ssh that was alone stands.
fn alone(standing: Standing) -> Ending {
    let stands = (standing == Standing::Serves).then_some(0);
    (vec![standing], stands)
}

#[test]
fn two_clients_alone() {
    let clients = || vec![Ssh::client(0), Ssh::client(1)];
    let (explored, sum) = all(&[6, 6], &[HOME], &[], clients);
    explored.expect(748).expect_every_word();
    assert_eq!(sum.losses, 24, "this page tells another OpenSSH");
    let orphan = (vec![Standing::Orphaned, Standing::Serves], Some(1));
    assert!(sum.endings.contains(&orphan));
}

#[test]
fn a_clean_adds_no_ending_that_two_clients_alone_cannot_have() {
    let clients = || vec![Ssh::brief_client(0), Ssh::brief_client(1)];
    let (explored, without) = all(&[3, 3], &[HOME], &[], clients);
    explored.expect(18).expect_every_word();
    let (explored, with) = all(&[6, 3, 3], &[HOME], &[clean(NAMES)], clients);
    explored.expect(2574).expect_every_word();
    assert_eq!(with.endings, without.endings);
    assert!(with.left > 0, "what cannot be prevented did not happen");
}

#[test]
fn two_cleans_wait_for_each_other() {
    let orders = [clean(LOCKING), clean(LOCKING)];
    let master = || vec![Ssh::brief_master(0)];
    let (explored, sum) = all(&[6, 6, 2], &[HOME], &orders, master);
    explored.expect(90);
    let endings = [Standing::Serves, Standing::No(Fate::Disabled)].map(alone);
    assert_eq!(sum.endings, BTreeSet::from(endings));
    assert_eq!((sum.losses, sum.left), (0, 0));
}

#[test]
fn a_clean_and_a_master_that_ends_in_order_or_is_killed() {
    for (ends, runs) in [
        (Ssh::that_ends as fn(Ssh) -> Ssh, 101),
        (Ssh::that_is_killed, 65),
    ] {
        let master = || vec![ends(Ssh::brief_client(0))];
        let (explored, sum) = all(&[6, 5], &[HOME], &[clean(NAMES)], master);
        explored.expect(runs).expect_every_word();
        assert_eq!(
            sum.endings,
            BTreeSet::from([alone(Standing::No(Fate::Ended))])
        );
        assert_eq!((sum.losses, sum.left), (0, 0));
    }
}

/// A clean that is killed holds no lock any more, and another comes. Between taking a master aside and putting it back
/// there is nobody to put it back but the next clean, which every run here ends with.
#[test]
fn a_clean_that_dies_anywhere_is_settled_by_the_next() {
    for (window, runs, is_in_between) in [
        (Window::Open, 293, false),
        (Window::At(CleanStep::Judged), 572, false),
        (Window::At(CleanStep::Renamed), 515, true),
        (Window::At(CleanStep::Removing), 602, false),
        (Window::At(CleanStep::PuttingBack), 731, true),
    ] {
        let orders = [dying(window), clean(LOCKING)];
        let client = || vec![Ssh::brief_client(0)];
        let (explored, sum) = all(&[6, 6, 3], &[HOME], &orders, client);
        explored.expect(runs);
        let mut endings = BTreeSet::from([alone(Standing::Serves)]);
        endings.extend(is_in_between.then_some(alone(Standing::Orphaned)));
        assert_eq!(sum.endings, endings, "{window:?}");
    }
}

#[test]
fn what_a_dead_clean_left_aside_harms_no_start() {
    let order = Order {
        jobs: &[(ASIDE, Remnant::Aside), (HOME, Remnant::Stale)],
        ..clean(NAMES)
    };
    let client = || vec![Ssh::brief_client(0)];
    let (explored, sum) = all(&[12, 3], &[ASIDE, HOME], &[order], client);
    explored.expect(94).expect_every_word();
    assert_eq!(sum.endings, BTreeSet::from([alone(Standing::Serves)]));
    assert_eq!((sum.losses, sum.left), (0, 0));
}
