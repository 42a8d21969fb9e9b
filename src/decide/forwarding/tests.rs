use super::*;
use crate::model::forward::{ListensAt, RemoteForward};
use crate::model::ids::{MasterPid, UserId};
use crate::model::samples::{self, forwarding, in_state};
use crate::model::state::State;

fn listening(all: &[&str]) -> Vec<Listening> {
    samples::listening(all, 0)
}

fn holder(address: &str, process: Option<(i32, &str)>) -> PortHolder {
    PortHolder {
        address: address.parse().unwrap(),
        uid: UserId(0),
        process: process.map(|(pid, name)| (MasterPid(pid), name.to_owned())),
    }
}

fn target() -> ReportTarget {
    ReportTarget::Unresolved(String::new())
}

const FAILED: Result<Option<u16>, &str> = Err("Port forwarding failed");
const BOTH: &[&str] = &["127.0.0.1:5", "[::1]:5"];

#[test]
fn added_forwarding_is_verified() {
    let web = in_state(State::Running);
    let stranger = |address| holder(address, Some((5, "nginx")));
    let own = |address| holder(address, Some((4711, "ssh")));
    for (text, before, answer, after, holders, outcome, message) in [
        (
            "-L 5:db:80",
            &[][..],
            Ok(None),
            BOTH,
            vec![own("127.0.0.1:5")],
            ActionOutcome::Done,
            "forwards 127.0.0.1:5 \u{2192} db:80",
        ),
        (
            "-L 5:db:80",
            BOTH,
            Ok(None),
            BOTH,
            vec![],
            ActionOutcome::Unchanged,
            "forwards 127.0.0.1:5 \u{2192} db:80 already",
        ),
        (
            "-L 5:db:80",
            &[],
            FAILED,
            &[],
            vec![stranger("127.0.0.1:5")],
            ActionOutcome::Failed,
            "127.0.0.1:5 is held by nginx (pid 5); use another port, or end that process: kill 5",
        ),
        (
            "-L 5:db:80",
            &[],
            FAILED,
            &[],
            vec![holder("127.0.0.1:5", None)],
            ActionOutcome::Failed,
            "127.0.0.1:5 is held by a process of the user with id 0, or of a container; use another port, or show the process: sudo ss -ltnp 'sport = :5'",
        ),
        // ssh is content with one of two addresses.
        (
            "-L 5:db:80",
            &[],
            Ok(None),
            &["[::1]:5"],
            vec![stranger("127.0.0.1:5")],
            ActionOutcome::Failed,
            "it listens, but not on every address: [::1]:5 \u{2192} db:80; 127.0.0.1:5 is held by nginx (pid 5); use another port, or end that process: kill 5",
        ),
        // Without IPv6.
        (
            "-L 5:db:80",
            &[],
            Ok(None),
            &["127.0.0.1:5"],
            vec![own("127.0.0.1:5")],
            ActionOutcome::Done,
            "forwards 127.0.0.1:5 \u{2192} db:80",
        ),
        (
            "-L 5:db:80",
            &[],
            Ok(None),
            &[],
            vec![],
            ActionOutcome::Failed,
            "the master was asked for it before and could not listen then, and does not try again; name the address: muxtray forward web -L localhost:5:db:80",
        ),
        (
            "-R 0:db:80",
            &[],
            Ok(Some(40_000)),
            &[],
            vec![],
            ActionOutcome::Done,
            "the server forwards 40000 to db:80",
        ),
        (
            "-R 9000",
            &[],
            Ok(None),
            &[],
            vec![],
            ActionOutcome::Done,
            "the server forwards 9000 to any (SOCKS)",
        ),
        (
            "-D *:5",
            &[],
            Ok(None),
            &["0.0.0.0:5", "[::]:5"],
            vec![],
            ActionOutcome::Done,
            "forwards *:5 \u{2192} any (SOCKS)",
        ),
        (
            "-L /run/x:db:80",
            &[],
            FAILED,
            &[],
            vec![],
            ActionOutcome::Failed,
            "a file is at /run/x already; if nothing uses it, remove it: rm /run/x",
        ),
        (
            "-L 80:db:80",
            &[],
            FAILED,
            &[],
            vec![],
            ActionOutcome::Failed,
            "Port forwarding failed; ports below 1024 are for root; use a higher one",
        ),
    ] {
        let facts = Facts {
            before: Some(listening(before)),
            answer: answer.map_err(|it: &str| (ActionOutcome::Failed, it.to_owned())),
            after: Some(listening(after)),
            holders,
            is_path_taken: true,
        };
        let report = added(
            target(),
            &web,
            &forwarding(text),
            &facts,
            std::slice::from_ref(&web),
        );
        assert_eq!(
            (report.outcome, report.to_string().as_str()),
            (outcome, message)
        );
    }
}

