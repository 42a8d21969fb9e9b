//! The rows of a master's forwardings: in the submenu of the master, or of many in a submenu of their own below it.

use tr::tr;

use super::entry::{Entry, shown_of};
use crate::decide::intent::Intent;
use crate::model::forward::{Forward, ListensAt};
use crate::model::socket::Socket;

/// The most forwardings in the submenu of their master, which has to fit on a screen.
const UNFOLDED: usize = 2;

/// The most of each kind that have rows.
const MAX: usize = 4;

/// Returns the label of the submenu that holds the rows; `None` if they belong in that of the master.
pub(super) fn fold_label(socket: &Socket) -> Option<String> {
    let number = socket.forwards.len() + socket.remote_forwards.len();
    let name = socket.title();
    let label = || {
        tr!(
            "{name}: {n} forwarding" | "{name}: {n} forwardings" % number,
            name
        )
    };
    (number > UNFOLDED).then(label)
}

/// `can_ask`: whether requests to the master make sense.
pub(super) fn rows(socket: &Socket, can_ask: bool) -> Vec<Entry> {
    let (local, remote) = (&socket.forwards, &socket.remote_forwards);
    let (local, more_local) = local.split_at(shown_of(local.len(), MAX));
    let (remote, more_remote) = remote.split_at(shown_of(remote.len(), MAX));
    let mut rows = Vec::new();
    for forward in local {
        rows.extend(local_rows(socket, forward, can_ask));
    }
    rows.extend(remote.iter().map(|remote| {
        let key = format!("remote {}", remote.listen());
        Entry::text(key, remote.to_string())
    }));
    let command = format!("muxtray forward {}", socket.argument);
    rows.extend(Entry::more(more_local.len() + more_remote.len(), &command));
    let earlier = socket.earlier_forwards.iter().filter(|_| can_ask);
    rows.extend(earlier.take(MAX).map(|forwarding| {
        let words = forwarding.shell_words();
        let again = Intent::Forward {
            target: socket.target(),
            forwarding: forwarding.clone(),
        };
        let label = tr!("Forward again: {forwarding}", forwarding = words);
        Entry::item(format!("again {words}"), label, again)
    }));
    rows
}

/// Returns rows that show where it leads, copy its address, open it in the browser and cancel it.
fn local_rows(socket: &Socket, forward: &Forward, can_ask: bool) -> Vec<Entry> {
    let (listen, address) = (forward.listen(), forward.address());
    let copy = match &forward.at {
        ListensAt::Tcp(_) => Intent::CopyText(address.clone()),
        ListensAt::Unix(path) => Intent::Copy(path.clone()),
    };
    let mut rows = vec![
        Entry::text(format!("forward {listen}"), forward.to_string()),
        Entry::item(
            format!("copy {listen}"),
            tr!("Copy {address}", address),
            copy,
        ),
    ];
    rows.extend(forward.url().map(|url| {
        let label = tr!("Open {url} in the browser", url = url.as_str());
        Entry::item(format!("browse {listen}"), label, Intent::OpenUrl(url))
    }));
    let key = format!("cancel {listen}");
    rows.extend(can_ask.then(|| match &forward.forwarding {
        Some(forwarding) => {
            let cancel = Intent::CancelForward {
                target: socket.target(),
                forwarding: forwarding.clone(),
            };
            Entry::item(key, tr!("Cancel {listen}", listen), cancel)
        }
        None => Entry::text(
            key,
            tr!("Cancel {listen}: nobody knows how it was added", listen),
        ),
    }));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::forward::RemoteForward;
    use crate::model::samples::{forwarding, in_state};
    use crate::model::socket::State;
    use crate::present::menu::socket_rows::socket_rows;
    use crate::present::menu::tests::{context, drawn_rows};

    fn forward(at: ListensAt, known: Option<&str>) -> Forward {
        Forward {
            at,
            is_both: true,
            connections: 2,
            forwarding: known.map(forwarding),
            is_configured: false,
        }
    }

    fn tcp(address: &str) -> ListensAt {
        ListensAt::Tcp(address.parse().unwrap())
    }

    fn drawn(socket: &Socket) -> String {
        drawn_rows(socket_rows(socket, context()))
    }

    #[test]
    fn forwardings_are_copied_browsed_cancelled_and_repeated() {
        let mut socket = in_state(State::Running);
        let mut all = Vec::new();
        for forward in [
            forward(tcp("0.0.0.0:1"), Some("-L *:1:db:80")),
            forward(tcp("[::1]:2"), None),
            forward(tcp("127.0.0.1:3"), Some("-D 3")),
            forward(ListensAt::Unix("/s/f".into()), Some("-L /s/f:db:80")),
        ] {
            socket.forwards = vec![forward];
            all.push(drawn(&socket));
        }
        socket.remote_forwards = vec![RemoteForward {
            forwarding: forwarding("-R 0:db:80"),
            port: Some(40_000),
        }];
        socket.earlier_forwards = vec![forwarding("-D 1080")];
        all.push(drawn(&socket));
        socket.state = State::Orphaned { successor: false };
        all.push(drawn(&socket));
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn many_forwardings_are_folded_below_their_master() {
        let mut socket = in_state(State::Running);
        let all = [2, 3, 5, 200].map(|number| {
            let forward = |port| forward(tcp(&format!("127.0.0.1:{port}")), Some("-D 3"));
            socket.forwards = (1..=number).map(forward).collect();
            drawn(&socket)
        });
        insta::assert_snapshot!(all.join("\n"));
    }
}
