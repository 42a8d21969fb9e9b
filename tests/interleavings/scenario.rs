//! Cleaners and sshs in one directory, and the conditions that hold at the end.

use std::path::Path;
use std::time::SystemTime;

use muxtray::actions::clean::{Cleaned, clean};
use muxtray::actions::error::ActionError;
use muxtray::actions::kernel::LiveKernel;

use super::cleaner::{Cleaner, Order, target};
use super::directory::{ASIDE, CONTROL_NAME, Caller, Directory, Loss};
use super::explorer::Processes;
use super::ssh::{Ssh, State};

/// One run: in the order of turns the cleaners come first, then the sshs.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) directory: Directory,
    pub(crate) cleaners: Vec<Cleaner>,
    pub(crate) sshs: Vec<Ssh>,
}

/// The state of an ssh at the end: all that its user sees of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FinalState {
    /// It is no master, but ended like this.
    No(State),
    /// A master, at its path.
    AtPath,
    /// A master without its path.
    Orphaned,
}

/// The end of a run: the state of each ssh, and the ssh whose socket has the path, if any.
pub(crate) type Ending = (Vec<FinalState>, Option<usize>);

impl Scenario {
    pub(crate) fn new(directory: &Path, stale: &[&str], orders: &[Order], sshs: Vec<Ssh>) -> Self {
        let mut directory = Directory::new(directory);
        for name in stale {
            directory.put_stale(name);
        }
        let orders = orders.iter().enumerate();
        Self {
            directory,
            cleaners: orders
                .map(|(number, order)| Cleaner::new(number, order.clone()))
                .collect(),
            sshs,
        }
    }

    /// Asserts the conditions of every run, and returns how it ended.
    ///
    /// During the run [`Directory`] has checked that no clean removed anything but a dead socket.
    pub(crate) fn check(mut self) -> Ending {
        let ending = self.ending();
        let aside = self.directory.socket(ASIDE);
        let was_killed = self.cleaners.iter().any(|cleaner| cleaner.was_killed);
        let left = self
            .outcomes()
            .any(|outcome| matches!(outcome, Err(ActionError::LeftAside(_))));
        // A file has two names only for a moment, while a master starts.
        for (number, ssh) in self.sshs.iter().enumerate() {
            let lost_to_ssh = self.directory.losses.iter().any(|loss| loss.of == number);
            match self.directory.names_of(number).as_slice() {
                [CONTROL_NAME] => {}
                [ASIDE] if was_killed || left => {}
                [] if ssh.state != State::Master || lost_to_ssh => {}
                names => self.directory.fail(&format!(
                    "ssh {number}, {:?}, has the names {names:?}",
                    ssh.state
                )),
            }
        }
        if aside.is_some() && !was_killed && !left {
            self.directory
                .fail("a clean left a file aside and does not report it");
        }
        if left
            && !was_killed
            && aside.is_some()
            && self.directory.socket(CONTROL_NAME).is_none()
            && self.directory.losses.is_empty()
        {
            // Only the end of a master at the path may have freed it since.
            let ended = self.sshs.iter().any(|ssh| ssh.state == State::Ended);
            if !ended {
                self.directory
                    .fail("a file was left aside although the path is free");
            }
        }
        for outcome in self.outcomes() {
            match outcome {
                Ok(_)
                | Err(
                    ActionError::Hold(_)
                    | ActionError::Live
                    | ActionError::TooYoung
                    | ActionError::LeftAside(_),
                ) => {}
                Err(ActionError::AsideTaken(_)) if was_killed || left => {}
                Err(other) => self.directory.fail(&format!("a clean fails: {other}")),
            }
        }
        self.settle();
        ending
    }

    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &Result<Cleaned, ActionError>> {
        self.cleaners.iter().flat_map(|cleaner| &cleaner.outcomes)
    }

    fn ending(&self) -> Ending {
        let final_state = |(number, ssh): (usize, &Ssh)| match ssh.state {
            State::Master if self.directory.names_of(number).contains(&CONTROL_NAME) => {
                FinalState::AtPath
            }
            State::Master => FinalState::Orphaned,
            state => FinalState::No(state),
        };
        let current = self
            .directory
            .socket(CONTROL_NAME)
            .filter(|socket| socket.live);
        (
            self.sshs.iter().enumerate().map(final_state).collect(),
            current.and_then(|socket| socket.owner),
        )
    }

    /// The next clean puts back or removes files left aside, live sockets stay, and once all masters are dead nothing
    /// remains.
    fn settle(&mut self) {
        self.clean_all();
        for ssh in &mut self.sshs {
            ssh.kill(&mut self.directory);
        }
        self.clean_all();
        if let Some(name) = self.directory.names().next() {
            self.directory.fail(&format!("{name} is never cleaned"));
        }
    }

    fn clean_all(&mut self) {
        for name in [ASIDE, CONTROL_NAME] {
            let Some(target) = target(&self.directory.at(name)) else {
                continue;
            };
            let is_live = self
                .directory
                .socket(name)
                .is_some_and(|socket| socket.live);
            let is_taken = self.directory.socket(CONTROL_NAME).is_some();
            let cleaned = clean(&LiveKernel, &target, SystemTime::now());
            self.directory
                .look(Caller::Test, &format!("the next clean: {cleaned:?}"));
            let is_right = match (name, is_live) {
                (_, false) => cleaned == Ok(Cleaned::Removed),
                (ASIDE, true) if is_taken => {
                    matches!(cleaned, Err(ActionError::LeftAside(_)))
                }
                (ASIDE, true) => matches!(cleaned, Ok(Cleaned::PutBack(_))),
                (_, true) => cleaned == Err(ActionError::Live),
            };
            if !is_right {
                self.directory.fail("the next clean settles it wrongly");
            }
        }
    }

    /// The live sockets that one ssh's unlink took from another, as mux.c allows.
    pub(crate) fn losses(&self) -> &[Loss] {
        &self.directory.losses
    }
}

impl Processes for Scenario {
    fn able(&mut self) -> Vec<usize> {
        let cleaners = self.cleaners.iter();
        let cleaners = cleaners.map(|cleaner| cleaner.is_able(&self.directory));
        let sshs = self.sshs.iter().map(|ssh| ssh.turns() > 0);
        let all = cleaners.chain(sshs).enumerate();
        all.filter_map(|(process, able)| able.then_some(process))
            .collect()
    }

    fn turn(&mut self, process: usize) {
        match self.cleaners.get_mut(process) {
            Some(cleaner) => cleaner.turn(&mut self.directory),
            None => self.sshs[process - self.cleaners.len()].turn(&mut self.directory),
        }
    }
}
