//! Cleaners and sshs on one stage, and what has to hold when they are done.

use std::path::Path;
use std::time::SystemTime;

use muxtray::actions::clean::{CleanError, Cleaned, Remnant, clean};
use muxtray::actions::kernel::LiveKernel;

use super::cleaner::{Cleaner, Order, target};
use super::explorer::Play;
use super::ssh::{Fate, Ssh};
use super::stage::{ASIDE, HOME, Loss, Stage, Who};

/// One run: the cleaners come first in the order of turns, then the sshs.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) cleaners: Vec<Cleaner>,
    pub(crate) sshs: Vec<Ssh>,
}

/// How it stands with an ssh in the end. Whoever uses it sees no more of a run than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It is no master: this became of it.
    No(Fate),
    /// A master, at its path.
    Serves,
    /// A master without its path.
    Orphaned,
}

/// How it all ends, for each ssh; and which of them stands at the path, if anybody does.
pub(crate) type Ending = (Vec<Standing>, Option<usize>);

impl Scene {
    pub(crate) fn new(directory: &Path, stale: &[&str], orders: &[Order], sshs: Vec<Ssh>) -> Self {
        let mut stage = Stage::new(directory);
        for name in stale {
            stage.put_stale(name);
        }
        let orders = orders.iter().enumerate();
        Self {
            stage,
            cleaners: orders
                .map(|(number, order)| Cleaner::new(number, order.clone()))
                .collect(),
            sshs,
        }
    }

    /// Demands what has to hold in the end, whatever happened, and says how it ended.
    ///
    /// While it went on the [`Stage`] has seen to it that no clean removed anything but a dead socket.
    pub(crate) fn judge(mut self) -> Ending {
        let ending = self.ending();
        let aside = self.stage.socket(ASIDE);
        let died = self.cleaners.iter().any(|cleaner| cleaner.died);
        let left = self
            .outcomes()
            .any(|outcome| matches!(outcome, Err(CleanError::LeftAside { .. })));
        // A file has two names for a moment only while a master starts.
        for (number, ssh) in self.sshs.iter().enumerate() {
            let lost_to_ssh = self.stage.losses.iter().any(|loss| loss.of == number);
            match self.stage.names_of(number).as_slice() {
                [HOME] => {}
                [ASIDE] if died || left => {}
                [] if ssh.fate != Fate::Master || lost_to_ssh => {}
                names => self.stage.fail(&format!(
                    "ssh {number}, {:?}, has the names {names:?}",
                    ssh.fate
                )),
            }
        }
        if aside.is_some() && !died && !left {
            self.stage
                .fail("a clean left a file aside and does not say so");
        }
        if left
            && !died
            && aside.is_some()
            && self.stage.socket(HOME).is_none()
            && self.stage.losses.is_empty()
        {
            // Only the end of a master at the path may have freed it since.
            let ended = self.sshs.iter().any(|ssh| ssh.fate == Fate::Ended);
            if !ended {
                self.stage.fail("a file was left aside for nobody");
            }
        }
        for outcome in self.outcomes() {
            match outcome {
                Ok(_)
                | Err(
                    CleanError::Hold(_)
                    | CleanError::Live
                    | CleanError::TooYoung
                    | CleanError::LeftAside { .. },
                ) => {}
                Err(CleanError::AsideTaken(_)) if died || left => {}
                Err(other) => self.stage.fail(&format!("a clean says: {other}")),
            }
        }
        self.settle();
        ending
    }

    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &Result<Cleaned, CleanError>> {
        self.cleaners.iter().flat_map(|cleaner| &cleaner.outcomes)
    }

    fn ending(&self) -> Ending {
        let standing = |(number, ssh): (usize, &Ssh)| match ssh.fate {
            Fate::Master if self.stage.names_of(number).contains(&HOME) => Standing::Serves,
            Fate::Master => Standing::Orphaned,
            fate => Standing::No(fate),
        };
        let home = self.stage.socket(HOME).filter(|socket| socket.live);
        (
            self.sshs.iter().enumerate().map(standing).collect(),
            home.and_then(|home| home.owner),
        )
    }

    /// The next clean: what lies aside is put back or removed, what is live stays, and once all masters are dead
    /// nothing remains.
    fn settle(&mut self) {
        self.clean_all();
        for ssh in &mut self.sshs {
            ssh.kill(&mut self.stage);
        }
        self.clean_all();
        if let Some(name) = self.stage.names().next() {
            self.stage.fail(&format!("{name} is never cleaned"));
        }
    }

    fn clean_all(&mut self) {
        for (name, kind) in [(ASIDE, Remnant::Aside), (HOME, Remnant::Stale)] {
            let Some(target) = target(&self.stage.at(name)) else {
                continue;
            };
            let is_live = self.stage.socket(name).is_some_and(|socket| socket.live);
            let home = self.stage.socket(HOME).is_some();
            let cleaned = clean(&LiveKernel, &target, kind, SystemTime::now());
            self.stage
                .look(Who::Test, &format!("the next clean: {cleaned:?}"));
            let is_right = match (kind, is_live) {
                (_, false) => cleaned == Ok(Cleaned::Removed),
                (Remnant::Aside, true) if home => {
                    matches!(cleaned, Err(CleanError::LeftAside { .. }))
                }
                (Remnant::Aside, true) => matches!(cleaned, Ok(Cleaned::PutBack(_))),
                (Remnant::Stale | Remnant::Leftover, true) => cleaned == Err(CleanError::Live),
            };
            if !is_right {
                self.stage.fail("the next clean settles it wrongly");
            }
        }
    }

    /// The live sockets that one ssh's unlink took from another, by mux.c's own rules.
    pub(crate) fn losses(&self) -> &[Loss] {
        &self.stage.losses
    }
}

impl Play for Scene {
    fn able(&mut self) -> Vec<usize> {
        let cleaners = self.cleaners.iter();
        let cleaners = cleaners.map(|cleaner| cleaner.is_able(&self.stage));
        let sshs = self.sshs.iter().map(|ssh| ssh.turns() > 0);
        let all = cleaners.chain(sshs).enumerate();
        all.filter_map(|(actor, able)| able.then_some(actor))
            .collect()
    }

    fn turn(&mut self, actor: usize) {
        match self.cleaners.get_mut(actor) {
            Some(cleaner) => cleaner.turn(&mut self.stage),
            None => self.sshs[actor - self.cleaners.len()].turn(&mut self.stage),
        }
    }
}
