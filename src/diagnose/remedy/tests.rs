use std::path::Path;

use super::*;
use crate::model::group::Permissions;
use crate::model::network::{Address, Connection};
use crate::model::places::Managed;
use crate::model::samples::{
    STAFF, connection, groups, in_state, path, permissions, running, seen_over, states,
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
fn each_state_has_its_command() {
    for state in states() {
        let (command, if_listening) = match &state {
            State::Running | State::Suspect(_) | State::Stranded(_) => {
                assert_eq!(findings(&in_state(state), listening()), []);
                continue;
            }
            State::Stale | State::Leftover => ("muxtray clean web", None),
            State::Misowned(_) => ("sudo rm /s/u@h-22", Some("sudo ssh -S /s/u@h-22 -O exit -")),
            State::Foreign(_) | State::Unverifiable(_) => ("", None),
            State::NotASocket(_) => ("mv /s/u@h-22 /s/u@h-22.saved", None),
            State::Denied(Denied::Look) => ("namei -l /s/u@h-22", None),
            State::Denied(Denied::Connect) => ("chmod 600 /s/u@h-22", None),
            State::Unresponsive(Unresponsive::Stopped) => ("kill -CONT 4711", None),
            State::Unresponsive(_) => ("muxtray exit --end-process --force web", None),
            // Refused while the two sessions are open.
            State::Orphaned { .. } => ("muxtray exit --end-process web", None),
        };
        let socket = in_state(state);
        let name = socket.state.name();
        let found = findings(&socket, Extra::default());
        assert_eq!(commands(&found), [(name, command)]);
        assert_eq!(found[0].paths, [socket.path.as_path()]);
        let found = findings(&socket, listening());
        assert_eq!(commands(&found), [(name, if_listening.unwrap_or(command))]);
    }
}

#[test]
fn only_clean_and_chmod_are_fixes() {
    for state in states() {
        let is_leftover = state == State::Leftover;
        let socket = in_state(state);
        let target = socket.target();
        let expected = match &socket.state {
            state if state.is_cleanable() => Some(Fix::Clean {
                target,
                is_leftover,
            }),
            State::Denied(Denied::Connect) => Some(Fix::CloseSocket(target)),
            _ => None,
        };
        assert_eq!(fix(&socket), expected, "{:?}", socket.state);
    }
    let unseen = Socket {
        id: None,
        ..in_state(State::Denied(Denied::Connect))
    };
    assert_eq!(fix(&unseen), None);
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
    let changes: [(Change, &str); 4] = [
        (|_| {}, "muxtray open --force web"),
        (|it| it.sessions = Some(0), "muxtray open web"),
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
fn paths_below_the_home_directory_have_a_tilde() {
    let socket = Socket {
        path: path("/home/u/it's $1"),
        ..in_state(State::NotASocket(crate::model::socket::FileKind::Regular))
    };
    let extra = Extra {
        tilde: Tilde {
            home: Some(Path::new("/home/u")),
        },
        ..Extra::default()
    };
    let found = findings(&socket, extra);
    assert_eq!(found[0].subject, "~/it's $1");
    let command = r"mv ~/'it'\''s $1' ~/'it'\''s $1'.saved";
    assert_eq!(commands(&found), [("not-a-socket", command)]);
}

#[test]
fn insecure_mode_needs_a_listener_and_write_permission_of_others() {
    for (mode, is_insecure) in [
        (Some(0o755), false),
        (Some(0o620), false),
        (Some(0o660), false),
        (Some(0o622), true),
        (Some(0o602), true),
        (None, false),
    ] {
        for (state, is_listening) in [
            (State::Running, true),
            (State::Unresponsive(Unresponsive::BacklogFull), true),
            (State::Stale, false),
            (State::Orphaned { successor: false }, false),
        ] {
            let socket = Socket {
                mode,
                ..in_state(state)
            };
            let writers = mode.map(|mode| groups().writers(permissions(mode)));
            let extra = Extra {
                writers: writers.as_ref(),
                ..listening()
            };
            let found = findings(&socket, extra);
            let insecure = found.iter().find(|it| it.id == FindingId::InsecureMode);
            assert_eq!(
                insecure.is_some(),
                is_insecure && is_listening,
                "{socket:?}"
            );
            if let Some(finding) = insecure {
                assert_eq!(finding.command.as_deref(), Some("chmod 600 /s/u@h-22"));
                assert_eq!(finding.fix, Some(Fix::CloseSocket(socket.target())));
            }
        }
    }
}

#[test]
fn insecure_mode_names_the_other_members_of_the_group() {
    let socket = Socket {
        mode: Some(0o660),
        ..in_state(State::Running)
    };
    let writers = groups().writers(Permissions {
        group: STAFF,
        ..permissions(0o660)
    });
    let extra = Extra {
        writers: Some(&writers),
        ..listening()
    };
    let finding = findings(&socket, extra).remove(0);
    assert_eq!(finding.id, FindingId::InsecureMode);
    assert!(
        finding.evidence.contains("0660")
            && finding.evidence.contains("staff")
            && finding.evidence.contains("ada, bob"),
        "{finding:?}"
    );
}

#[test]
fn session_limit_counts_the_masters_own_session() {
    for (sessions, own_session, is_reached) in [
        (Some(9), false, false),
        (Some(9), true, true),
        (Some(10), false, true),
        (None, false, false),
    ] {
        let socket = Socket {
            sessions,
            own_session,
            ..in_state(State::Running)
        };
        let expected = ("sessions-at-limit", "ssh -o ControlPath=none web");
        let found = findings(&socket, listening());
        assert_eq!(
            commands(&found).contains(&expected),
            is_reached,
            "{socket:?}"
        );
    }
}

#[test]
fn masters_without_expiry_are_reported_after_an_idle_day() {
    let forever = || Socket {
        persist_secs: Some(0),
        sessions: Some(0),
        ..in_state(State::Running)
    };
    let ten_minutes = Socket {
        persist_secs: Some(600),
        ..forever()
    };
    let of_kitty = Socket {
        managed_by: Some(Managed("kitty")),
        ..forever()
    };
    let longer = IDLE_AFTER + Duration::from_secs(1);
    for (socket, unused_for, is_reported) in [
        (forever(), None, false),
        (forever(), Some(IDLE_AFTER), false),
        (forever(), Some(longer), true),
        (ten_minutes, Some(longer), false),
        (of_kitty, Some(longer), false),
    ] {
        let extra = Extra {
            unused_for,
            ..listening()
        };
        let found = findings(&socket, extra);
        let expected: &[_] = if is_reported {
            assert_eq!(found[0].lines, ["Host web", "    ControlPersist 10m"]);
            &[("no-persist-expiry", "muxtray exit web")]
        } else {
            &[]
        };
        assert_eq!(commands(&found), expected, "{socket:?}");
    }
}
