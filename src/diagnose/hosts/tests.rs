use super::*;
use crate::model::control_path::HostAlias;
use crate::model::finding::Severity;
use crate::model::places::{Places, UNNAMED_HOST, WrittenBy};
use crate::model::samples::{context_with, path, places};

/// Returns the sample host with another alias and changes.
fn host(alias: &str, change: impl FnOnce(&mut Host)) -> Host {
    let mut host = places().hosts.remove(0);
    host.alias = HostAlias(alias.to_owned());
    host.control_path = Some(path(&format!("/s/{alias}")));
    change(&mut host);
    host
}

fn found(hosts: Vec<Host>) -> Vec<Finding> {
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
fn path_of_91_bytes_is_too_long() {
    let of_length = |length: usize| {
        host("web", |host| {
            host.control_path = Some(path(&format!("/s/{}", "x".repeat(length - 3))));
        })
    };
    assert_eq!(found(vec![of_length(90)]), []);
    let findings = found(vec![of_length(91)]);
    assert_eq!(ids(&findings), ["path-too-long"]);
    assert_eq!(findings[0].subject, "host web");
    assert!(findings[0].evidence.contains("91 bytes, the limit is 90"));
    assert_eq!(findings[0].lines, ["Host web", "    ControlPath /s/%C"]);
}

#[test]
fn hosts_with_other_destination_and_same_path_collide() {
    let shared = |alias: &str, change: fn(&mut Host)| {
        host(alias, |host| {
            host.control_path = Some(path("/s/one"));
            change(host);
        })
    };
    let same = || shared("alias", |host| host.destination.host = "H".to_owned());
    for (change, change_of) in [
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
        let findings = found(hosts);
        assert_eq!(ids(&findings), ["path-collision"], "{change_of}");
        assert_eq!(findings[0].subject, "/s/one");
        assert!(
            findings[0]
                .evidence
                .starts_with("host web leads to u@h:22, host db to "),
            "{findings:?}"
        );
    }
    assert_eq!(found(vec![shared("web", |_| {}), same()]), []);
}

#[test]
fn one_finding_for_a_setting_that_many_hosts_lack() {
    let incomplete = |alias: &str| {
        host(alias, |host| {
            host.persist = Persist::No;
            host.server_alive_interval = 0;
        })
    };
    let findings = found(["a", "b", "c", "d", "e"].map(incomplete).into());
    assert_eq!(ids(&findings), ["no-control-persist", "no-keepalive"]);
    for finding in &findings {
        assert_eq!(finding.subject, "hosts a, b, c and 2 more");
        assert_eq!(finding.severity, Severity::Info);
        assert_eq!(finding.lines[0], "Host *");
    }
    let findings = found(vec![incomplete("a")]);
    assert_eq!(findings[1].subject, "host a");
    assert_eq!(findings[1].lines, ["Host a", "    ServerAliveInterval 15"]);
    assert_eq!(
        found(vec![incomplete("a"), incomplete("b")])[0].subject,
        "hosts a and b"
    );
}

#[test]
fn no_finding_without_multiplexing() {
    let alone = host("web", |host| {
        host.multiplexes = false;
        host.persist = Persist::No;
        host.server_alive_interval = 0;
    });
    assert_eq!(found(vec![alone]), []);
    let without_path = host("web", |host| {
        host.control_path = None;
        host.persist = Persist::No;
    });
    assert_eq!(found(vec![without_path]), []);
}

#[test]
fn unnamed_host_has_findings() {
    let places = Places {
        unnamed_host: Some(host(UNNAMED_HOST, |host| host.server_alive_interval = 0)),
        ..Places::default()
    };
    let findings = context_with(&places, &[], findings);
    assert_eq!(ids(&findings), ["no-keepalive"]);
    assert_eq!(findings[0].subject, "any other host");
    assert_eq!(findings[0].lines[0], "Host *");
}

#[test]
fn no_finding_for_ignored_paths_and_other_programs() {
    use crate::model::control_path::{Pattern, known_for_tests};
    use crate::model::places::{Managed, Place};
    let incomplete = || {
        host("lima", |host| {
            host.control_path = Some(path("/home/u/.lima/default/ssh.sock"));
            host.server_alive_interval = 0;
        })
    };
    assert_eq!(found(vec![incomplete()]).len(), 1);
    let ignored = Places {
        hosts: vec![incomplete()],
        ignored: vec![glob::Pattern::new("/home/u/.lima/*").unwrap()],
        ..Places::default()
    };
    assert_eq!(context_with(&ignored, &[], findings), []);
    let pattern =
        Pattern::from_glob("/home/u/.lima/*/ssh.sock".as_ref(), &known_for_tests()).unwrap();
    let managed = Places {
        hosts: vec![incomplete()],
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
fn only_names_of_the_system_have_no_finding() {
    let incomplete = |written_by| {
        let with_all_problems = |alias| {
            host(alias, |host| {
                host.written_by = written_by;
                host.control_path = Some(path(&format!("/s/{}", "x".repeat(88))));
                host.persist = Persist::No;
                host.server_alive_interval = 0;
            })
        };
        let mut other = with_all_problems("machine/.host");
        other.destination.host = "elsewhere".to_owned();
        vec![with_all_problems(".host"), other]
    };
    let all = [
        "path-too-long",
        "path-too-long",
        "path-collision",
        "no-control-persist",
        "no-keepalive",
    ];
    assert_eq!(ids(&found(incomplete(WrittenBy::Person))), all);
    assert_eq!(ids(&found(incomplete(WrittenBy::Administrator))), all);
    assert_eq!(found(incomplete(WrittenBy::System)), []);
}

#[test]
fn title_names_three_hosts() {
    let all = ["a", "b", "c", "d", "e"].map(|alias| host(alias, |_| {}));
    let called = |number: usize| title(&all.iter().take(number).collect::<Vec<_>>());
    for (number, expected) in [
        (0, "no host"),
        (1, "host a"),
        (2, "hosts a and b"),
        (3, "hosts a, b and c"),
        (4, "hosts a, b, c and 1 more"),
        (5, "hosts a, b, c and 2 more"),
    ] {
        assert_eq!(called(number), expected);
    }
}

#[test]
fn collision_counts_other_destinations() {
    let shared = |alias: &str, port| {
        host(alias, |host| {
            host.control_path = Some(path("/s/one"));
            host.destination.port = Some(port);
        })
    };
    let evidence = |hosts| found(hosts).remove(0).evidence;
    let two = vec![shared("a", 22), shared("b", 23)];
    assert_eq!(
        evidence(two.clone()),
        "host a leads to u@h:22, host b to u@h:23"
    );
    // Host c has the same destination as host a.
    let three = [two.clone(), vec![shared("c", 22), shared("d", 24)]].concat();
    assert_eq!(
        evidence(three.clone()),
        "host a leads to u@h:22, host b to u@h:23, and 1 more lead elsewhere"
    );
    let findings = found([three, vec![shared("e", 25)]].concat());
    assert!(findings[0].evidence.ends_with("and 2 more lead elsewhere"));
    assert_eq!(findings[0].lines, ["Host *", "    ControlPath /s/%C"]);
    assert_eq!(findings[0].hosts, []);
}

#[test]
fn findings_hold_their_hosts() {
    let incomplete = host("web", |host| {
        host.control_path = Some(path(&format!("/s/{}", "x".repeat(88))));
        host.persist = Persist::No;
        host.server_alive_interval = 0;
    });
    let quiet = host("db", |host| {
        host.multiplexes = false;
        host.persist = Persist::No;
    });
    let findings = found(vec![incomplete, quiet]);
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
