//! Stranded masters that the setting `reopen` replaces: real ones, in a network namespace in which the applet runs.

use super::Soak;
use crate::support::{PATIENCE, Process, SERVERS, look_for, wait_until};

impl Soak<'_> {
    /// Takes the client's addresses away from a master of each host, and waits for the new masters. Call it while there
    /// are no masters.
    pub(super) fn stranded_masters_are_replaced(&mut self) {
        let Some(network) = self.network else {
            return;
        };
        let masters = SERVERS.map(|host| network.master(host));
        self.wait_for_summary("2 masters");
        self.is_moved = !self.is_moved;
        network.move_client(self.is_moved);
        self.wait_for_summary("2 masters, 2 problems");
        for host in SERVERS {
            self.wait_for_row(&format!("\u{25b2} {host}"), "stranded");
        }
        let old = masters.each_ref().map(Process::pid);
        for master in masters {
            master.finish(PATIENCE);
        }
        for (host, old) in SERVERS.into_iter().zip(old) {
            // A row alone does not tell: a master that ends closes its connection before it removes its socket, so for
            // a moment it is running and no longer stranded.
            wait_until(&format!("{host} has a new master"), PATIENCE, || {
                let report = network.reports(host).pop();
                let pid = report.and_then(|report| report.0["pid"].as_i64());
                pid.is_some_and(|pid| pid != i64::from(old))
            });
            self.wait_for_row(&format!("\u{25cf} {host}"), "running");
        }
        self.wait_for_summary("2 masters");
        for host in SERVERS {
            network.muxtray(&["exit", host]).expect(0);
        }
        self.events += 4 * SERVERS.len() as u64;
        self.replaced += SERVERS.len();
        self.settle(&self.truth.problems());
    }

    #[track_caller]
    fn wait_for_summary(&self, summary: &str) {
        wait_until(summary, PATIENCE, || {
            let menu = self.panel.icon.menu();
            menu.is_some_and(|menu| menu.rows.first().is_some_and(|row| row.label == summary))
        });
    }

    #[track_caller]
    pub(super) fn wait_for_row(&self, row: &str, part: &str) {
        let icon = &self.panel.icon;
        let found = look_for(PATIENCE, || {
            let menu = icon.menu()?;
            menu.find(row)?.label.contains(part).then_some(())
        });
        assert!(found.is_some(), "{row}: no {part:?} in {:#?}", icon.menu());
    }
}
