use super::*;
use crate::model::control_path::{Destination, HostAlias};
use crate::model::samples::{in_state, path, seen};

fn parse(typed: &str) -> Result<Named, TargetError> {
    Named::parse(typed, Path::new("/home/u"))
}

fn destination(user: &str, host: &str, port: Option<u16>) -> Named {
    Named::Destination {
        user: user.to_owned(),
        host: host.to_owned(),
        port,
    }
}

#[test]
fn what_was_typed_is_told_apart_by_its_form() {
    for (typed, named) in [
        ("web", Named::Host("web".to_owned())),
        ("h:22", Named::Host("h:22".to_owned())),
        ("", Named::Host(String::new())),
        ("u@h", destination("u", "h", None)),
        ("u@h:22", destination("u", "h", Some(22))),
        ("u@corp@h:22", destination("u@corp", "h", Some(22))),
        ("u@::1", destination("u", "::1", None)),
        ("u@[::1]", destination("u", "::1", None)),
        ("u@[::1]:22", destination("u", "::1", Some(22))),
        ("/s/u@h:22", Named::Path(path("/s/u@h:22"))),
        ("s/./web", Named::Path(path("/home/u/s/web"))),
        ("./web", Named::Path(path("/home/u/web"))),
        // What is no port is a part of the name, so that it never stands for any port.
        ("u@h:ssh", destination("u", "h:ssh", None)),
        ("u@h:65536", destination("u", "h:65536", None)),
        ("u@h:", destination("u", "h:", None)),
        ("u@[::1]:ssh", destination("u", "[::1]:ssh", None)),
    ] {
        assert_eq!(parse(typed), Ok(named), "{typed}");
    }
}

#[test]
fn a_path_that_can_be_none_is_refused() {
    for (typed, told) in [
        ("../web", "../web"),
        ("/s/../web", "/s/../web"),
        ("/", "/"),
        ("s/a\0b", "s/a\\u{0}b"),
    ] {
        assert_eq!(
            parse(typed).unwrap_err().to_string(),
            format!(
                "`{told}` is not the path of a control socket: it has to name a file, without `..`"
            )
        );
    }
}

/// A socket of these hosts at a path that leads there.
fn socket(at: &str, hosts: &[&str], leads_to: Option<(Option<&str>, &str, Option<u16>)>) -> Socket {
    Socket {
        path: path(at),
        hosts: hosts.iter().map(|it| HostAlias((*it).to_owned())).collect(),
        destination: leads_to.map(|(user, host, port)| Destination {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        }),
        ..in_state(State::Running)
    }
}

#[test]
fn a_target_is_matched_by_all_that_is_known_of_a_socket() {
    let full = || socket("/s/a", &["web", "w"], Some((Some("u"), "h", Some(22))));
    let by_path = || socket("/s/a", &[], Some((Some("u"), "h", Some(22))));
    let host_only = || socket("/s/a", &[], Some((None, "h", None)));
    let no_user = || socket("/s/a", &[], Some((None, "h", Some(22))));
    let alias_only = || socket("/s/a", &["web"], None);
    for (typed, socket, matches) in [
        ("/s/a", full(), true),
        ("/s/b", full(), false),
        ("web", full(), true),
        ("w", full(), true),
        ("h", full(), true),
        ("u", full(), false),
        ("we", full(), false),
        ("h", by_path(), true),
        ("web", by_path(), false),
        ("web", alias_only(), true),
        ("h", alias_only(), false),
        ("u@h", full(), true),
        ("v@h", full(), false),
        ("u@i", full(), false),
        ("u@h:22", full(), true),
        ("u@h:23", full(), false),
        // An alias after the @ is as good as its host name, but only without a port.
        ("u@web", full(), true),
        ("v@web", full(), false),
        ("u@web:22", full(), false),
        ("u@web", alias_only(), true),
        ("u@h", alias_only(), false),
        // What is not known does not speak against it.
        ("u@h", host_only(), true),
        ("u@h:23", host_only(), true),
        ("u@h", no_user(), true),
        ("v@h:22", no_user(), true),
        ("v@h:23", no_user(), false),
        ("u@web", by_path(), false),
    ] {
        let named = parse(typed).unwrap();
        assert_eq!(named.matches(&socket), matches, "{typed} {socket:?}");
    }
}

fn with(sockets: Vec<Socket>) -> Snapshot {
    Snapshot {
        sockets,
        ..seen(Vec::new())
    }
}

/// The path of the one that is meant, or the error's text.
fn resolved(typed: &str, snapshot: &Snapshot) -> String {
    let named = parse(typed).unwrap();
    match resolve(typed, &named, snapshot) {
        Ok(socket) => format!("{} {}", socket.path, socket.state.name()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn one_that_matches_is_meant() {
    let snapshot = with(vec![
        socket("/s/a", &["web"], None),
        socket("/s/b", &["db"], Some((Some("u"), "h", Some(22)))),
    ]);
    for (typed, meant) in [
        ("web", "/s/a running"),
        ("h", "/s/b running"),
        ("u@h:22", "/s/b running"),
        ("/s/b", "/s/b running"),
        (
            "mail",
            "`mail` has no control socket: `muxtray list` shows those there are",
        ),
        (
            "u@h:23",
            "`u@h:23` has no control socket: `muxtray list` shows those there are",
        ),
        (
            "a\nb",
            "`a\\u{a}b` has no control socket: `muxtray list` shows those there are",
        ),
        (
            "/s/c",
            "no control socket at /s/c: `muxtray list` shows those there are",
        ),
    ] {
        assert_eq!(resolved(typed, &snapshot), meant, "{typed}");
    }
}

#[test]
fn an_alias_wins_over_a_host_name_that_reads_the_same() {
    let named = socket("/s/a", &["h"], Some((None, "elsewhere", None)));
    let leads_there = socket("/s/b", &[], Some((None, "h", None)));
    for sockets in [
        vec![named.clone(), leads_there.clone()],
        vec![leads_there.clone(), named],
    ] {
        assert_eq!(resolved("h", &with(sockets)), "/s/a running");
    }
    assert_eq!(resolved("h", &with(vec![leads_there])), "/s/b running");
}

#[test]
fn remnants_are_meant_only_where_nothing_else_is() {
    let as_state = |at: &str, state: State| Socket {
        state,
        ..socket(at, &["web"], None)
    };
    let orphan = || as_state("/s/a", State::Orphaned { successor: true });
    let leftover = || as_state("/s/a.yDXYs2d7ScOlhAEI", State::Leftover);
    let running = || as_state("/s/a", State::Running);
    for sockets in [
        vec![orphan(), running()],
        vec![running(), leftover()],
        vec![leftover(), orphan(), running()],
    ] {
        assert_eq!(resolved("web", &with(sockets)), "/s/a running");
    }
    assert_eq!(resolved("web", &with(vec![orphan()])), "/s/a orphaned");
    assert_eq!(
        resolved("web", &with(vec![orphan(), leftover()])),
        "`web` names several control sockets, name one by its path:\n  /s/a (web, orphaned)\n  \
         /s/a.yDXYs2d7ScOlhAEI (web, leftover)"
    );
}

#[test]
fn several_are_refused_with_their_list() {
    let mut stale = socket("/s/b", &[], Some((Some("u"), "h", Some(22))));
    stale.state = State::Stale;
    let snapshot = with(vec![
        socket("/s/a", &["web"], Some((Some("v"), "h", Some(22)))),
        stale,
    ]);
    assert_eq!(
        resolved("h", &snapshot),
        "`h` names several control sockets, name one by its path:\n  /s/a (web, running)\n  /s/b (u@h:22, stale)"
    );
}
