use super::*;
use crate::model::control_path::HostAlias;
use crate::model::finding::{Finding, FindingId, Severity};
use crate::model::samples::{observation, path, places, running, seen};
use crate::model::socket::{Connect, Observation};

fn host() -> Host {
    places().hosts.remove(0)
}

fn stale() -> Observation {
    Observation {
        connect: Some(Connect::Refused),
        ..observation()
    }
}

#[test]
fn what_stands_at_the_path_decides_what_is_tried() {
    let socket = path("/s/u@h-22");
    let quiet = Host {
        multiplexes: false,
        ..host()
    };
    let pathless = Host {
        control_path: None,
        ..host()
    };
    let evidence = |plan| match plan {
        Plan::Blocked(obstacle) => obstacle.evidence,
        Plan::Through(_) | Plan::Start(_) => panic!("not blocked"),
    };
    for host in [host(), quiet.clone()] {
        let through = plan("web", &host, &seen(vec![running()]));
        assert_eq!(through, Plan::Through(socket.clone()));
        let blocked = evidence(plan("web", &host, &seen(vec![stale()])));
        assert!(blocked.contains("stale: connection refused"), "{blocked}");
    }
    let empty = seen(Vec::new());
    assert_eq!(plan("web", &host(), &empty), Plan::Start(socket));
    let blocked = evidence(plan("web", &quiet, &empty));
    assert!(blocked.contains("ControlMaster is no for web"), "{blocked}");
    let blocked = evidence(plan("web", &pathless, &seen(vec![running()])));
    assert!(blocked.contains("no ControlPath for web"), "{blocked}");
}

fn finding(id: FindingId, subject: &str, hosts: &[&str]) -> Finding {
    let hosts = hosts.iter().map(|host| HostAlias((*host).to_owned()));
    Finding::new(id, subject, "seen", "do").with_hosts(hosts)
}

#[test]
fn only_findings_about_this_host_stand_in_its_way() {
    let mut snapshot = seen(Vec::new());
    for (subject, hosts, told) in [
        ("/s", &[][..], true),
        ("/s/u@h-22", &[], true),
        ("/other", &[], false),
        ("host web", &["web"], true),
        ("host db and 3 more", &["db", "build", "mail", "web"], true),
        ("hosts db, web", &["db", "web"], true),
        ("host webmail", &["webmail"], false),
        ("web", &[], false),
    ] {
        snapshot.findings = vec![finding(FindingId::PathTooLong, subject, hosts)];
        let found = obstacle::findings("web", &host(), &snapshot);
        assert_eq!(found.len(), usize::from(told), "{subject}");
    }
    snapshot.findings = vec![Finding {
        severity: Severity::Info,
        ..finding(FindingId::PathTooLong, "host web", &["web"])
    }];
    assert!(obstacle::findings("web", &host(), &snapshot).is_empty());
}

fn series(millis: &[u64], failure: Option<Failure>) -> Series {
    Series {
        runs: millis.iter().copied().map(Duration::from_millis).collect(),
        failure,
    }
}

fn denied() -> Option<Failure> {
    Some(Failure::Refused(Some(
        "Permission denied (publickey).".to_owned(),
    )))
}

fn trial(fresh: Series, multiplexed: Series, master: Master) -> Trial {
    let blocked = multiplexed.runs.is_empty().then(|| Obstacle {
        evidence: "ControlMaster is no".to_owned(),
        remedy: Some("put ControlMaster auto into its Host block".to_owned()),
    });
    Trial {
        host: "web".to_owned(),
        control_path: Some(path("/s/u@h-22")),
        obstacles: hindrances(blocked, Vec::new(), None, &fresh, &multiplexed),
        fresh,
        multiplexed,
        master,
    }
}

#[test]
fn the_median_is_the_one_in_the_middle() {
    for (millis, median) in [
        (&[][..], None),
        (&[7], Some(7)),
        (&[9, 1], Some(1)),
        (&[9, 1, 5], Some(5)),
    ] {
        assert_eq!(
            series(millis, None).median(),
            median.map(Duration::from_millis)
        );
    }
}

