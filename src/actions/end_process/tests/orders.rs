//! Every order in which a master can end by itself, its id be given to a stranger, its listener pass to an heir and a
//! session be opened while its process is being ended: one run for each, with real processes and real pidfds.
//!
//! What can happen in between happens in one of four gaps, for ending looks twice and opens the pidfd in between:
//!
//! | gap | between                           |
//! | --: | --------------------------------- |
//! |   0 | before the first look             |
//! |   1 | the first look and the pidfd      |
//! |   2 | the pidfd and the second look     |
//! |   3 | the second look and the signal    |
//! |   4 | never                             |

use super::*;

/// How the test ends a master: by none of the signals that ending a process sends.
const OWN_END: nix::sys::signal::Signal = nix::sys::signal::Signal::SIGUSR1;

const NEVER: usize = 4;

/// When what happens, in gaps.
#[derive(Debug, Clone, Copy)]
struct Order {
    ends: usize,
    id_reused: usize,
    session: usize,
    /// Whether another ssh of the user's holds the listener too, and is found once the master has ended.
    has_heir: bool,
}

struct World {
    order: Order,
    pid: MasterPid,
    master: RefCell<Sleeper>,
    heir: RefCell<Option<Sleeper>>,
    stranger: RefCell<Option<Sleeper>>,
    looks: Cell<usize>,
    sessions: Cell<u32>,
}

impl World {
    fn new(order: Order) -> Self {
        let master = Sleeper::start();
        Self {
            order,
            pid: master.pid(),
            master: RefCell::new(master),
            heir: RefCell::new(order.has_heir.then(Sleeper::start)),
            stranger: RefCell::default(),
            looks: Cell::new(0),
            sessions: Cell::new(0),
        }
    }

    /// Has happen what belongs into this gap.
    fn pass(&self, gap: usize) {
        if gap >= NEVER {
            return;
        }
        let mut master = self.master.borrow_mut();
        if self.order.ends == gap {
            let pid = nix::unistd::Pid::from_raw(self.pid.0);
            nix::sys::signal::kill(pid, OWN_END).unwrap();
            master.0.wait().unwrap();
        }
        if self.order.id_reused == gap {
            self.stranger.replace(process_with_the_id(self.pid));
        }
        if self.order.session == gap {
            self.sessions.set(1);
        }
    }

    /// Whoever the kernel's table would name.
    fn holder(&self) -> Option<MasterPid> {
        if self.master.borrow_mut().is_running() {
            return Some(self.pid);
        }
        let mut heir = self.heir.borrow_mut();
        let heir = heir.as_mut()?;
        heir.is_running().then(|| heir.pid())
    }
}

impl Kernel for World {
    fn listener(&self, _: &Target) -> Option<ListenerFound> {
        let gap = 2 * self.looks.replace(self.looks.get() + 1);
        self.pass(gap);
        let holder = self.holder();
        let found = holder.map(|pid| orphan(pid, self.sessions.get()));
        self.pass(gap + 1);
        found
    }
}

fn orders() -> Vec<Order> {
    let mut orders = Vec::new();
    for ends in 0..=NEVER {
        for id_reused in ends..=NEVER {
            for session in 0..=NEVER {
                for has_heir in [false, true] {
                    orders.push(Order {
                        ends,
                        id_reused,
                        session,
                        has_heir,
                    });
                }
            }
        }
    }
    orders
}

#[test]
fn in_no_order_is_anybody_signalled_who_was_not_proven_and_agreed_to() {
    let orders = orders();
    assert_eq!(orders.len(), 15 * 5 * 2);
    let mut without_reuse = 0;
    for order in orders {
        let world = World::new(order);
        let outcome = end_process(&world, &target(), SessionConsent::UpTo(0));
        let Order {
            ends,
            id_reused,
            session,
            has_heir,
        } = order;
        let said = format!("{order:?}: {outcome:?}");

        match world.stranger.borrow_mut().as_mut() {
            Some(stranger) => assert!(stranger.is_running(), "{said}"),
            // The order in which ending goes through its gaps may be over before.
            None => without_reuse += usize::from(id_reused < 2 * world.looks.get().min(2)),
        }
        // Who is found by both looks, and was the one and the same, is proven; what was open by then was not agreed to.
        let is_agreed = session > 2;
        let master_is_proven = ends > 2 && is_agreed;
        let heir_is_proven = ends == 0 && has_heir && is_agreed;
        let mut master = world.master.borrow_mut();
        if master_is_proven && ends == NEVER {
            assert_eq!(master.ended_by(), Some(SIGKILL as i32), "{said}");
        } else if ends < 2 * world.looks.get().min(2) {
            assert_eq!(master.ended_by(), Some(OWN_END as i32), "{said}");
        } else {
            assert!(master.is_running(), "{said}");
        }
        if let Some(heir) = world.heir.borrow_mut().as_mut() {
            assert_eq!(heir.is_running(), !heir_is_proven, "{said}");
        }
        // Success is what is true: nobody listens any more.
        let is_over = master_is_proven && !has_heir || heir_is_proven;
        assert_eq!(outcome.is_ok(), is_over, "{said}");
        if let Ok(ended) = outcome {
            assert_eq!(ended.killed, ends == NEVER || heir_is_proven, "{said}");
        }
    }
    if without_reuse > 0 {
        skip(
            "in_no_order_is_anybody_signalled_who_was_not_proven_and_agreed_to",
            &format!(
                "{without_reuse} orders in which an id is reused: process ids cannot be chosen here"
            ),
        );
    }
}
