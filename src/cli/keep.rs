//! `muxtray keep HOST`

use std::io;
use std::time::SystemTime;

use tr::tr;

use super::args::{Global, Keep};
use super::context::Context;
use super::outcome::{Outcome, Output};
use crate::actions::keep::{self, KeepEnd};
use crate::actions::perform::Subject;
use crate::decide::action_report::Action;
use crate::model::text;

pub(super) fn keep(global: &Global, keep: &Keep, to: &mut Output<'_>) -> io::Result<Outcome> {
    let mut context = Context::load(global)?;
    let typed = std::slice::from_ref(&keep.host);
    let socket = match context.resolve(typed).pop() {
        Some((_, Ok(socket))) => socket,
        Some((_, Err(error))) => return to.fail(Outcome::Wrong, error),
        None => return Ok(Outcome::Unknown),
    };
    let name = socket.title();
    if let Some(program) = socket.managed_by {
        let why = tr!("not kept open: it is a master of {program}", program);
        writeln!(to.out, "{name}: {why}")?;
        return Ok(Outcome::Wrong);
    }
    let target = socket.target();
    if let Some(report) = Subject::from(socket).refusal(Action::Check) {
        writeln!(to.out, "{report}")?;
        return Ok(Outcome::from(report.outcome));
    }
    let kept = match keep::keep(&target) {
        Ok(kept) => kept,
        Err(error) => {
            writeln!(to.out, "{name}: {error}")?;
            return Ok(Outcome::from(error.outcome()));
        }
    };
    let until = keep.time.map(|time| SystemTime::now() + time);
    let mut message = match keep.time {
        Some(time) => tr!(
            "kept open for {time}, or until this command ends",
            time = text::duration(time)
        ),
        None => tr!("kept open until this command ends"),
    };
    if let Some(pid) = kept.pid {
        message += &tr!(", pid {pid}", pid = pid.0);
    }
    writeln!(to.out, "{name}: {message}")?;
    to.out.flush()?;
    let (end, outcome) = match kept.hold(&target, until) {
        KeepEnd::TimeOver => (tr!("no longer kept open"), Outcome::Well),
        KeepEnd::MasterEnded => (tr!("the master has ended"), Outcome::Wrong),
        KeepEnd::SocketGone => (tr!("it accepts no more sessions"), Outcome::Wrong),
    };
    writeln!(to.out, "{name}: {end}")?;
    Ok(outcome)
}
