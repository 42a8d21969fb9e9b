use super::SessionConsent::{Any, UpTo};
use super::*;
use crate::model::network::Cause;
use crate::model::places::Managed;
use crate::model::samples::{in_state, states};
use crate::model::socket::Cookie;
use crate::present::menu::tests::drawn;
use crate::present::menu::{Icon, TrayView};

/// The row and all below it, as it is drawn; without the view's own line.
fn row(socket: &Socket) -> String {
    let view = TrayView {
        icon: Icon::Idle,
        summary: String::new(),
        menu: vec![socket_menu(socket, &Answers::new())],
    };
    let text = drawn(&view);
    let (_, rows) = text.split_once('\n').unwrap();
    rows.to_owned()
}

#[test]
fn every_state_has_its_rows() {
    let mut rows: Vec<String> = states()
        .into_iter()
        .map(|state| row(&in_state(state)))
        .collect();
    // Mostly the reasons of a state change nothing.
    rows.dedup();
    insta::assert_snapshot!(rows.join("\n"));
}

/// What can be asked of a master is offered with its price, which has to be agreed to where there is one.
#[test]
fn every_price_is_named_and_agreed_to() {
    let mut rows = Vec::new();
    for state in [
        State::Stranded(Cause::AddressGone),
        State::Orphaned { successor: true },
    ] {
        for sessions in [Some(0), Some(1), None] {
            let socket = Socket {
                sessions,
                ..in_state(state.clone())
            };
            rows.push(row(&socket));
        }
    }
    insta::assert_snapshot!(rows.join("\n"));
    // What is agreed to is what the row says.
    fn consents(entries: &[Entry], found: &mut Vec<SessionConsent>) {
        for entry in entries {
            match entry {
                Entry::Submenu { entries, .. } => consents(entries, found),
                Entry::Item {
                    intent:
                        Some(
                            Intent::Exit { consent, .. }
                            | Intent::Open { consent, .. }
                            | Intent::EndProcess { consent, .. },
                        ),
                    ..
                } => found.push(*consent),
                Entry::Item { .. } | Entry::Check { .. } | Entry::Separator => {}
            }
        }
    }
    for (state, sessions, expected) in [
        (
            State::Stranded(Cause::AddressGone),
            Some(3),
            &[UpTo(3), UpTo(3)][..],
        ),
        (
            State::Stranded(Cause::AddressGone),
            Some(0),
            &[UpTo(0), UpTo(0)],
        ),
        (State::Stranded(Cause::AddressGone), None, &[Any, Any]),
        (State::Running, Some(3), &[UpTo(3)]),
        (State::Orphaned { successor: true }, Some(3), &[UpTo(3)]),
        (State::Orphaned { successor: true }, None, &[UpTo(0)]),
    ] {
        let socket = Socket {
            sessions,
            ..in_state(state)
        };
        let mut found = Vec::new();
        consents(&[socket_menu(&socket, &Answers::new())], &mut found);
        assert_eq!(found, expected, "{socket:?}");
    }
}

#[test]
fn a_row_is_called_by_its_socket_program_state_and_sessions() {
    let running = || in_state(State::Running);
    for (socket, label) in [
        (running(), "\u{25cf} web \u{2014} running, 2 sessions"),
        (
            Socket {
                sessions: Some(1),
                managed_by: Some(Managed::Lima),
                ..running()
            },
            "\u{25cf} web (lima) \u{2014} running, 1 session",
        ),
        (
            Socket {
                sessions: Some(0),
                ..running()
            },
            "\u{25cf} web \u{2014} running",
        ),
        (
            Socket {
                sessions: None,
                hosts: Vec::new(),
                ..running()
            },
            "\u{25cf} u@h:22 \u{2014} running",
        ),
    ] {
        assert_eq!(socket_label(&socket), label);
    }
}

#[test]
fn an_orphan_and_its_successor_have_rows_of_their_own() {
    let orphan = |cookie| Socket {
        cookie,
        ..in_state(State::Orphaned { successor: true })
    };
    let keys = [
        socket_key(&in_state(State::Running)),
        socket_key(&orphan(Some(Cookie(1)))),
        socket_key(&orphan(Some(Cookie(2)))),
    ];
    assert_eq!(
        keys,
        [
            "socket /s/u@h-22",
            "orphan 1 /s/u@h-22",
            "orphan 2 /s/u@h-22"
        ]
    );
    assert_eq!(socket_key(&orphan(None)), "socket /s/u@h-22");
}

#[test]
fn the_destination_is_a_row_where_the_title_is_another() {
    let destination = |socket: &Socket| row(socket).contains("(u@h:22)");
    let named = in_state(State::Running);
    assert!(destination(&named));
    let by_path = Socket {
        hosts: Vec::new(),
        ..named.clone()
    };
    assert!(!destination(&by_path));
    let unknown = Socket {
        destination: None,
        ..named
    };
    assert!(!destination(&unknown));
}