#[test]
fn the_verdict_reads_so() {
    let fast = || series(&[11, 10, 12], None);
    let slow = || series(&[208, 231, 212], None);
    let texts = [
        trial(slow(), fast(), Master::Running),
        trial(slow(), fast(), Master::Started),
        trial(fast(), slow(), Master::Running),
        trial(series(&[], denied()), fast(), Master::Running),
        trial(slow(), Series::default(), Master::None),
        trial(series(&[], denied()), series(&[], denied()), Master::None),
        trial(
            slow(),
            series(
                &[11],
                Some(Failure::TimedOut(Duration::from_secs(15), None)),
            ),
            Master::Left("has 1 session open".to_owned()),
        ),
    ]
    .map(|trial| trial.lines().join("\n"));
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn the_report_has_the_same_numbers() {
    let report = trial(
        series(&[208, 231, 212], None),
        series(&[10], None),
        Master::Started,
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&report.report()).unwrap());
}

#[test]
fn a_missing_directory_is_told_once() {
    let nothing = Series::default();
    let missing = Some(Path::new("/s"));
    let known = Obstacle {
        evidence: "/s: there is no such directory".to_owned(),
        remedy: None,
    };
    for known in [Vec::new(), vec![known]] {
        let all = hindrances(None, known, missing, &nothing, &nothing);
        assert_eq!(all.len(), 1, "{all:?}");
    }
    let whole = series(&[1], None);
    assert!(hindrances(None, Vec::new(), missing, &nothing, &whole).is_empty());
}

#[test]
fn the_report_tells_what_became_of_the_master() {
    let whole = || series(&[10], None);
    for (master, told) in [
        (Master::None, None),
        (Master::Running, Some("running")),
        (Master::Started, Some("started")),
        (Master::Left("does not answer".to_owned()), Some("left")),
    ] {
        let report = trial(whole(), whole(), master.clone()).report();
        assert_eq!(report.master, told, "{master:?}");
    }
}

#[test]
fn a_trial_without_a_path_or_with_one_that_is_no_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut trial = trial(series(&[10], None), series(&[10], None), Master::None);
    trial.control_path = None;
    assert_eq!(trial.report().control_path, None);
    let raw = std::ffi::OsStr::from_bytes(b"/s/a\xff");
    trial.control_path = ControlPath::new(raw);
    assert_eq!(trial.report().control_path.as_deref(), Some("/s/a\\xff"));
}

#[test]
fn how_many_times_as_fast_is_told_in_tenths() {
    for (fresh, multiplexed, factor) in [
        (&[200][..], &[10][..], Some(20.0)),
        (&[200], &[30], Some(6.7)),
        (&[10], &[100], Some(0.1)),
        (&[200], &[0], None),
        (&[], &[10], None),
        (&[200], &[], None),
    ] {
        let trial = trial(series(fresh, None), series(multiplexed, None), Master::None);
        assert_eq!(trial.report().factor, factor, "{fresh:?} {multiplexed:?}");
    }
}

#[test]
fn runs_are_whole_where_there_were_some_and_none_failed() {
    for (series, is_whole) in [
        (series(&[], None), false),
        (series(&[1], None), true),
        (series(&[1], denied()), false),
        (series(&[], denied()), false),
    ] {
        assert_eq!(series.is_whole(), is_whole, "{series:?}");
    }
}

#[test]
fn what_hinders_is_told_the_nearest_first() {
    let obstacle = |evidence: &str| Obstacle {
        evidence: evidence.to_owned(),
        remedy: None,
    };
    let of = |fresh: &Series, multiplexed: &Series, missing: Option<&str>| -> Vec<String> {
        let known = vec![obstacle("/t: known")];
        let blocked = Some(obstacle("blocked"));
        let all = hindrances(blocked, known, missing.map(Path::new), fresh, multiplexed);
        all.into_iter().map(|it| it.evidence).collect()
    };
    let (well, failed) = (series(&[1], None), series(&[], denied()));
    let own = "a connection of its own fails, too";
    assert_eq!(of(&well, &failed, None), ["blocked", "/t: known"]);
    assert_eq!(of(&failed, &failed, None), ["blocked", "/t: known", own]);
    assert_eq!(
        of(&well, &failed, Some("/a b")),
        [
            "blocked",
            "/a b: the directory of its ControlPath does not exist",
            "/t: known"
        ]
    );
    let nothing = Series::default();
    assert_eq!(of(&failed, &nothing, None), ["blocked", "/t: known"]);
    let missing = hindrances(None, Vec::new(), Some(Path::new("/a b")), &well, &failed);
    assert_eq!(missing[0].remedy.as_deref(), Some("mkdir -m 700 -p '/a b'"));
}
