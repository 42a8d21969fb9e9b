use super::*;
use crate::model::control_path::HostAlias;
use crate::model::places::{Places, UNNAMED_HOST};
use crate::model::samples::{context_with, path, places};

fn host(alias: &str, control_master: ControlMaster, has_path: bool) -> Host {
    Host {
        alias: HostAlias(alias.to_owned()),
        control_path: has_path.then(|| path(&format!("/s/{alias}"))),
        control_master,
        ..places().hosts.remove(0)
    }
}

fn found(places: &Places) -> Vec<String> {
    let findings = context_with(places, &[], findings);
    let show = |it: &Finding| format!("{}: {}", it.id.as_str(), it.subject);
    findings.iter().map(show).collect()
}

#[test]
fn each_kind_shares_or_has_a_problem() {
    use ControlMaster::{Ask, Auto, AutoAsk, No, Yes};
    for (kind, with_path, if_nobody_confirms, without_path) in [
        (No, "no-control-master", "no-control-master", ""),
        (
            Yes,
            "control-master-yes",
            "control-master-yes",
            "no-control-path",
        ),
        (Auto, "", "", "no-control-path"),
        (
            Ask,
            "control-master-yes",
            "control-master-ask",
            "no-control-path",
        ),
        (AutoAsk, "", "control-master-ask", "no-control-path"),
    ] {
        let found = |has_path, nobody| {
            let id = problem(&host("web", kind, has_path), nobody);
            id.map_or("", FindingId::as_str)
        };
        assert_eq!(found(true, false), with_path, "{kind:?}");
        assert_eq!(found(true, true), if_nobody_confirms, "{kind:?}");
        assert_eq!(found(false, true), without_path, "{kind:?}");
    }
}

#[test]
fn only_hosts_of_the_user_that_are_not_switched_off_on_purpose() {
    use ControlMaster::{Auto, No, Yes};
    use Severity::{Info, Warning};
    let all = [
        host("a", No, true),
        host("b", Auto, false),
        host("c", Yes, true),
    ];
    let of = |hosts: &[Host]| Places {
        hosts: hosts.to_vec(),
        ..Places::default()
    };
    let expected = [
        "control-master-yes: host c",
        "no-control-master: host a",
        "no-control-path: host b",
    ];
    assert_eq!(found(&of(&all)), expected);
    let on_purpose = Places {
        switched_off: SwitchedOff::ForSome,
        ..of(&all)
    };
    assert_eq!(found(&on_purpose), expected[..1]);
    let for_all = Places {
        switched_off: SwitchedOff::ForAll,
        ..of(&all)
    };
    let severities = |places: &Places| {
        context_with(places, &[], |context| {
            let all = findings(context).into_iter();
            all.map(|it| it.severity).collect::<Vec<_>>()
        })
    };
    assert_eq!(severities(&of(&all)), [Warning, Warning, Warning]);
    assert_eq!(severities(&for_all), [Warning, Info, Info]);
    for written_by in [WrittenBy::Administrator, WrittenBy::System] {
        let hosts = all.clone().map(|host| Host { written_by, ..host });
        let expected: &[&str] = match written_by {
            WrittenBy::Administrator => &[],
            _ => &["not-configured: ssh configuration"],
        };
        assert_eq!(found(&of(&hosts)), expected);
    }
    let ignored = Places {
        ignored: vec![glob::Pattern::new("/s/*").unwrap()],
        ..of(&all)
    };
    assert_eq!(found(&ignored), expected[2..]);
}

#[test]
fn no_multiplexing_host_is_a_finding_with_lines_to_paste() {
    use ControlMaster::{Auto, No};
    let none = ["not-configured: ssh configuration"];
    assert_eq!(found(&Places::default()), none);
    let of = |host| Places {
        hosts: vec![host],
        ..Places::default()
    };
    assert_eq!(found(&of(host("web", No, false))), none);
    assert_eq!(found(&of(host("web", Auto, true))), [""; 0]);
    let unread = Places {
        findings: vec![Finding::new(FindingId::SshConfigInvalid, "f", "e", "r")],
        ..of(host("web", Auto, false))
    };
    assert_eq!(found(&unread), [""; 0]);
    let refused = Places {
        refuses_hosts: true,
        ..Places::default()
    };
    assert_eq!(found(&refused), [""; 0]);
    let default = Places {
        unnamed_host: Some(host(UNNAMED_HOST, Auto, false)),
        ..of(host("web", No, false))
    };
    assert_eq!(found(&default), ["no-control-path: any other host"]);
    let lines = context_with(&Places::default(), &[], |context| {
        findings(context).remove(0)
    });
    insta::assert_snapshot!(lines.lines.join("\n"), @r"
    Host *
        ControlMaster auto
        ControlPath ~/.ssh/s/%C
        ControlPersist 10m
        ServerAliveInterval 15
    ");
}
