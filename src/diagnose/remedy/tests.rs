use super::*;
use crate::model::network::{Address, Connection};
use crate::model::places::Managed;
use crate::model::samples::{
    connection, groups, in_state, permissions, running, seen_over, states,
};

fn listening() -> Extra<'static> {
    Extra {
        is_listening: true,
        ..Extra::default()
    }
}

/// Each kind of finding with its command.
fn commands(findings: &[Finding]) -> Vec<(&str, &str)> {
    let command = |it: &Finding| it.command.clone().unwrap_or_default();
    assert!(findings.iter().all(|it| it.remedy.contains(&command(it))));
    findings
        .iter()
        .map(|it| (it.id.as_str(), it.command.as_deref().unwrap_or_default()))
        .collect()
}

#[test]
fn each_state_has_its_command_and_fix() {
    for state in states() {
        let (command, if_listening) = match &state {
            State::Running | State::Suspect(_) | State::Stranded(_) => {
                assert_eq!(findings(&in_state(state), listening()), []);
                continue;
            }
            State::Stale | State::Leftover => ("muxtray clean web", None),
            State::Misowned(_) => (
                "sudo rm /s/u@h-22",
                Some("sudo ssh -F none -S /s/u@h-22 -O exit localhost"),
            ),
            State::Foreign(_) | State::Unverifiable(_) => ("", None),
            State::NotASocket(_) => ("mv /s/u@h-22 ~/u@h-22.saved", None),
            State::Denied(Denied::Look) => ("namei -l /s/u@h-22", None),
            State::Denied(Denied::Connect) => ("chmod 600 /s/u@h-22", None),
            State::Unresponsive(Unresponsive::Stopped) => ("kill -CONT 4711", None),
            State::Unresponsive(_) => ("muxtray exit --end-process --force web", None),
            State::Orphaned { .. } => ("muxtray exit --end-process --force web", None),
        };
        let socket = in_state(state);
        let target = socket.target();
        let fix = match &socket.state {
            state if state.is_cleanable() => Some(Fix::Clean(target)),
            State::Denied(Denied::Connect) => Some(Fix::CloseSocket(target)),
            _ => None,
        };
        let name = socket.state.name();
        let found = findings(&socket, Extra::default());
        assert_eq!(commands(&found), [(name, command)]);
        assert_eq!((&found[0].fix, found[0].paths.len()), (&fix, 1), "{name}");
        let found = findings(&socket, listening());
        assert_eq!(commands(&found), [(name, if_listening.unwrap_or(command))]);
    }
}

#[test]
fn own_directory_without_search_permission_is_opened() {
    let extra = Extra {
        closed: Some(Path::new("/a b")),
        ..Extra::default()
    };
    let found = findings(&in_state(State::Denied(Denied::Look)), extra);
    assert_eq!(commands(&found), [("denied", "chmod u+rwx '/a b'")]);
}

#[test]
fn stranded_masters_are_reconnected_or_ended() {
    let gone = Connection {
        address: Address::Gone,
        ..connection()
    };
    let mut snapshot = seen_over(vec![running()], [(MasterPid(4711), gone)].into());
    let stranded = snapshot.sockets.remove(0);
    type Change = fn(&mut Socket);
    let changes: [(Change, &str); 5] = [
        (|_| {}, "muxtray open --force web"),
        (|it| it.sessions = Some(0), "muxtray open web"),
        (
            |it| it.ssh_option = "-F /f ".to_owned(),
            "muxtray -F /f open --force web",
        ),
        (|it| it.hosts.clear(), "muxtray exit --force web"),
        (
            |it| (it.managed_by, it.sessions) = (Some(Managed("lima")), Some(0)),
            "muxtray exit web",
        ),
    ];
    for (change, command) in changes {
        let mut socket = stranded.clone();
        change(&mut socket);
        let found = findings(&socket, listening());
        assert_eq!(commands(&found), [("stranded", command)]);
    }
}

#[test]
fn running_masters_have_findings_of_their_mode_sessions_and_expiry() {
    let limit = ("sessions-at-limit", "ssh -o ControlPath=none web");
    let insecure = ("insecure-mode", "chmod 600 /s/u@h-22");
    let no_expiry = ("no-persist-expiry", "muxtray exit web");
    let longer = IDLE_AFTER + Duration::from_secs(1);
    type Change = fn(&mut Socket);
    let cases: [(Change, Option<Duration>, &[_]); 14] = [
        (|it| it.mode = Some(0o755), None, &[]),
        (|it| it.mode = Some(0o660), None, &[]),
        (|it| it.mode = Some(0o622), None, &[insecure]),
        (|it| it.mode = Some(0o602), None, &[insecure]),
        (|it| it.mode = None, None, &[]),
        (|it| it.sessions = Some(9), None, &[]),
        // The master's own session counts.
        (
            |it| (it.sessions, it.own_session) = (Some(9), true),
            None,
            &[limit],
        ),
        (|it| it.sessions = Some(10), None, &[limit]),
        (|it| it.sessions = None, None, &[]),
        (|it| it.own_persist_secs = Some(0), None, &[]),
        (|it| it.own_persist_secs = Some(0), Some(IDLE_AFTER), &[]),
        (
            |it| (it.own_persist_secs, it.sessions) = (Some(0), Some(0)),
            Some(longer),
            &[no_expiry],
        ),
        (|it| it.own_persist_secs = Some(600), Some(longer), &[]),
        (
            |it| (it.own_persist_secs, it.managed_by) = (Some(0), Some(Managed("kitty"))),
            Some(longer),
            &[],
        ),
    ];
    for (number, (change, unused_for, expected)) in cases.into_iter().enumerate() {
        let mut socket = in_state(State::Running);
        change(&mut socket);
        let open_mode = socket.mode.and_then(|mode| {
            let shown = format!("{mode:04o}");
            groups().with_writers(&permissions(mode), shown)
        });
        let extra = Extra {
            open_mode: open_mode.as_deref(),
            unused_for,
            ..listening()
        };
        let found = findings(&socket, extra);
        assert_eq!(commands(&found), expected, "case {number}");
        socket.state = State::Unresponsive(Unresponsive::BacklogFull);
        assert_eq!(commands(&findings(&socket, extra))[1..], *expected);
        for state in [State::Stale, State::Orphaned { successor: false }] {
            socket.state = state;
            assert_eq!(findings(&socket, extra).len(), 1);
        }
    }
}
