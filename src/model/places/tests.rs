use std::ffi::OsStr;

use super::*;
use crate::model::control_path::known_for_tests;
use crate::model::samples::{path, places};

fn template(text: &str) -> Place {
    let pattern = Pattern::from_template(OsStr::new(text), &known_for_tests());
    Place {
        pattern: pattern.unwrap().unwrap(),
        managed_by: None,
        written_by: WrittenBy::Person,
    }
}

fn glob(text: &str, managed_by: Option<Managed>) -> Place {
    Place {
        pattern: Pattern::from_glob(OsStr::new(text), &known_for_tests()).unwrap(),
        managed_by,
        written_by: WrittenBy::Person,
    }
}

fn with(patterns: Vec<Place>) -> Places {
    Places {
        patterns,
        ..places()
    }
}

fn host(alias: &str, at: Option<&str>) -> Host {
    Host {
        alias: HostAlias(alias.to_owned()),
        control_path: at.map(path),
        ..places().hosts.remove(0)
    }
}

fn by(written_by: WrittenBy, host: Host) -> Host {
    Host { written_by, ..host }
}

#[test]
fn hosts_have_titles_limits_and_control_persist() {
    for (alias, title, name, heading) in [
        ("web", "host web", "web", "Host web"),
        ("a\nb", "host a\\u{a}b", "a\\u{a}b", "Host a\\u{a}b"),
        (UNNAMED_HOST, "any other host", "any other host", "Host *"),
    ] {
        let host = host(alias, None);
        let found = (host.title(), host.name(), host.heading());
        assert_eq!(
            found,
            (title.to_owned(), name.to_owned(), heading.to_owned())
        );
    }
    let max = u64::from(u32::MAX);
    for (interval, count, limit) in [
        (15, 3, Some(45)),
        (0, 3, None),
        (15, 0, None),
        (u32::MAX, u32::MAX, Some(max * max)),
    ] {
        let host = Host {
            server_alive_interval: interval,
            server_alive_count_max: count,
            ..host("web", None)
        };
        assert_eq!(host.unanswered_limit(), limit.map(Duration::from_secs));
    }
    let persists = [Persist::No, Persist::Forever, Persist::Seconds(600)];
    assert_eq!(persists.map(Persist::as_secs), [None, Some(0), Some(600)]);
}

#[test]
fn local_names_are_those_of_systemd() {
    for (alias, is_local) in [
        (".host", true),
        ("machine/.host", true),
        ("unix/run/ssh-unix-local/socket", true),
        ("web.example.org", false),
        ("web.", false),
        ("::1", false),
    ] {
        assert_eq!(is_local_name(alias), is_local, "{alias}");
    }
}

#[test]
fn paths_are_ignored_managed_per_machine_or_lead_to_a_host() {
    let places = Places {
        ignored: vec![
            glob::Pattern::new("/ignored/*").unwrap(),
            glob::Pattern::new("/s/one").unwrap(),
        ],
        ..with(vec![
            glob("/s/*", None),
            template("/s/%r@%h:%p"),
            template("/s/%l-%n"),
            template("/s/%h"),
            template("/cp/%C"),
            glob("/cp/a*", Some(Managed("ansible"))),
            glob("/cp/ak*", Some(Managed("kitty"))),
        ])
    };
    let hash = format!("/cp/{}", "0".repeat(40));
    let annex = Some("git-annex");
    for (file, is_ignored, managed_by, is_per_machine, destination) in [
        ("/ignored/a", true, None, None, None),
        ("/s/one", true, None, Some(false), Some("one")),
        ("/s/one.two", false, None, Some(false), Some("one.two")),
        ("/not/ignored/a", false, None, None, None),
        ("/cp/akssh", false, Some("ansible"), None, None),
        (&hash, false, None, Some(true), None),
        ("/r/.git/annex/ssh/u@h", false, annex, None, None),
        ("/r/.git/annex/ssh/below/u@h", false, None, None, None),
        ("/r/.git/xannex/ssh/u@h", false, None, None, None),
        ("/s/u@h:22", false, None, Some(false), Some("u@h:22")),
        (
            "/s/box.example.org-web",
            false,
            None,
            Some(true),
            Some("web"),
        ),
    ] {
        let path = path(file);
        assert_eq!(places.is_ignored(&path), is_ignored, "{file}");
        assert_eq!(places.managed_by(&path), managed_by.map(Managed), "{file}");
        assert_eq!(places.is_per_machine(&path), is_per_machine, "{file}");
        let found = places.destination_of(&path).map(|it| it.to_string());
        assert_eq!(found.as_deref(), destination, "{file}");
    }
}

