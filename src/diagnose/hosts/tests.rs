use super::*;
use crate::model::control_path::HostAlias;
use crate::model::finding::Severity;
use crate::model::places::{Places, STAND_IN, WrittenBy};
use crate::model::samples::{context_with, path, places};

/// The sample's host under another name, changed.
fn host(alias: &str, change: impl FnOnce(&mut Host)) -> Host {
    let mut host = places().hosts.remove(0);
    host.alias = HostAlias(alias.to_owned());
    host.control_path = Some(path(&format!("/s/{alias}")));
    change(&mut host);
    host
}

fn told(hosts: Vec<Host>) -> Vec<Finding> {
    let places = Places {
        hosts,
        ..Places::default()
    };
    context_with(&places, &[], findings)
}

fn ids(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.id.as_str()).collect()
}

#[test]
fn a_good_configuration_is_silent() {
    assert_eq!(told(vec![host("web", |_| {}), host("db", |_| {})]), []);
}

#[test]
fn ninety_bytes_are_usable_and_one_more_is_told_with_a_shorter_path() {
    let of_length = |length: usize| {
        host("web", |host| {
            host.control_path = Some(path(&format!("/s/{}", "x".repeat(length - 3))));
        })
    };
    assert_eq!(told(vec![of_length(90)]), []);
    let findings = told(vec![of_length(91)]);
    assert_eq!(ids(&findings), ["path-too-long"]);
    assert_eq!(findings[0].subject, "host web");
    assert!(findings[0].evidence.contains("91 bytes, the limit is 90"));
    assert_eq!(findings[0].lines, ["Host web", "    ControlPath /s/%C"]);
}

#[test]
fn hosts_that_lead_elsewhere_must_not_share_a_path() {
    let shared = |alias: &str, change: fn(&mut Host)| {
        host(alias, |host| {
            host.control_path = Some(path("/s/one"));
            change(host);
        })
    };
    let same = || shared("alias", |host| host.destination.host = "H".to_owned());
    for (change, what) in [
        (
            (|host| host.destination.user = Some("v".to_owned())) as fn(&mut Host),
            "another user",
        ),
        (
            |host| host.destination.host = "i".to_owned(),
            "another host",
        ),
        (|host| host.destination.port = Some(23), "another port"),
    ] {
        let hosts = vec![shared("web", |_| {}), same(), shared("db", change)];
        let findings = told(hosts);
        assert_eq!(ids(&findings), ["path-collision"], "{what}");
        assert_eq!(findings[0].subject, "/s/one");
        assert!(
            findings[0]
                .evidence
                .starts_with("host web leads to u@h:22, host db to "),
            "{findings:?}"
        );
    }
    assert_eq!(told(vec![shared("web", |_| {}), same()]), []);
}

#[test]
fn what_many_hosts_lack_is_one_note() {
    let careless = |alias: &str| {
        host(alias, |host| {
            host.persist = Persist::No;
            host.server_alive_interval = 0;
        })
    };
    let findings = told(["a", "b", "c", "d", "e"].map(careless).into());
    assert_eq!(ids(&findings), ["no-control-persist", "no-keepalive"]);
    for finding in &findings {
        assert_eq!(finding.subject, "hosts a, b, c and 2 more");
        assert_eq!(finding.severity, Severity::Info);
        assert_eq!(finding.lines[0], "Host *");
    }
    let findings = told(vec![careless("a")]);
    assert_eq!(findings[1].subject, "host a");
    assert_eq!(findings[1].lines, ["Host a", "    ServerAliveInterval 15"]);
    assert_eq!(
        told(vec![careless("a"), careless("b")])[0].subject,
        "hosts a and b"
    );
}

#[test]
fn settings_matter_only_where_masters_are_made() {
    let alone = host("web", |host| {
        host.multiplexes = false;
        host.persist = Persist::No;
        host.server_alive_interval = 0;
    });
    assert_eq!(told(vec![alone]), []);
    let without_path = host("web", |host| {
        host.control_path = None;
        host.persist = Persist::No;
    });
    assert_eq!(told(vec![without_path]), []);
}

#[test]
fn hosts_without_a_name_are_judged_by_their_stand_in() {
    let places = Places {
        other: Some(host(STAND_IN, |host| host.server_alive_interval = 0)),
        ..Places::default()
    };
    let findings = context_with(&places, &[], findings);
    assert_eq!(ids(&findings), ["no-keepalive"]);
    assert_eq!(findings[0].subject, "any other host");
    assert_eq!(findings[0].lines[0], "Host *");
}

