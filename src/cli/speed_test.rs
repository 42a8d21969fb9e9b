//! `muxtray test HOST`: times a fresh connection against a multiplexed one.

use std::io;

use tr::tr;

use crate::actions::speed_test::{self, Interrupted};
use crate::actions::ssh::Ssh;
use crate::actions::ssh::deferred_signals::DeferredSignals;
use crate::decide::opening;
use crate::diagnose::obstacle::{self, Obstacle};
use crate::model::places::Host;
use crate::model::socket::Snapshot;
use crate::present::speed_test as verdict;
use crate::present::speed_test::{Master, Plan, Series, Trial};

use super::args::{Global, Test};
use super::context::{Context, HostToConnect};
use super::outcome::{Outcome, Output};

pub(super) fn test(global: &Global, test: &Test, to: &mut Output<'_>) -> io::Result<Outcome> {
    let mut context = Context::load_for(global, test.json)?;
    let HostToConnect {
        ssh,
        host,
        snapshot,
    } = match context.host_to_connect(&test.host) {
        Ok(found) => found,
        Err(error) => return error.conclude(&test.host, test.json, to),
    };
    let signals = DeferredSignals::block()?;
    let Ok(trial) = measure(test, &ssh, &host, &snapshot, &signals) else {
        return to.fail(Outcome::Unknown, tr!("interrupted"));
    };
    // A pending signal ends the program here, unless it is ignored.
    drop(signals);
    if test.json {
        serde_json::to_writer_pretty(&mut *to.out, &trial)?;
        writeln!(to.out)?;
    } else {
        for line in trial.lines() {
            writeln!(to.out, "{line}")?;
        }
    }
    Ok(if trial.works() {
        Outcome::Well
    } else {
        Outcome::Wrong
    })
}

fn measure(
    test: &Test,
    ssh: &Ssh,
    host: &Host,
    snapshot: &Snapshot,
    signals: &DeferredSignals,
) -> Result<Trial, Interrupted> {
    let open = opening::command(&test.host, ssh.config.as_deref());
    let plan = verdict::plan(&test.host, host, snapshot, &open);
    let fresh = speed_test::fresh(ssh, test.runs, signals)?;
    let (multiplexed, master, blocked) = match plan {
        Plan::Through(path) => {
            let series = speed_test::through(ssh, test.runs, &path, signals)?;
            (series, Master::Running, None)
        }
        Plan::Start(path) => {
            let (series, master) = speed_test::started(ssh, test.runs, &path, signals)?;
            (series, master, None)
        }
        Plan::Blocked(obstacle) => (Series::default(), Master::None, Some(obstacle)),
    };
    let known = obstacle::findings(&test.host, host, snapshot);
    let known = known.into_iter().map(Obstacle::from).collect();
    let verbose = opening::verbose(&ssh.host, ssh.config.as_deref());
    let obstacles = verdict::obstacles(&verbose, blocked, known, &fresh, &multiplexed);
    Ok(Trial {
        host: test.host.clone(),
        control_path: host.control_path.clone(),
        fresh,
        multiplexed,
        master,
        obstacles,
    })
}