#[test]
fn cancelled_forwarding_is_verified() {
    let web = in_state(State::Running);
    let end = "end the master with all its forwardings: muxtray exit web";
    let refused: Result<Option<u16>, &str> = Err("port not forwarded");
    for (text, before, answer, after, outcome, message) in [
        (
            "-L 5:db:80",
            BOTH,
            Ok(None),
            &[][..],
            ActionOutcome::Done,
            "cancelled 127.0.0.1:5 \u{2192} db:80".to_owned(),
        ),
        (
            "-L 5:db:80",
            &[],
            Ok(None),
            &[],
            ActionOutcome::Unchanged,
            "it does not forward -L 5:db:80".to_owned(),
        ),
        (
            "-L 5:db:80",
            BOTH,
            Ok(None),
            BOTH,
            ActionOutcome::Failed,
            format!(
                "the master reports that 127.0.0.1:5 \u{2192} db:80 is cancelled, but still listens; {end}"
            ),
        ),
        (
            "-L 5:db:80",
            BOTH,
            refused,
            BOTH,
            ActionOutcome::Failed,
            format!(
                "127.0.0.1:5 \u{2192} db:80 is not cancelled: port not forwarded; cancel it exactly as it was added, or {end}"
            ),
        ),
        (
            "-R 0:db:80",
            &[],
            Ok(None),
            &[],
            ActionOutcome::Done,
            "cancelled -R 0:db:80".to_owned(),
        ),
    ] {
        let facts = Facts {
            before: Some(listening(before)),
            answer: answer.map_err(|it: &str| (ActionOutcome::Failed, it.to_owned())),
            after: Some(listening(after)),
            holders: Vec::new(),
            is_path_taken: false,
        };
        let report = cancelled(target(), &web, &forwarding(text), &facts);
        assert_eq!((report.outcome, report.to_string()), (outcome, message));
    }
}

#[test]
fn forwarding_to_cancel_is_found_by_its_place() {
    let mut web = in_state(State::Running);
    let forward = |at: &str, known: Option<&str>| Forward {
        at: match at.parse() {
            Ok(address) => ListensAt::Tcp(address),
            Err(_) => ListensAt::Unix(at.into()),
        },
        is_both: true,
        connections: 0,
        forwarding: known.map(forwarding),
        is_configured: false,
    };
    web.forwards = vec![
        forward("127.0.0.1:5", Some("-L 5:db:80")),
        forward("127.0.0.1:6", None),
        forward("0.0.0.0:7", Some("-D *:7")),
        forward("10.0.0.1:8", Some("-L 10.0.0.1:8:db:80")),
        forward("10.0.0.2:8", Some("-L 10.0.0.2:8:db:80")),
        forward("/run/x", Some("-L /run/x:db:80")),
    ];
    let remote = |text, port| RemoteForward {
        forwarding: forwarding(text),
        port,
    };
    web.remote_forwards = vec![
        remote("-R 0:db:80", Some(40_000)),
        remote("-R 9000:db:80", None),
    ];
    for (typed, found) in [
        ("-L 5:db:80", Ok("-L 5:db:80")),
        ("-L 5", Ok("-L 5:db:80")),
        ("-L localhost:5:db:80", Ok("-L 5:db:80")),
        ("-L 127.0.0.1:5", Ok("-L 5:db:80")),
        ("-L 5:other:80", Ok("-L 5:other:80")),
        ("-D 6", Ok("-D 6")),
        ("-D 7", Ok("-D *:7")),
        ("-L 6:db:80", Ok("-L 6:db:80")),
        (
            "-L 6",
            Err("127.0.0.1:6 \u{2192} target unknown: nobody knows"),
        ),
        ("-L 8", Err("8 is not unambiguous: 10.0.0.1:8")),
        ("-L 10.0.0.2:8", Ok("-L 10.0.0.2:8:db:80")),
        ("-L /run/x", Ok("-L /run/x:db:80")),
        ("-L 9", Err("it does not forward 9")),
        ("-L a:b:c:d:e", Err("`a:b:c:d:e` is not a forwarding")),
        ("-R 40000", Ok("-R 0:db:80")),
        ("-R 0:db:80", Ok("-R 0:db:80")),
        ("-R 9000", Ok("-R 9000:db:80")),
        ("-R 9001", Ok("-R 9001")),
    ] {
        let (option, argument) = typed.split_once(' ').unwrap();
        let kind = ForwardingKind::of_option(option).unwrap();
        let result = to_cancel(kind, argument.as_ref(), &|_| None, &web);
        match (found, result) {
            (Ok(found), result) => assert_eq!(result, Ok(forwarding(found)), "{typed}"),
            (Err(start), Err((message, _))) => assert!(message.starts_with(start), "{message}"),
            (found, result) => panic!("{typed}: {found:?}, {result:?}"),
        }
    }
}
