use super::*;
use crate::model::control_path::{Destination, HostAlias};
use crate::model::samples::{in_state, path, seen};

fn parse(typed: &str) -> Result<TargetName, TargetError> {
    TargetName::parse(typed.as_ref(), Path::new("/home/u"))
}

#[test]
fn parses_targets_by_their_form() {
    let to = |user: Option<&str>, host: &str, port| {
        TargetName::Destination(Destination {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        })
    };
    let destination = |user, host, port| to(Some(user), host, port);
    for (typed, name) in [
        ("web", TargetName::Host("web".to_owned())),
        ("::1", TargetName::Host("::1".to_owned())),
        ("[::1]", TargetName::Host("::1".to_owned())),
        ("h:22", to(None, "h", Some(22))),
        ("[::1]:22", to(None, "::1", Some(22))),
        ("u@h", destination("u", "h", None)),
        ("u@corp@h:22", destination("u@corp", "h", Some(22))),
        ("u@::1", destination("u", "::1", None)),
        ("u@[::1]", destination("u", "::1", None)),
        ("u@[::1]:22", destination("u", "::1", Some(22))),
        ("/s/u@h:22", TargetName::Path(path("/s/u@h:22"))),
        ("./web", TargetName::Path(path("/home/u/web"))),
        // Invalid ports.
        (":22", TargetName::Host(":22".to_owned())),
        ("h:ssh", TargetName::Host("h:ssh".to_owned())),
        ("u@h:ssh", destination("u", "h:ssh", None)),
        ("u@h:65536", destination("u", "h:65536", None)),
        ("u@h:", destination("u", "h:", None)),
        ("u@[::1]:ssh", destination("u", "[::1]:ssh", None)),
    ] {
        assert_eq!(parse(typed), Ok(name), "{typed}");
    }
    for typed in ["../web", "/s/../web", "/", "s/a\0b"] {
        assert!(parse(typed).is_err(), "{typed}");
    }
}

/// A socket of these hosts with this destination.
fn socket(at: &str, hosts: &[&str], to: Option<(Option<&str>, &str, Option<u16>)>) -> Socket {
    Socket {
        path: path(at),
        hosts: hosts.iter().map(|it| HostAlias((*it).to_owned())).collect(),
        destination: to.map(|(user, host, port)| Destination {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        }),
        ..in_state(State::Running)
    }
}

#[test]
fn matches_whatever_is_known_of_a_socket() {
    let full = socket("/s/a", &["web", "w"], Some((Some("u"), "h", Some(22))));
    let by_path = socket("/s/a", &[], Some((Some("u"), "h", Some(22))));
    let host_only = socket("/s/a", &[], Some((None, "h", None)));
    let no_user = socket("/s/a", &[], Some((None, "h", Some(22))));
    let alias_only = socket("/s/a", &["web"], None);
    for (socket, matching, others) in [
        (
            full,
            &["/s/a", "web", "w", "h", "h:22", "u@h", "u@h:22", "u@web"][..],
            &[
                "/s/b", "u", "we", "v@h", "u@i", "u@h:23", "h:23", "v@web", "u@web:22", "web:22",
            ][..],
        ),
        (by_path, &["h"], &["web", "u@web"]),
        (host_only, &["u@h", "u@h:23"], &[]),
        (no_user, &["u@h", "v@h:22"], &["v@h:23"]),
        (alias_only, &["web", "u@web"], &["h", "u@h"]),
    ] {
        let matching = matching.iter().map(|it| (it, true));
        for (typed, matches) in matching.chain(others.iter().map(|it| (it, false))) {
            let name = parse(typed).unwrap();
            assert_eq!(name.matches(&socket), matches, "{typed} {socket:?}");
        }
    }
}

#[test]
fn resolves_to_one_socket_or_lists_several() {
    let as_state = |at: &str, state: State| Socket {
        state,
        ..socket(at, &["web"], None)
    };
    let orphan = || as_state("/s/a", State::Orphaned { successor: true });
    let leftover = || as_state("/s/a.yDXYs2d7ScOlhAEI", State::Leftover);
    let running = || as_state("/s/a", State::Running);
    let db = || socket("/s/b", &["db"], Some((Some("u"), "h", Some(22))));
    let mail = || socket("/s/m", &["mail"], Some((Some("v"), "h", Some(22))));
    let alias_h = || socket("/s/c", &["h"], Some((None, "elsewhere", None)));
    let none = |typed| format!("`{typed}` has no control socket; list them with: muxtray list");
    for (typed, sockets, found) in [
        ("web", vec![running(), db()], "/s/a running".to_owned()),
        ("h", vec![running(), db()], "/s/b running".to_owned()),
        ("/s/b", vec![running(), db()], "/s/b running".to_owned()),
        ("other", vec![running()], none("other")),
        ("a\nb", vec![running()], none("a\\u{a}b")),
        (
            "/s/c",
            vec![running()],
            "no control socket at /s/c; list them with: muxtray list".to_owned(),
        ),
        ("h", vec![db(), alias_h()], "/s/c running".to_owned()),
        ("web", vec![leftover(), orphan(), running()], "/s/a running".to_owned()),
        ("web", vec![orphan()], "/s/a orphaned".to_owned()),
        (
            "h",
            vec![db(), mail()],
            "`h` names several control sockets, name one by its path:\n  /s/b (db, running)\n  /s/m (mail, running)"
                .to_owned(),
        ),
    ] {
        let snapshot = Snapshot {
            sockets,
            ..seen(Vec::new())
        };
        let result = match resolve(typed, &parse(typed).unwrap(), &snapshot) {
            Ok(socket) => format!("{} {}", socket.path, socket.state.name()),
            Err(error) => error.to_string(),
        };
        assert_eq!(result, found, "{typed}");
    }
}
