use super::*;
use crate::model::control_path::HostAlias;
use crate::model::finding::Severity;
use crate::model::network::Address;
use crate::model::places::Managed;
use crate::model::samples::{connection, in_state, path, running, seen_over, states};

/// The finding of a kind, as one paragraph.
fn told(finding: &Finding) -> String {
    let command = match &finding.command {
        Some(command) if finding.remedy == *command => " (that is the command)".to_owned(),
        Some(command) => format!(" (the command: {command})"),
        None => String::new(),
    };
    let lines = match finding.lines.as_slice() {
        [] => String::new(),
        lines => format!("\n    lines: {lines:?}"),
    };
    let fix = match &finding.fix {
        Some(fix) => format!("\n    fix: {}", fix.label()),
        None => String::new(),
    };
    format!(
        "{}: {}\n    {}\n    -> {}{command}{lines}{fix}",
        finding.id.as_str(),
        finding.subject,
        finding.evidence,
        finding.remedy,
    )
}

fn all(socket: &Socket, listening: bool) -> String {
    let findings = findings(socket, listening, None);
    let told: Vec<String> = findings.iter().map(told).collect();
    told.join("\n")
}

/// What is said of each state but running, with every reason there is for it; of a network its own tests tell.
#[test]
fn every_state_has_its_words() {
    let mut paragraphs = Vec::new();
    for state in states() {
        if matches!(
            state,
            State::Running | State::Suspect(_) | State::Stranded(_)
        ) {
            continue;
        }
        let words = all(&in_state(state.clone()), false);
        assert!(!words.is_empty(), "{state:?}");
        paragraphs.push(format!("{state:?}\n{words}"));
    }
    insta::assert_snapshot!(paragraphs.join("\n\n"));
}

/// The same where less is known: no process, no listener, no mode, no way to count the sessions.
#[test]
fn every_state_has_words_where_little_is_known() {
    let mut paragraphs = Vec::new();
    for state in states() {
        if matches!(
            state,
            State::Running | State::Suspect(_) | State::Stranded(_)
        ) {
            continue;
        }
        let socket = Socket {
            id: None,
            cookie: None,
            pid: None,
            sessions: None,
            mode: None,
            ..in_state(state.clone())
        };
        paragraphs.push(format!("{state:?}\n{}", all(&socket, true)));
    }
    insta::assert_snapshot!(paragraphs.join("\n\n"));
}

/// The one thing that is removed is what nobody listens on, and only the user's own file gets another mode.
#[test]
fn only_what_may_be_cleaned_is_cleaned_by_a_fix() {
    for state in states() {
        let socket = in_state(state.clone());
        match (fix(&socket), state.is_cleanable()) {
            (
                Some(Fix::Clean {
                    target,
                    is_leftover,
                }),
                true,
            ) => {
                assert_eq!(target, socket.target());
                assert_eq!(is_leftover, state == State::Leftover);
            }
            (Some(Fix::CloseSocket(target)), false) => {
                assert_eq!(target, socket.target());
                assert_eq!(state, State::Denied(Denied::Connect));
                let nothing = Socket { id: None, ..socket };
                assert_eq!(fix(&nothing), None);
            }
            (None, false) => assert_ne!(state, State::Denied(Denied::Connect)),
            other => panic!("{state:?}: {other:?}"),
        }
    }
}

