//! Every order in which a clean and other programs can interfere, one run each, with the real clean on a real
//! filesystem. Nothing is sampled: the explorer checks by two counts that no order was left out.
//!
//! A clean pauses between any two of its system calls that matter ([`cleaner`]); an ssh makes the calls of OpenSSH's
//! mux.c one by one ([`ssh`]). The directory is read after every call, so it is known which process took which name
//! ([`directory`]). In every run ([`scenario`]):
//!
//! - no clean removes anything but a socket that nobody listens on, and never by the name under which masters look;
//! - no start is broken: link(2) fails only if another file has the path;
//! - a file that was taken aside and turns out to be live is put back, or the clean reports that it could not be; the
//!   next clean settles it;
//! - a clean that is killed at any point leaves nothing that the next does not settle.
//!
//! # Losses that cannot be prevented
//!
//! Linux has no call that removes a name only if it belongs to a certain file. Therefore:
//!
//! - Two ssh alone can take a live socket from one another: both are refused, the first removes the file and becomes a
//!   master, the second removes the first's: see [`two_clients_without_clean_can_lose_live_socket`].
//! - A clean that is killed while it holds a master aside cannot put it back. The next clean does.
//! - A master that takes the path after a clean has decided is renamed with it, and stays aside until the clean has
//!   looked again. If yet another master takes the path in that moment, the first one cannot be put back: it keeps
//!   muxtray's temporary name, an orphan with a successor. The clean reports it (`LeftAside`), nothing is removed, and
//!   sessions go on.
//!
//! This is a program of its own, because a child that another thread forks holds the listeners of a dead master open
//! until it execs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cleaner;
mod directory;
mod explorer;
mod race;
mod scenario;
mod ssh;

use std::collections::BTreeSet;
use std::time::Duration;

use muxtray::actions::clean::CleanStep;
use muxtray::actions::error::ActionError;

use cleaner::{EVERY, LOCKING, NAMES, Order, Window};
use directory::{ASIDE, CONTROL_NAME};
use explorer::{Explored, explore};
use scenario::{Ending, FinalState, Scenario};
use ssh::{Ssh, State};

/// The results of all runs of a scenario.
#[derive(Debug, Default)]
struct Sum {
    endings: BTreeSet<Ending>,
    /// Runs in which an ssh took a live socket from another.
    losses: u64,
    /// Runs in which a clean could not put a file back.
    left: u64,
}

/// A clean of the path that pauses in these windows.
fn clean(windows: &'static [Window]) -> Order {
    Order {
        jobs: &[CONTROL_NAME],
        windows,
        killed_at: None,
        ahead: Duration::ZERO,
    }
}

/// Makes every run of a scenario that begins with stale sockets of these names.
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
        || Scenario::new(directory.path(), stale, orders, sshs()),
        |scenario| {
            let is_left = |outcome: &_| matches!(outcome, Err(ActionError::LeftAside(_)));
            sum.losses += u64::from(!scenario.losses().is_empty());
            sum.left += u64::from(scenario.outcomes().any(is_left));
            sum.endings.insert(scenario.check());
        },
    );
    (explored, sum)
}

/// A clean that is killed in this window.
fn clean_killed_at(window: Window) -> Order {
    Order {
        killed_at: Some(window),
        ..clean(LOCKING)
    }
}

#[test]
fn clean_during_master_start_loses_no_socket() {
    let (explored, sum) = all(&[10, 4], &[CONTROL_NAME], &[clean(EVERY)], || {
        vec![Ssh::master(0)]
    });
    explored.expect(1001).expect_every_word();
    // `ssh -M` does not remove a stale socket: the runs differ only in whether the path is free in time.
    let endings = [FinalState::AtPath, FinalState::No(State::Disabled)].map(alone);
    assert_eq!(sum.endings, BTreeSet::from(endings));
    assert_eq!((sum.losses, sum.left), (0, 0));
}

#[test]
fn clean_during_client_that_unlinks_stale_socket_loses_no_socket() {
    let (explored, sum) = all(&[10, 6], &[CONTROL_NAME], &[clean(EVERY)], || {
        vec![Ssh::client(0)]
    });
    explored.expect(1378).expect_every_word();
    assert_eq!(
        sum.endings,
        BTreeSet::from([(vec![FinalState::AtPath], Some(0))])
    );
    assert_eq!((sum.losses, sum.left), (0, 0));
}

