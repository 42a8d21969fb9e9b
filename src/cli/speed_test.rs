//! `muxtray test HOST`: measures, and prints the verdict.

use std::io::{self, Write};

use tr::tr;

use crate::actions::speed_test::{self, Interrupted};
use crate::actions::ssh::Ssh;
use crate::actions::ssh::interrupt::Interrupt;
use crate::diagnose::obstacle::{self, Obstacle};
use crate::model::finding::FindingId;
use crate::model::places::Host;
use crate::model::socket::Snapshot;
use crate::model::text;
use crate::present::speed_test as verdict;
use crate::present::speed_test::{Master, Plan, Series, Trial};

use super::args::{Global, Test};
use super::context::{self, World};
use super::outcome::Outcome;

pub(super) fn test(
    global: &Global,
    test: &Test,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut world = World::open(global)?;
    let shown = text::line(&test.host);
    let Some(named) = world.host_named(&test.host) else {
        writeln!(
            err,
            "muxtray: {}",
            tr!("`{host}` is not a host", host = shown)
        )?;
        return Ok(Outcome::Misused);
    };
    let Some(host) = world.host(&test.host, &named) else {
        return unknown(&shown, &world.snapshot(), err);
    };
    let snapshot = world.snapshot();
    let (Some(program), config) = world.ssh() else {
        return unknown(&shown, &snapshot, err);
    };
    let ssh = Ssh {
        program,
        config,
        host: context::destination(&test.host, &named),
    };
    // The signals come through when this is dropped, after all that was started has ended.
    let interrupt = Interrupt::put_off()?;
    let Ok(trial) = measure(test, &ssh, &host, &snapshot, &interrupt) else {
        writeln!(err, "muxtray: {}", tr!("interrupted"))?;
        return Ok(Outcome::Unknown);
    };
    drop(interrupt);
    if test.json {
        serde_json::to_writer_pretty(&mut *out, &trial.report())?;
        writeln!(out)?;
    } else {
        for line in trial.lines() {
            writeln!(out, "{line}")?;
        }
    }
    out.flush()?;
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
    interrupt: &Interrupt,
) -> Result<Trial, Interrupted> {
    let plan = verdict::plan(&test.host, host, snapshot);
    let fresh = speed_test::fresh(ssh, test.runs, interrupt)?;
    let (multiplexed, master, blocked) = match plan {
        Plan::Through(path) => {
            let series = speed_test::through(ssh, test.runs, &path, interrupt)?;
            (series, Master::Running, None)
        }
        Plan::Start(path) => {
            let (series, master) = speed_test::started(ssh, test.runs, &path, interrupt)?;
            (series, master, None)
        }
        Plan::Blocked(obstacle) => (Series::default(), Master::None, Some(obstacle)),
    };
    let known = obstacle::findings(&test.host, host, snapshot);
    let known = known.into_iter().map(Obstacle::from).collect();
    let missing = host
        .control_path
        .as_ref()
        .and_then(speed_test::missing_directory);
    let obstacles = verdict::obstacles(blocked, known, missing, &fresh, &multiplexed);
    Ok(Trial {
        host: test.host.clone(),
        control_path: host.control_path.clone(),
        fresh,
        multiplexed,
        master,
        obstacles,
    })
}

/// Without the host's configuration there is nothing to measure; what is known of ssh says why.
pub(super) fn unknown(
    shown: &str,
    snapshot: &Snapshot,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    writeln!(
        err,
        "muxtray: {}",
        tr!(
            "ssh does not tell its configuration for {host}",
            host = shown
        )
    )?;
    let about_ssh = snapshot.findings.iter().filter(|finding| {
        matches!(
            finding.id,
            FindingId::SshMissing | FindingId::SshConfigInvalid
        )
    });
    for finding in about_ssh {
        writeln!(err, "    {}: {}", finding.subject, finding.evidence)?;
        writeln!(err, "    \u{2192} {}", finding.remedy)?;
    }
    Ok(Outcome::Unknown)
}
