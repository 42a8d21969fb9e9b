//! `muxtray exit --all`: the whole reset in one step. Masters end, then what is proven stale is removed, and each is
//! told.

use std::fmt;
use std::io::{self, Write};

use tr::tr;

use crate::actions::System;
use crate::actions::control::{self, CHECK_LIMIT};
use crate::decide::ending;
use crate::model::socket::{Socket, State, Unresponsive};
use crate::model::text;

use super::actions::{self, Told};
use super::args::{Exit, Global};
use super::context::World;
use super::outcome::Outcome;

/// What became of everything, for the last line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Summary {
    /// Masters that have ended.
    ended: usize,
    /// Files that were removed, or given their name back.
    cleaned: usize,
    /// What is as it was, and why was told.
    left: usize,
    /// Sockets of other programs, which nobody asked for.
    managed: usize,
}

/// `2 masters ended, 1 socket cleaned, 1 left as it is; 3 sockets of other programs left out (--managed)`
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = tr!("{n} master ended" | "{n} masters ended" % self.ended);
        let cleaned = tr!("{n} socket cleaned" | "{n} sockets cleaned" % self.cleaned);
        let left = (self.left > 0).then(|| tr!("{n} left as it is", n = self.left));
        f.write_str(&text::list([ended, cleaned].into_iter().chain(left)))?;
        if self.managed > 0 {
            f.write_str(&tr!(
                "; {n} socket of other programs left out ({option})"
                    | "; {n} sockets of other programs left out ({option})" % self.managed,
                option = "--managed"
            ))?;
        }
        Ok(())
    }
}

pub(super) fn reset(
    global: &Global,
    exit: &Exit,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut world = World::open(global)?;
    let (mine, managed): (Vec<Socket>, Vec<Socket>) = world
        .snapshot()
        .sockets
        .into_iter()
        .partition(|socket| exit.managed || socket.managed_by.is_none());
    let is_master = |socket: &Socket| socket.is_running() || ending::is_needed(&socket.state);
    let (masters, others): (Vec<Socket>, Vec<Socket>) = mine.into_iter().partition(is_master);
    let masters: Vec<_> = masters.into_iter().map(Ok).collect();
    let ended = actions::all(&masters, |socket| end(socket, exit));
    // What ended may have left its file, so this takes another look.
    let cleaned = actions::clean_all(&world.snapshot(), exit.managed, false);
    let left: Vec<Told> = others
        .iter()
        .filter(|socket| !socket.state.is_cleanable())
        .filter_map(|socket| actions::can_be_asked(socket).err().map(Err))
        .collect();
    let done = |told: &[Told]| told.iter().filter(|told| told.is_ok()).count();
    let told = ended.len() + cleaned.len() + left.len();
    let summary = Summary {
        ended: done(&ended),
        cleaned: done(&cleaned),
        left: told - done(&ended) - done(&cleaned),
        managed: managed.len(),
    };
    let outcome = actions::tell(ended.into_iter().chain(cleaned).chain(left), out, err)?;
    writeln!(out, "{summary}")?;
    out.flush()?;
    Ok(outcome)
}

/// Asks one master to end; where that is in vain or cannot be, ends its process if that was agreed to.
fn end(socket: &Socket, exit: &Exit) -> Told {
    let is_orphaned = matches!(socket.state, State::Orphaned { .. });
    let is_stopped = socket.state == State::Unresponsive(Unresponsive::Stopped);
    if exit.end_process && (is_orphaned || is_stopped) {
        return actions::end_process(socket, exit.force);
    }
    // A stopped master cannot answer, so the wait for that is spared; any other may yet.
    if is_stopped {
        return Err((actions::described(socket), Outcome::Wrong));
    }
    actions::can_be_asked(socket)?;
    let consent = actions::consent(exit.force);
    match control::exit(&System, &socket.target(), consent, CHECK_LIMIT) {
        Ok(ended) => Ok(format!("{}: {ended}", socket.title())),
        Err(error) if error.is_in_vain() && exit.end_process => {
            actions::end_process(socket, exit.force)
        }
        Err(error) => Err((actions::unanswered(socket, &error), Outcome::Wrong)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_everything() {
        let summary = Summary {
            ended: 2,
            cleaned: 1,
            left: 0,
            managed: 0,
        };
        assert_eq!(summary.to_string(), "2 masters ended, 1 socket cleaned");
        let summary = Summary {
            left: 1,
            managed: 3,
            ..summary
        };
        assert_eq!(
            summary.to_string(),
            "2 masters ended, 1 socket cleaned, 1 left as it is; 3 sockets of other programs left out (--managed)"
        );
    }
}
