//! `muxtray keep HOST`

use std::io;
use std::time::SystemTime;

use tr::tr;

use super::args::{Global, Keep};
use super::context::Context;
use super::outcome::{Outcome, Output};
use crate::actions::keep::HoldEnd;
use crate::actions::perform::{self, Subject};
use crate::model::text;

pub(super) fn keep(global: &Global, keep: &Keep, to: &mut Output<'_>) -> io::Result<Outcome> {
    let mut context = Context::load(global)?;
    let typed = std::slice::from_ref(&keep.host);
    let socket = match context.resolve(typed).pop() {
        Some((_, Ok(socket))) => socket,
        Some((_, Err(error))) => return to.fail(Outcome::Wrong, error),
        None => return Ok(Outcome::Unknown),
    };
    let subject = Subject::from(socket);
    let (name, target) = (&subject.name, &subject.target);
    let kept = match perform::keep(&subject) {
        Ok(kept) => kept,
        Err(report) => {
            writeln!(to.out, "{report}")?;
            return Ok(Outcome::from(report.outcome));
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
    let (end, outcome) = match kept.hold(target, until) {
        HoldEnd::TimeOver => (tr!("no longer kept open"), Outcome::Well),
        HoldEnd::MasterEnded => (tr!("the master has ended"), Outcome::Wrong),
        HoldEnd::SocketGone => (tr!("it accepts no more sessions"), Outcome::Wrong),
    };
    writeln!(to.out, "{name}: {end}")?;
    Ok(outcome)
}