/// The end of a run with a single ssh.
fn alone(final_state: FinalState) -> Ending {
    let paused_at = (final_state == FinalState::AtPath).then_some(0);
    (vec![final_state], paused_at)
}

#[test]
fn two_clients_without_clean_can_lose_live_socket() {
    let clients = || vec![Ssh::client(0), Ssh::client(1)];
    let (explored, sum) = all(&[6, 6], &[CONTROL_NAME], &[], clients);
    explored.expect(748).expect_every_word();
    assert_eq!(sum.losses, 24, "mux.c has changed");
    let orphan = (vec![FinalState::Orphaned, FinalState::AtPath], Some(1));
    assert!(sum.endings.contains(&orphan));
}

#[test]
fn clean_adds_no_ending_to_those_of_two_clients() {
    let clients = || {
        vec![
            Ssh::client_with_atomic_start(0),
            Ssh::client_with_atomic_start(1),
        ]
    };
    let (explored, without) = all(&[3, 3], &[CONTROL_NAME], &[], clients);
    explored.expect(18).expect_every_word();
    let (explored, with) = all(&[6, 3, 3], &[CONTROL_NAME], &[clean(NAMES)], clients);
    explored.expect(2574).expect_every_word();
    assert_eq!(with.endings, without.endings);
    assert!(
        with.left > 0,
        "no run had the loss that cannot be prevented"
    );
}

#[test]
fn two_cleans_wait_for_each_other() {
    let orders = [clean(LOCKING), clean(LOCKING)];
    let master = || vec![Ssh::master_with_atomic_start(0)];
    let (explored, sum) = all(&[6, 6, 2], &[CONTROL_NAME], &orders, master);
    explored.expect(90);
    let endings = [FinalState::AtPath, FinalState::No(State::Disabled)].map(alone);
    assert_eq!(sum.endings, BTreeSet::from(endings));
    assert_eq!((sum.losses, sum.left), (0, 0));
}

#[test]
fn clean_during_master_end_loses_no_socket() {
    for (ends, runs) in [
        (Ssh::that_ends as fn(Ssh) -> Ssh, 101),
        (Ssh::that_is_killed, 65),
    ] {
        let master = || vec![ends(Ssh::client_with_atomic_start(0))];
        let (explored, sum) = all(&[6, 5], &[CONTROL_NAME], &[clean(NAMES)], master);
        explored.expect(runs).expect_every_word();
        assert_eq!(
            sum.endings,
            BTreeSet::from([alone(FinalState::No(State::Ended))])
        );
        assert_eq!((sum.losses, sum.left), (0, 0));
    }
}

/// A killed clean holds no lock, and another may follow. Between taking a master aside and putting it back only the
/// next clean, with which every run here ends, can put it back.
#[test]
fn killed_clean_is_settled_by_next_clean() {
    for (window, runs, is_in_between) in [
        (Window::Open, 293, false),
        (Window::At(CleanStep::Judged), 572, false),
        (Window::At(CleanStep::Renamed), 515, true),
        (Window::At(CleanStep::Removing), 602, false),
        (Window::At(CleanStep::PuttingBack), 731, true),
    ] {
        let orders = [clean_killed_at(window), clean(LOCKING)];
        let client = || vec![Ssh::client_with_atomic_start(0)];
        let (explored, sum) = all(&[6, 6, 3], &[CONTROL_NAME], &orders, client);
        explored.expect(runs);
        let mut endings = BTreeSet::from([alone(FinalState::AtPath)]);
        endings.extend(is_in_between.then_some(alone(FinalState::Orphaned)));
        assert_eq!(sum.endings, endings, "{window:?}");
    }
}

#[test]
fn file_left_aside_breaks_no_start() {
    let order = Order {
        jobs: &[ASIDE, CONTROL_NAME],
        ..clean(NAMES)
    };
    let client = || vec![Ssh::client_with_atomic_start(0)];
    let (explored, sum) = all(&[12, 3], &[ASIDE, CONTROL_NAME], &[order], client);
    explored.expect(94).expect_every_word();
    assert_eq!(sum.endings, BTreeSet::from([alone(FinalState::AtPath)]));
    assert_eq!((sum.losses, sum.left), (0, 0));
}
