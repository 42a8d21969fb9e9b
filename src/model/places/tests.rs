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
fn ssh_bears_silence_for_interval_times_count() {
    for (interval, count, limit) in [
        (15, 3, Some(45)),
        (1, 1, Some(1)),
        (0, 3, None),
        (15, 0, None),
        (
            u32::MAX,
            u32::MAX,
            Some(u64::from(u32::MAX) * u64::from(u32::MAX)),
        ),
    ] {
        let host = Host {
            server_alive_interval: interval,
            server_alive_count_max: count,
            ..host("web", None)
        };
        assert_eq!(host.unanswered_limit(), limit.map(Duration::from_secs));
    }
}

#[test]
fn a_host_is_called_by_its_name_and_the_stand_in_by_what_it_stands_for() {
    for (alias, title, name, heading) in [
        ("web", "host web", "web", "Host web"),
        ("a\nb", "host a\\u{a}b", "a\\u{a}b", "Host a\\u{a}b"),
        (
            STAND_IN,
            "any host not named",
            "any host not named",
            "Host *",
        ),
    ] {
        let host = host(alias, None);
        assert_eq!(
            (host.title(), host.name(), host.heading()),
            (title.to_owned(), name.to_owned(), heading.to_owned())
        );
    }
}

#[test]
fn names_that_systemd_connects_are_told_by_their_form() {
    for (alias, is_local) in [
        (".host", true),
        ("machine/.host", true),
        ("vsock/3", true),
        ("unix/run/ssh-unix-local/socket", true),
        ("web", false),
        ("web.example.org", false),
        ("web.", false),
        ("::1", false),
    ] {
        assert_eq!(is_local_name(alias), is_local, "{alias}");
    }
}

#[test]
fn control_persist_is_told_in_seconds() {
    for (persist, seconds) in [
        (Persist::No, None),
        (Persist::Forever, Some(0)),
        (Persist::Seconds(600), Some(600)),
    ] {
        assert_eq!(persist.as_secs(), seconds, "{persist:?}");
    }
    assert_eq!(Persist::default(), Persist::No);
}

#[test]
fn every_program_has_one_name_for_people_and_in_json() {
    let all = std::iter::successors(Some(Managed::Ansible), |program| match program {
        Managed::Ansible => Some(Managed::Kitty),
        Managed::Kitty => Some(Managed::Lima),
        Managed::Lima => Some(Managed::Colima),
        Managed::Colima => Some(Managed::Datalad),
        Managed::Datalad => Some(Managed::GitAnnex),
        Managed::GitAnnex => Some(Managed::Nix),
        Managed::Nix => Some(Managed::Syncoid),
        Managed::Syncoid => None,
    });
    let names: Vec<String> = all
        .map(|program| {
            let json = serde_json::to_string(&program).unwrap();
            assert_eq!(json, format!("\"{program}\""));
            program.to_string()
        })
        .collect();
    assert_eq!(
        names,
        [
            "ansible",
            "kitty",
            "lima",
            "colima",
            "datalad",
            "git-annex",
            "nix",
            "syncoid"
        ]
    );
}

#[test]
fn a_path_that_the_configuration_names_is_left_alone() {
    let places = Places {
        ignored: vec![
            glob::Pattern::new("/ignored/*").unwrap(),
            glob::Pattern::new("/s/one").unwrap(),
        ],
        ..places()
    };
    for (file, is_ignored) in [
        ("/ignored/a", true),
        ("/s/one", true),
        ("/s/one.two", false),
        ("/not/ignored/a", false),
    ] {
        assert_eq!(places.ignores(&path(file)), is_ignored, "{file}");
    }
}

#[test]
fn a_socket_is_a_programs_by_its_path() {
    let places = with(vec![
        template("/cp/%h"),
        glob("/cp/*", Some(Managed::Ansible)),
        glob("/cp/k*", Some(Managed::Kitty)),
    ]);
    for (file, program) in [
        ("/cp/a", Some(Managed::Ansible)),
        ("/cp/kssh", Some(Managed::Ansible)),
        ("/s/a", None),
        ("/r/.git/annex/ssh/u@h", Some(Managed::GitAnnex)),
        ("/r/.git/annex/ssh/below/u@h", None),
        ("/r/.git/xannex/ssh/u@h", None),
    ] {
        assert_eq!(places.managed_by(&path(file)), program, "{file}");
    }
}

#[test]
fn the_first_pattern_that_tells_anything_tells_where_a_path_leads() {
    let places = with(vec![
        glob("/s/*", None),
        template("/s/%C"),
        template("/s/%r@%h:%p"),
        template("/s/%h"),
    ]);
    for (file, leads_to) in [
        ("/s/u@h:22", Some("u@h:22")),
        ("/s/web", Some("web")),
        ("/t/web", None),
    ] {
        let told = places.destination_of(&path(file));
        let told = told.map(|destination| destination.to_string());
        assert_eq!(told.as_deref(), leads_to, "{file}");
    }
}

#[test]
fn a_path_is_per_machine_where_one_of_its_templates_is() {
    let places = with(vec![
        template("/s/%h"),
        template("/s/%l-%n"),
        template("/s/%C"),
        glob("/g/*", None),
    ]);
    let hash = "753a402d6e1222f9e166ff6663c842a3cdfb37e8";
    for (file, is_per_machine) in [
        ("/s/web", Some(false)),
        ("/s/box.example.org-web", Some(true)),
        (&format!("/s/{hash}"), Some(true)),
        ("/g/web", None),
        ("/t/web", None),
    ] {
        assert_eq!(places.is_per_machine(&path(file)), is_per_machine, "{file}");
    }
}

#[test]
fn the_users_own_hosts_are_those_with_a_path_of_theirs() {
    let places = Places {
        hosts: vec![
            host("web", Some("/s/web")),
            host("none", None),
            host("lima", Some("/lima/ssh.sock")),
            host("left", Some("/ignored/a")),
            by(WrittenBy::Administrator, host("jump", Some("/s/jump"))),
            by(WrittenBy::System, host(".host", Some("/s/.host"))),
        ],
        other: Some(host(STAND_IN, Some("/s/other"))),
        patterns: vec![glob("/lima/*", Some(Managed::Lima))],
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
fn the_hosts_of_a_path_come_in_the_order_of_the_configuration() {
    let places = Places {
        hosts: vec![
            host("b", Some("/s/one")),
            host("c", Some("/s/two")),
            host("a", Some("/s/one")),
        ],
        other: Some(host(STAND_IN, Some("/s/one"))),
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
fn a_name_of_the_systems_stands_only_for_a_master_that_no_host_has() {
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
fn directories_are_those_of_hosts_templates_and_named_paths_each_once() {
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
            glob("/lima/*", Some(Managed::Lima)),
            Place {
                managed_by: Some(Managed::Kitty),
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
fn a_directory_is_the_persons_if_anything_of_theirs_leads_there() {
    let administrators = |alias, at| by(WrittenBy::Administrator, host(alias, Some(at)));
    let places = Places {
        hosts: vec![
            administrators("jump", "/admin/jump"),
            administrators("gate", "/both/gate"),
            administrators("named", "/named/a"),
            host("web", Some("/both/web")),
            by(WrittenBy::System, host(".host", Some("/systems/.host"))),
        ],
        other: Some(host(STAND_IN, Some("/other/x"))),
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
