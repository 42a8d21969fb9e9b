//! One run for every order of events while a process is being ended, with real processes and pidfds: the master ends by
//! itself, its id is reused, another process keeps its listener, a session is opened.
//!
//! The listener is looked up twice, and the pidfd is opened in between. So each event happens in one of four gaps:
//!
//! | gap | time                                |
//! | --: | ----------------------------------- |
//! |   0 | before the first lookup             |
//! |   1 | between first lookup and pidfd      |
//! |   2 | between pidfd and second lookup     |
//! |   3 | between second lookup and signal    |
//! |   4 | never                               |

use super::*;

/// The signal with which the test ends a master. `end_process` sends none of this kind.
const OWN_END: nix::sys::signal::Signal = nix::sys::signal::Signal::SIGUSR1;

const NEVER: usize = 4;

/// The gap of each event.
#[derive(Debug, Clone, Copy)]
struct Order {
    ends: usize,
    id_reused: usize,
    session: usize,
    /// Whether another ssh of the user also holds the listener, and is found after the master has ended.
    has_second_holder: bool,
}

struct Scene {
    order: Order,
    pid: MasterPid,
    master: RefCell<Sleeper>,
    second_holder: RefCell<Option<Sleeper>>,
    reuser: RefCell<Option<Sleeper>>,
    lookups: Cell<usize>,
    sessions: Cell<u32>,
}

impl Scene {
    fn new(order: Order) -> Self {
        let master = Sleeper::start();
        Self {
            order,
            pid: master.pid(),
            master: RefCell::new(master),
            second_holder: RefCell::new(order.has_second_holder.then(Sleeper::start)),
            reuser: RefCell::default(),
            lookups: Cell::new(0),
            sessions: Cell::new(0),
        }
    }

    /// Makes the events of this gap happen.
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
            self.reuser.replace(process_with_the_id(self.pid));
        }
        if self.order.session == gap {
            self.sessions.set(1);
        }
    }

    /// The process that the kernel would report.
    fn holder(&self) -> Option<MasterPid> {
        if self.master.borrow_mut().is_running() {
            return Some(self.pid);
        }
        let mut second = self.second_holder.borrow_mut();
        let second = second.as_mut()?;
        second.is_running().then(|| second.pid())
    }
}

impl Kernel for Scene {
    fn listener(&self, _: &Target) -> Option<ListenerFound> {
        let gap = 2 * self.lookups.replace(self.lookups.get() + 1);
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
                orders.extend([false, true].map(|has_second_holder| Order {
                    ends,
                    id_reused,
                    session,
                    has_second_holder,
                }));
            }
        }
    }
    orders
}

#[test]
fn no_order_of_events_signals_a_process_without_proof_and_consent() {
    let orders = orders();
    assert_eq!(orders.len(), 15 * 5 * 2);
    let mut without_reuse = 0;
    for order in orders {
        let scene = Scene::new(order);
        let outcome = end_process(&scene, &target(), SessionConsent::NONE);
        let Order {
            ends,
            id_reused,
            session,
            has_second_holder,
        } = order;
        let context = format!("{order:?}: {outcome:?}");

        match scene.reuser.borrow_mut().as_mut() {
            Some(reuser) => assert!(reuser.is_running(), "{context}"),
            // `end_process` may have returned before this gap.
            None => without_reuse += usize::from(id_reused < 2 * scene.lookups.get().min(2)),
        }
        // A process is proven if both lookups find it. A session opened before the second lookup has no consent.
        let is_agreed = session > 2;
        let master_is_proven = ends > 2 && is_agreed;
        let second_is_proven = ends == 0 && has_second_holder && is_agreed;
        let mut master = scene.master.borrow_mut();
        if master_is_proven && ends == NEVER {
            assert_eq!(master.ended_by(), Some(SIGKILL as i32), "{context}");
        } else if ends < 2 * scene.lookups.get().min(2) {
            assert_eq!(master.ended_by(), Some(OWN_END as i32), "{context}");
        } else {
            assert!(master.is_running(), "{context}");
        }
        if let Some(second) = scene.second_holder.borrow_mut().as_mut() {
            assert_eq!(second.is_running(), !second_is_proven, "{context}");
        }
        // It succeeds exactly if no process listens any more.
        let is_over = master_is_proven && !has_second_holder || second_is_proven;
        assert_eq!(outcome.is_ok(), is_over, "{context}");
        if let Ok(ended) = outcome {
            let killed = ends == NEVER || second_is_proven;
            assert_eq!(ended.contains("SIGKILL"), killed, "{context}");
        }
    }
    if without_reuse > 0 {
        skip(
            "no_order_of_events_signals_a_process_without_proof_and_consent",
            &format!(
                "{without_reuse} orders in which an id is reused: process ids cannot be chosen here"
            ),
        );
    }
}