#[test]
fn own_hosts_have_a_path_of_the_user() {
    let places = Places {
        hosts: vec![
            host("web", Some("/s/web")),
            host("none", None),
            host("lima", Some("/lima/ssh.sock")),
            host("left", Some("/ignored/a")),
            by(WrittenBy::Administrator, host("jump", Some("/s/jump"))),
            by(WrittenBy::System, host(".host", Some("/s/.host"))),
        ],
        unnamed_host: Some(host(UNNAMED_HOST, Some("/s/other"))),
        patterns: vec![glob("/lima/*", Some(Managed("lima")))],
        ignored: vec![glob::Pattern::new("/ignored/*").unwrap()],
        findings: Vec::new(),
        ..Places::default()
    };
    let own: Vec<String> = places
        .own_hosts()
        .map(|(host, path)| format!("{} {path}", host.alias))
        .collect();
    assert_eq!(own, ["web /s/web", "jump /s/jump", "host.invalid /s/other"]);
}

#[test]
fn hosts_at_a_path_keep_the_order_of_the_configuration() {
    let places = Places {
        hosts: vec![
            host("b", Some("/s/one")),
            host("c", Some("/s/two")),
            host("a", Some("/s/one")),
        ],
        unnamed_host: Some(host(UNNAMED_HOST, Some("/s/one"))),
        ..Places::default()
    };
    let one = path("/s/one");
    let names: Vec<&str> = places
        .hosts_at(&one)
        .map(|it| it.alias.0.as_str())
        .collect();
    assert_eq!(names, ["b", "a"]);
}

#[test]
fn names_of_the_system_count_only_without_another_host() {
    let systems = |alias, at| by(WrittenBy::System, host(alias, Some(at)));
    let places = Places {
        hosts: vec![
            systems(".host", "/s/22"),
            host("web", Some("/s/22")),
            systems("machine/.host", "/s/m"),
        ],
        ..Places::default()
    };
    for (at, expected) in [("/s/22", "web"), ("/s/m", "machine/.host")] {
        let at = path(at);
        let names: Vec<&str> = places.hosts_at(&at).map(|it| it.alias.0.as_str()).collect();
        assert_eq!(names, [expected]);
    }
}

#[test]
fn directories_are_those_of_hosts_templates_and_named_paths() {
    let quiet = |alias, at| Host {
        multiplexes: false,
        ..host(alias, Some(at))
    };
    let places = Places {
        hosts: vec![
            host("web", Some("/hosts/web")),
            quiet("q", "/quiet/q"),
            // One that makes masters is enough.
            quiet("r", "/both/r"),
            host("db", Some("/both/db")),
            quiet("s", "/both/s"),
            quiet("n", "/named/n"),
        ],
        patterns: vec![
            template("/template/%h"),
            template("/hosts/%h"),
            template("/each/%h/sock"),
            glob("/glob/*", None),
            glob("/lima/*", Some(Managed("lima"))),
            Place {
                managed_by: Some(Managed("kitty")),
                ..template("/kitty/%h")
            },
        ],
        ..Places::default()
    };
    let named = [path("/named/a"), path("/other/a")];
    let told: Vec<String> = places
        .directories(&named)
        .iter()
        .map(|it| format!("{} {}", it.path.display(), it.makes_masters))
        .collect();
    assert_eq!(
        told,
        [
            "/both true",
            "/hosts true",
            "/named true",
            "/other true",
            "/quiet false",
            "/template false"
        ]
    );
}

#[test]
fn directories_are_the_users_if_their_configuration_names_them() {
    let administrators = |alias, at| by(WrittenBy::Administrator, host(alias, Some(at)));
    let places = Places {
        hosts: vec![
            administrators("jump", "/admin/jump"),
            administrators("gate", "/both/gate"),
            administrators("named", "/named/a"),
            host("web", Some("/both/web")),
            by(WrittenBy::System, host(".host", Some("/systems/.host"))),
        ],
        unnamed_host: Some(host(UNNAMED_HOST, Some("/other/x"))),
        patterns: vec![
            template("/template/%h"),
            Place {
                written_by: WrittenBy::Administrator,
                ..template("/admin-template/%h")
            },
        ],
        ..Places::default()
    };
    let told: Vec<(String, bool)> = places
        .directories(&[path("/named/a")])
        .iter()
        .map(|it| (it.path.display().to_string(), it.is_persons))
        .collect();
    let expected = [
        ("/admin", false),
        ("/admin-template", false),
        ("/both", true),
        ("/named", true),
        ("/other", true),
        ("/template", true),
    ];
    assert_eq!(told, expected.map(|(path, it)| (path.to_owned(), it)));
}
