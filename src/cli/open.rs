//! `muxtray open HOST`: a master in the background, or why there is none.

use std::io::{self, IsTerminal as _, Write};

use tr::tr;

use crate::actions::open::{self, OpenError, Questions};
use crate::actions::ssh::Ssh;
use crate::actions::ssh::interrupt::Interrupt;
use crate::decide::opening::{self, Plan};
use crate::model::text;

use super::actions::consent;
use super::args::{Global, Open};
use super::context::{self, World};
use super::outcome::Outcome;
use super::speed_test::unknown;

pub(super) fn open(
    global: &Global,
    open: &Open,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut world = World::open(global)?;
    let shown = text::line(&open.host);
    let Some(named) = world.host_named(&open.host) else {
        writeln!(
            err,
            "muxtray: {}",
            tr!("`{host}` is not a host", host = shown)
        )?;
        return Ok(Outcome::Misused);
    };
    let Some(host) = world.host(&open.host, &named) else {
        return unknown(&shown, &world.snapshot(), err);
    };
    let snapshot = world.snapshot();
    let (Some(program), config) = world.ssh() else {
        return unknown(&shown, &snapshot, err);
    };
    let start = match opening::plan(&open.host, &host, &snapshot) {
        Plan::Start(start) => start,
        Plan::Running(socket) => {
            let already = tr!("a master runs already");
            let pid = socket
                .pid
                .map_or_else(String::new, |pid| tr!(", pid {pid}", pid = pid.0));
            writeln!(out, "{shown}: {already}{pid}")?;
            for finding in &socket.findings {
                writeln!(err, "    {}", finding.evidence)?;
                writeln!(err, "    \u{2192} {}", finding.remedy)?;
            }
            return Ok(Outcome::Well);
        }
        Plan::Blocked(obstacle) => {
            writeln!(err, "{shown}: {}", obstacle.evidence)?;
            if let Some(remedy) = &obstacle.remedy {
                writeln!(err, "    \u{2192} {remedy}")?;
            }
            return Ok(Outcome::Wrong);
        }
    };
    let ssh = Ssh {
        program,
        config,
        host: context::destination(&open.host, &named),
    };
    let has_terminal = io::stdin().is_terminal() || io::stderr().is_terminal();
    let questions = Questions::of(has_terminal, |name| std::env::var_os(name));
    // The signals come through when this is dropped, after all that was started has ended.
    let interrupt = Interrupt::put_off()?;
    let opened = open::open(
        &ssh,
        &start,
        consent(open.force),
        questions,
        Some(&interrupt),
    );
    if matches!(opened, Err(OpenError::Interrupted)) {
        writeln!(err, "muxtray: {}", OpenError::Interrupted)?;
    }
    drop(interrupt);
    match opened {
        Ok(opened) => {
            writeln!(out, "{shown}: {opened}; {}", opening::lasts(host.persist))?;
            Ok(Outcome::Well)
        }
        Err(OpenError::Interrupted) => Ok(Outcome::Unknown),
        Err(error) => {
            writeln!(err, "{shown}: {error}")?;
            if let OpenError::Failed(failure) = &error {
                writeln!(
                    err,
                    "    \u{2192} {}",
                    opening::way_out(failure, &open.host)
                )?;
            }
            Ok(Outcome::Wrong)
        }
    }
}
