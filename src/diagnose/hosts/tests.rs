use super::*;
use crate::model::control_path::{HostAlias, Pattern, known_for_tests};
use crate::model::host_settings::HostSettings;
use crate::model::places::{ControlMaster, Managed, Place, Places, UNNAMED_HOST, WrittenBy};
use crate::model::samples::{context_with, path, places};

/// Returns the sample host with another alias, the path `/s/ALIAS`, and changes.
fn host(alias: &str, change: impl FnOnce(&mut Host)) -> Host {
    let mut host = places().hosts.remove(0);
    host.alias = HostAlias(alias.to_owned());
    host.control_path = Some(path(&format!("/s/{alias}")));
    change(&mut host);
    host
}

/// A host without ControlPersist and ServerAliveInterval.
fn incomplete(alias: &str) -> Host {
    host(alias, |host| {
        host.persist = Persist::No;
        host.server_alive_interval = 0;
    })
}

fn of_length(bytes: usize, host: Host) -> Host {
    let control_path = Some(path(&format!("/s/{}", "x".repeat(bytes - 3))));
    Host {
        control_path,
        ..host
    }
}

fn found(hosts: Vec<Host>) -> Vec<Finding> {
    let places = Places {
        hosts,
        ..Places::default()
    };
    context_with(&places, &[], findings)
}

/// Each finding with its subject and heading.
fn shown(findings: &[Finding]) -> Vec<String> {
    let show = |it: &Finding| format!("{}: {}: {}", it.id.as_str(), it.subject, it.lines[0]);
    findings.iter().map(show).collect()
}

#[test]
fn path_of_91_bytes_is_too_long() {
    assert_eq!(found(vec![of_length(90, host("web", |_| {}))]), []);
    let findings = found(vec![of_length(91, host("web", |_| {}))]);
    assert_eq!(shown(&findings), ["path-too-long: host web: Host web"]);
    let evidence = "its ControlPath expands to 91 bytes, the limit is 90: /s/";
    assert!(findings[0].evidence.starts_with(evidence));
    assert_eq!(findings[0].lines[1], "    ControlPath /s/%C");
    assert_eq!(findings[0].hosts, [HostAlias("web".to_owned())]);
}

#[test]
fn hosts_with_other_destination_and_same_path_collide() {
    let shared = |alias: &str, change: fn(&mut Host)| {
        host(alias, |host| {
            host.control_path = Some(path("/s/one"));
            change(host);
        })
    };
    let web = || shared("web", |_| {});
    let same = || shared("alias", |host| host.destination.host = "H".to_owned());
    let user = || shared("db", |host| host.destination.user = Some("v".to_owned()));
    let other = || shared("db", |host| host.destination.host = "i".to_owned());
    let port = || shared("db", |host| host.destination.port = Some(23));
    let jump = || {
        shared("db", |host| {
            host.settings = HostSettings::parse(b"proxyjump gw\n");
        })
    };
    for (hosts, evidence) in [
        (vec![web(), same()], ""),
        (vec![web(), same(), user()], "User u, host db has User v"),
        (vec![web(), other()], "HostName h, host db has HostName i"),
        (
            vec![web(), port(), same(), user()],
            "Port 22, host db has Port 23, and 1 more lead elsewhere",
        ),
        (
            vec![web(), jump()],
            "no ProxyJump, host db has ProxyJump gw",
        ),
    ] {
        let is_hashed = !hosts.contains(&jump());
        let findings = found(hosts);
        let expected = (!evidence.is_empty()).then(|| format!("host web has {evidence}"));
        assert_eq!(findings.first().map(|it| it.evidence.clone()), expected);
        if let Some(finding) = findings.first() {
            assert_eq!(shown(&findings), ["path-collision: /s/one: Host *"]);
            let line = if is_hashed { "%C" } else { "%C-%n" };
            let line = format!("    ControlPath /s/{line}");
            assert_eq!((finding.hosts.len(), &finding.lines[1]), (0, &line));
        }
    }
}

/// This once took quadratic time.
#[test]
fn many_hosts_with_one_path_collide_in_linear_time() {
    let at_one_path = |number: usize| {
        host(&number.to_string(), |host| {
            host.control_path = Some(path("/s/one"));
            host.destination.host = format!("h{number}");
        })
    };
    let findings = found((0..2000).map(at_one_path).collect());
    assert_eq!(shown(&findings), ["path-collision: /s/one: Host *"]);
    assert_eq!(findings[0].lines[1], "    ControlPath /s/%C");
}

#[test]
fn one_finding_for_a_setting_that_many_hosts_lack() {
    let (a, b) = (incomplete("a"), incomplete("b"));
    for (hosts, expected) in [
        (vec![], vec![]),
        (vec![a.clone()], vec!["host a: Host a"]),
        (vec![a.clone(), b.clone()], vec!["hosts a and b: Host a b"]),
        (
            vec![a, b, incomplete("c"), incomplete("d"), incomplete("e")],
            vec!["hosts a, b, c and 2 more: Host a b c d e"],
        ),
    ] {
        let ids = ["no-control-persist", "no-keepalive"];
        let expected: Vec<String> = ids
            .iter()
            .flat_map(|id| expected.iter().map(move |it| format!("{id}: {it}")))
            .collect();
        let findings = found(hosts.clone());
        assert_eq!(shown(&findings), expected);
        assert!(findings.iter().all(|it| it.hosts.len() == hosts.len()));
    }
}

#[test]
fn only_multiplexing_hosts_of_the_user_have_findings() {
    let alone = Host {
        control_master: ControlMaster::No,
        ..incomplete("alone")
    };
    let without_path = Host {
        control_path: None,
        ..incomplete("pathless")
    };
    assert_eq!(found(vec![alone, without_path]), []);
    let unnamed = Places {
        unnamed_host: Some(incomplete(UNNAMED_HOST)),
        ..Places::default()
    };
    let findings = context_with(&unnamed, &[], findings);
    assert_eq!(shown(&findings)[1], "no-keepalive: any other host: Host *");
    let ignored = Places {
        hosts: vec![incomplete("web")],
        ignored: vec![glob::Pattern::new("/s/*").unwrap()],
        ..Places::default()
    };
    let managed = Places {
        hosts: vec![incomplete("web")],
        patterns: vec![Place {
            pattern: Pattern::from_glob("/s/*".as_ref(), &known_for_tests()).unwrap(),
            managed_by: Some(Managed("lima")),
            written_by: WrittenBy::Person,
        }],
        ..Places::default()
    };
    for places in [ignored, managed] {
        assert_eq!(context_with(&places, &[], super::findings), []);
    }
    for (written_by, number) in [
        (WrittenBy::Person, 5),
        (WrittenBy::Administrator, 5),
        (WrittenBy::System, 0),
    ] {
        let long = |alias| Host {
            written_by,
            ..of_length(91, incomplete(alias))
        };
        let mut other = long("machine/.host");
        other.destination.host = "elsewhere".to_owned();
        assert_eq!(found(vec![long(".host"), other]).len(), number);
    }
}