/// A master over a dead network; without a connection there is nothing to tell.
#[test]
fn a_lost_network_is_told_with_the_command_that_fits() {
    let gone = || {
        let connection = crate::model::network::Connection {
            address: Address::Gone,
            ..connection()
        };
        let mut snapshot = seen_over(vec![running()], [(MasterPid(4711), connection)].into());
        snapshot.sockets.remove(0)
    };
    type Change = (&'static str, fn(&mut Socket));
    let changes: &[Change] = &[
        ("muxtray open --force web", |_| {}),
        ("muxtray open web", |it| it.sessions = Some(0)),
        ("muxtray exit --force /s/u@h-22", |it| it.hosts.clear()),
        ("muxtray exit /s/u@h-22", |it| {
            it.hosts.clear();
            it.sessions = Some(0);
        }),
        ("muxtray exit --force /s/u@h-22", |it| {
            it.managed_by = Some(Managed::Lima);
            it.sessions = None;
        }),
    ];
    for (command, change) in changes {
        let mut socket = gone();
        change(&mut socket);
        let finding = findings(&socket, true, None).remove(0);
        assert_eq!(finding.id, FindingId::Stranded);
        assert_eq!(finding.command.as_deref(), Some(*command));
        assert!(finding.remedy.ends_with(command), "{finding:?}");
    }
    let unknown = Socket {
        network: None,
        ..gone()
    };
    assert_eq!(findings(&unknown, true, None), []);
}

#[test]
fn a_mode_matters_where_a_master_listens_and_others_may_write() {
    for (mode, is_told) in [
        (Some(0o600), false),
        (Some(0o644), false),
        (Some(0o755), false),
        (Some(0o620), true),
        (Some(0o602), true),
        (Some(0o777), true),
        (None, false),
    ] {
        let socket = Socket {
            mode,
            ..in_state(State::Running)
        };
        assert_eq!(
            !findings(&socket, true, None).is_empty(),
            is_told,
            "{mode:?}"
        );
    }
    let open = |state| Socket {
        mode: Some(0o666),
        ..in_state(state)
    };
    let finding = findings(&open(State::Running), true, None).remove(0);
    assert_eq!(
        finding.evidence,
        "mode 0666: others than its owner may connect"
    );
    assert_eq!(finding.command.as_deref(), Some("chmod 600 /s/u@h-22"));
    assert_eq!(finding.remedy, "chmod 600 /s/u@h-22");
    assert_eq!(finding.severity, Severity::Warning);
    assert!(matches!(finding.fix, Some(Fix::CloseSocket(_))));
    let of = |state| -> Vec<&str> {
        let findings = findings(&open(state), true, None);
        findings.iter().map(|finding| finding.id.as_str()).collect()
    };
    assert_eq!(
        of(State::Unresponsive(Unresponsive::Stopped)),
        ["unresponsive", "insecure-mode"]
    );
    assert_eq!(of(State::Stale), ["stale"]);
    assert_eq!(of(State::Orphaned { successor: false }), ["orphaned"]);
}

#[test]
fn sessions_count_up_to_what_a_server_takes() {
    let with = |sessions, own_session| Socket {
        sessions,
        own_session,
        ..in_state(State::Running)
    };
    for (socket, is_told) in [
        (with(Some(9), false), false),
        (with(Some(9), true), true),
        (with(Some(10), false), true),
        (with(Some(30), false), true),
        (with(None, false), false),
    ] {
        assert_eq!(
            !findings(&socket, true, None).is_empty(),
            is_told,
            "{socket:?}"
        );
    }
    let mut socket = with(Some(10), false);
    socket.hosts = vec![HostAlias("my web".to_owned()), HostAlias("w".to_owned())];
    let finding = findings(&socket, true, None).remove(0);
    assert!(
        finding
            .evidence
            .starts_with("10 sessions are open; a server takes 10 on one connection")
    );
    assert_eq!(
        finding.command.as_deref(),
        Some("ssh -o ControlPath=none 'my web'")
    );
    assert!(
        finding
            .remedy
            .ends_with("open it beside the master: ssh -o ControlPath=none 'my web'")
    );
    socket.hosts.clear();
    assert_eq!(findings(&socket, true, None)[0].command, None);
}

#[test]
fn an_idle_master_that_never_ends_is_told_after_a_day() {
    let second = Duration::from_secs(1);
    let of = |socket: &Socket, unused| findings(socket, true, unused);
    let forever = || Socket {
        persist_secs: Some(0),
        ..in_state(State::Running)
    };
    assert_eq!(of(&forever(), None), []);
    assert_eq!(of(&forever(), Some(IDLE_AFTER)), []);
    let finding = of(&forever(), Some(IDLE_AFTER + second)).remove(0);
    insta::assert_snapshot!(told(&finding), @r#"
    no-persist-expiry: /s/u@h-22
        ControlPersist never ends it; no session is open, and no connection was noted for 24 h
        -> give ControlPersist a time, such as 10m, and end this master: muxtray exit /s/u@h-22 (the command: muxtray exit /s/u@h-22)
        lines: ["Host web", "    ControlPersist 10m"]
    "#);
    let nameless = Socket {
        hosts: Vec::new(),
        ..forever()
    };
    assert_eq!(of(&nameless, Some(2 * IDLE_AFTER))[0].lines, [""; 0]);
    for socket in [
        Socket {
            persist_secs: Some(600),
            ..forever()
        },
        Socket {
            persist_secs: None,
            ..forever()
        },
        Socket {
            managed_by: Some(Managed::Kitty),
            ..forever()
        },
    ] {
        assert_eq!(of(&socket, Some(2 * IDLE_AFTER)), [], "{socket:?}");
    }
}

#[test]
fn commands_survive_a_shell() {
    let socket = Socket {
        path: path("/s/it's $HOME"),
        ..in_state(State::Stale)
    };
    let finding = findings(&socket, false, None).remove(0);
    assert_eq!(
        finding.command.as_deref(),
        Some(r"muxtray clean '/s/it'\''s $HOME'")
    );
}
