use super::super::samples::{listener, observation, path, process, running, seen, stat};
use super::super::socket::{Connect, File, Holder, Listener, Observation, Process, Stat, UserId};
use super::*;

/// The menu as indented text: what a person reads, `[…]` what a click asks for.
fn drawn(view: &TrayView) -> String {
    fn rows(entries: &[Entry], depth: usize, text: &mut String) {
        for entry in entries {
            text.push_str(&"    ".repeat(depth));
            match entry {
                Entry::Separator => text.push_str("----\n"),
                Entry::Item {
                    label,
                    intent: None,
                    ..
                } => *text += &format!("({label})\n"),
                Entry::Item {
                    label,
                    intent: Some(intent),
                    ..
                } => {
                    let intent = format!("{intent:?}");
                    let kind = intent.split([' ', '(']).next().unwrap();
                    *text += &format!("{label}  [{kind}]\n");
                }
                Entry::Submenu { label, entries, .. } => {
                    *text += &format!("{label} >\n");
                    rows(entries, depth + 1, text);
                }
            }
        }
    }
    let mut text = format!("{:?}: {}\n", view.icon, view.summary);
    rows(&view.menu, 0, &mut text);
    text
}

fn quiet(name: &str) -> Observation {
    let listener = Listener {
        sessions: 0,
        ..listener(Holder::Ssh(process("ssh")))
    };
    Observation {
        path: path(name),
        listener: Some(listener),
        ..observation()
    }
}

#[test]
fn a_day_with_a_bit_of_everything() {
    let stale = Observation {
        path: path("/s/db"),
        connect: Some(Connect::Refused),
        ..observation()
    };
    let theirs = File::Socket(Stat {
        uid: UserId(0),
        ..stat()
    });
    let misowned = Observation {
        path: path("/s/build"),
        file: theirs,
        ..observation()
    };
    let snapshot = seen(vec![running(), quiet("/s/quiet"), stale, misowned]);
    let socket = snapshot
        .sockets
        .iter()
        .find(|socket| socket.title() == "web")
        .unwrap();
    let answers = Answers::from([(socket.target(), "Last check: answered in 0.8 ms".to_owned())]);
    insta::assert_snapshot!(drawn(&view(&snapshot, &answers)));
}

#[test]
fn nothing_there() {
    insta::assert_snapshot!(drawn(&view(&seen(Vec::new()), &Answers::new())));
}

#[test]
fn the_icon_follows_the_worst() {
    let stale = || Observation {
        connect: Some(Connect::Refused),
        ..observation()
    };
    assert_eq!(view(&seen(vec![]), &Answers::new()).icon, Icon::Idle);
    assert_eq!(
        view(&seen(vec![running()]), &Answers::new()).icon,
        Icon::Running
    );
    assert_eq!(
        view(&seen(vec![quiet("/s/x"), stale()]), &Answers::new()).icon,
        Icon::Attention
    );
}

#[test]
fn a_master_that_cannot_be_asked_can_be_ended_at_the_price_of_its_sessions() {
    let stopped = |sessions| {
        let process = Process {
            stopped: true,
            ..process("ssh")
        };
        let listener = Listener {
            sessions,
            ..listener(Holder::Ssh(process))
        };
        seen(vec![Observation {
            listener: Some(listener),
            ..observation()
        }])
    };
    for (sessions, lines) in [
        (0, "    End process  [EndProcess]\n"),
        (
            3,
            "    End process, closing 3 sessions >\n        End process now  [EndProcess]\n",
        ),
    ] {
        let menu = drawn(&view(&stopped(sessions), &Answers::new()));
        assert!(menu.contains(lines), "{menu}");
    }
    let running = drawn(&view(&seen(vec![running()]), &Answers::new()));
    assert!(!running.contains("End process"), "{running}");
}

#[test]
fn time_alone_changes_nothing() {
    let stale = || Observation {
        connect: Some(Connect::Refused),
        ..observation()
    };
    let now = seen(vec![
        running(),
        Observation {
            path: path("/s/x"),
            ..stale()
        },
    ]);
    let later = Snapshot {
        at: now.at + std::time::Duration::from_secs(86_400),
        ..now.clone()
    };
    assert_eq!(view(&now, &Answers::new()), view(&later, &Answers::new()));
}

#[test]
fn keys_are_unique_among_siblings() {
    fn check(entries: &[Entry]) {
        let mut keys = std::collections::BTreeSet::new();
        for entry in entries {
            match entry {
                Entry::Separator => {}
                Entry::Item { key, .. } => assert!(keys.insert(key), "{key} twice"),
                Entry::Submenu { key, entries, .. } => {
                    assert!(keys.insert(key), "{key} twice");
                    check(entries);
                }
            }
        }
    }
    check(
        &view(
            &seen(vec![running(), quiet("/s/quiet"), quiet("/s/other")]),
            &Answers::new(),
        )
        .menu,
    );
}