#[test]
fn ignored_paths_and_other_programs_are_not_judged() {
    use crate::model::control_path::{Pattern, known_for_tests};
    use crate::model::places::{Managed, Place};
    let careless = || {
        host("lima", |host| {
            host.control_path = Some(path("/home/u/.lima/default/ssh.sock"));
            host.server_alive_interval = 0;
        })
    };
    assert_eq!(told(vec![careless()]).len(), 1);
    let ignored = Places {
        hosts: vec![careless()],
        ignored: vec![glob::Pattern::new("/home/u/.lima/*").unwrap()],
        ..Places::default()
    };
    assert_eq!(context_with(&ignored, &[], findings), []);
    let pattern =
        Pattern::from_glob("/home/u/.lima/*/ssh.sock".as_ref(), &known_for_tests()).unwrap();
    let managed = Places {
        hosts: vec![careless()],
        patterns: vec![Place {
            pattern,
            managed_by: Some(Managed("lima")),
            written_by: WrittenBy::Person,
        }],
        ..Places::default()
    };
    assert_eq!(context_with(&managed, &[], findings), []);
    assert_eq!(managed.directories(&[]), []);
}

#[test]
fn a_name_of_the_systems_has_no_finding_and_an_administrators_host_has() {
    let careless = |written_by| {
        let worst = |alias| {
            host(alias, |host| {
                host.written_by = written_by;
                host.control_path = Some(path(&format!("/s/{}", "x".repeat(88))));
                host.persist = Persist::No;
                host.server_alive_interval = 0;
            })
        };
        let mut other = worst("machine/.host");
        other.destination.host = "elsewhere".to_owned();
        vec![worst(".host"), other]
    };
    let all = [
        "path-too-long",
        "path-too-long",
        "path-collision",
        "no-control-persist",
        "no-keepalive",
    ];
    assert_eq!(ids(&told(careless(WrittenBy::Person))), all);
    assert_eq!(ids(&told(careless(WrittenBy::Administrator))), all);
    assert_eq!(told(careless(WrittenBy::System)), []);
}

#[test]
fn many_hosts_are_named_up_to_three() {
    let all = ["a", "b", "c", "d", "e"].map(|alias| host(alias, |_| {}));
    let called = |number: usize| title(&all.iter().take(number).collect::<Vec<_>>());
    for (number, told) in [
        (0, "no host"),
        (1, "host a"),
        (2, "hosts a and b"),
        (3, "hosts a, b and c"),
        (4, "hosts a, b, c and 1 more"),
        (5, "hosts a, b, c and 2 more"),
    ] {
        assert_eq!(called(number), told);
    }
}

#[test]
fn one_collision_tells_how_many_more_there_are() {
    let shared = |alias: &str, port| {
        host(alias, |host| {
            host.control_path = Some(path("/s/one"));
            host.destination.port = Some(port);
        })
    };
    let evidence = |hosts| told(hosts).remove(0).evidence;
    let two = vec![shared("a", 22), shared("b", 23)];
    assert_eq!(
        evidence(two.clone()),
        "host a leads to u@h:22, host b to u@h:23"
    );
    // One that leads to the same place is no other.
    let three = [two.clone(), vec![shared("c", 22), shared("d", 24)]].concat();
    assert_eq!(
        evidence(three.clone()),
        "host a leads to u@h:22, host b to u@h:23, and 1 more lead elsewhere"
    );
    let findings = told([three, vec![shared("e", 25)]].concat());
    assert!(findings[0].evidence.ends_with("and 2 more lead elsewhere"));
    assert_eq!(findings[0].lines, ["Host *", "    ControlPath /s/%C"]);
    assert_eq!(findings[0].hosts, []);
}

#[test]
fn each_path_that_is_shared_is_one_collision() {
    let shared = |alias: &str, at: &str, port| {
        host(alias, |host| {
            host.control_path = Some(path(at));
            host.destination.port = Some(port);
        })
    };
    let findings = told(vec![
        shared("a", "/s/two", 1),
        shared("b", "/s/one", 1),
        shared("c", "/s/two", 2),
        shared("d", "/s/one", 2),
        shared("e", "/s/three", 1),
    ]);
    let subjects: Vec<&str> = findings.iter().map(|it| it.subject.as_str()).collect();
    assert_eq!(subjects, ["/s/one", "/s/two"]);
}

#[test]
fn findings_name_the_hosts_they_are_about() {
    let careless = host("web", |host| {
        host.control_path = Some(path(&format!("/s/{}", "x".repeat(88))));
        host.persist = Persist::No;
        host.server_alive_interval = 0;
    });
    let quiet = host("db", |host| {
        host.multiplexes = false;
        host.persist = Persist::No;
    });
    let findings = told(vec![careless, quiet]);
    assert_eq!(
        ids(&findings),
        ["path-too-long", "no-control-persist", "no-keepalive"]
    );
    for finding in &findings {
        assert_eq!(finding.hosts, [HostAlias("web".to_owned())], "{finding:?}");
        assert_eq!(finding.lines[0], "Host web");
    }
    assert!(
        findings[0]
            .evidence
            .starts_with("its ControlPath expands to 91 bytes, the limit is 90: /s/")
    );
}
