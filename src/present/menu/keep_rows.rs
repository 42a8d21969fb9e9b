use tr::tr;

use super::entry::Entry;
use crate::decide::intent::Intent;
use crate::decide::keeping::{Offer, offer};
use crate::model::keep::{KeepTime, KeptUntil};
use crate::model::socket::Socket;
use crate::model::zone::Clock;

/// Returns the rows that keep a master open, or the one that ends that.
pub(super) fn rows(socket: &Socket, clock: Clock<'_>) -> Vec<Entry> {
    if let Some(until) = socket.kept_until {
        let label = match until {
            KeptUntil::Time(time) => {
                let time = clock.time(time);
                tr!("Stop keeping open (kept until {time})", time)
            }
            KeptUntil::Quit => tr!("Stop keeping open"),
        };
        return vec![Entry::item("let-go", label, Intent::LetGo(socket.target()))];
    }
    let row = |key: &str, label, time| {
        let target = socket.target();
        Entry::item(key, label, Intent::KeepOpen { target, time })
    };
    match offer(socket) {
        Offer::Possible => vec![
            row("keep-hour", tr!("Keep open for 1 hour"), KeepTime::HOUR),
            row("keep", tr!("Keep open until I quit"), KeepTime::UntilQuit),
        ],
        Offer::Refused(why) => vec![Entry::text("keep", tr!("Keep open: {why}", why))],
        Offer::Pointless => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::places::Managed;
    use crate::model::samples::{at, clock, in_state};
    use crate::model::socket::State;
    use crate::present::menu::socket_rows::socket_label;
    use crate::present::menu::tests::drawn_rows;

    #[test]
    fn masters_are_kept_and_let_go() {
        let socket = in_state(State::Running);
        let kept = |is_kept, kept_until| Socket {
            sessions: Some(0),
            is_kept,
            kept_until,
            ..socket.clone()
        };
        let hour = KeptUntil::Time(at() + Duration::from_secs(3600));
        let rows = [
            socket.clone(),
            kept(true, Some(hour)),
            kept(true, Some(KeptUntil::Quit)),
            kept(true, None),
            Socket {
                managed_by: Some(Managed("kitty")),
                ..socket.clone()
            },
        ]
        .map(|socket| {
            let rows = drawn_rows(rows(&socket, clock()));
            format!("{}\n{rows}", socket_label(&socket, clock()))
        });
        insta::assert_snapshot!(rows.join("\n"));
    }
}
