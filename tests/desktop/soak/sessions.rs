//! Sessions that open and close, and masters that are kept open and let go.

use super::masters::Act;
use super::truth::Standing;
use super::{Soak, VISITORS};

/// Masters of configured hosts, which ControlPersist would end.
const MASTERS: usize = 4;
const MOST_SESSIONS: usize = 3;

impl Soak<'_> {
    /// Opens sessions of some masters and keeps these open, closes the sessions first or the masters. Call it while there
    /// are no masters.
    pub(super) fn sessions_and_keeps(&mut self) {
        let slots: Vec<usize> = (VISITORS..self.truth.slots.len())
            .filter(|slot| self.truth.host_of(*slot).is_some())
            .take(MASTERS)
            .collect();
        let path = |soak: &Self, slot: usize| soak.truth.slots[slot].path.clone();
        let starts: Vec<Act> = slots
            .iter()
            .map(|slot| Act::Start(path(self, *slot)))
            .collect();
        let pids = self.masters.perform(&starts);
        for (slot, pid) in slots.iter().zip(&pids) {
            self.truth.set(*slot, Standing::Running(*pid));
        }
        let mut sessions: Vec<(usize, i32)> = Vec::new();
        for slot in &slots {
            let number = 1 + self.random.below(MOST_SESSIONS);
            let joins = vec![Act::Join(path(self, *slot)); number];
            let pids = self.masters.perform(&joins);
            sessions.extend(pids.into_iter().map(|pid| (*slot, pid)));
            self.events += 2 * number as u64;
        }
        self.truth.read_ssh_config();
        for slot in &slots {
            let number = sessions.iter().filter(|(of, _)| of == slot).count();
            let plural = if number == 1 { "" } else { "s" };
            self.wait_for_label(*slot, &format!("running, {number} session{plural}"));
        }
        for slot in &slots {
            let host = self.truth.host_of(*slot).unwrap();
            let row = format!("\u{25cf} {host}");
            self.panel.icon.click(&[&row, "Keep open until I quit"]);
            self.wait_for_label(*slot, "kept open until muxtray quits");
        }
        // The ends are events, and so are those of the kept masters.
        let (first, last) = slots.split_at(MASTERS / 2);
        let closed = sessions.iter().filter(|(slot, _)| first.contains(slot));
        let closed: Vec<Act> = closed.map(|(_, pid)| Act::Kill(*pid)).collect();
        self.masters.perform(&closed);
        for slot in first {
            self.wait_for_label(*slot, "running, kept open until muxtray quits");
            let host = self.truth.host_of(*slot).unwrap();
            let row = format!("\u{25cf} {host}");
            self.panel.icon.click(&[&row, "Stop keeping open"]);
            self.wait_for_label(*slot, "running, idle, ends at");
        }
        let ends: Vec<Act> = pids.iter().map(|pid| Act::End(*pid)).collect();
        self.masters.perform(&ends);
        let left = sessions.iter().filter(|(slot, _)| last.contains(slot));
        let left: Vec<Act> = left.map(|(_, pid)| Act::End(*pid)).collect();
        self.masters.perform(&left);
        let before = self.truth.problems();
        for slot in slots {
            self.truth.set(slot, Standing::Nothing);
            self.events += 2;
        }
        self.settle(&before);
    }

    #[track_caller]
    fn wait_for_label(&self, slot: usize, part: &str) {
        let host = self.truth.host_of(slot).unwrap();
        self.wait_for_row(&format!("\u{25cf} {host}"), part);
    }
}
