use super::*;
use crate::model::finding::Finding;
use crate::model::samples::{path, places, running, seen, states, stranded_master};

fn host() -> Host {
    places().hosts.remove(0)
}

#[test]
fn plan_depends_on_the_state_at_the_path() {
    for state in states() {
        let mut snapshot = seen(vec![running()]);
        snapshot.sockets[0].state = state;
        let socket = &snapshot.sockets[0];
        let start = |first| {
            Plan::Start(Start {
                forwards: None,
                path: path("/s/u@h-22"),
                first,
                asks: false,
                has_proxy: false,
                has_connect_timeout: false,
            })
        };
        let expected = match &socket.state {
            State::Running | State::Suspect(_) => Plan::Running(Box::new(socket.clone())),
            State::Stale => start(First::Clean(socket.target())),
            State::Stranded(_) => start(First::End(socket.target())),
            State::Orphaned { .. } => start(First::Nothing),
            _ => Plan::Blocked(Obstacle::at(socket)),
        };
        assert_eq!(plan("web", &host(), &snapshot), expected);
    }
    let pathless = Host {
        control_path: None,
        ..host()
    };
    let blocked = Plan::Blocked(Obstacle::no_control_path("web"));
    assert_eq!(plan("web", &pathless, &seen(Vec::new())), blocked);
}

#[test]
fn a_stranded_jump_host_blocks_the_start() {
    let mut snapshot = Snapshot {
        sockets: vec![stranded_master(), stranded_master()],
        ..seen(Vec::new())
    };
    let [far, hop] = &mut snapshot.sockets[..] else {
        unreachable!()
    };
    far.network.as_mut().unwrap().connection.through = vec![MasterPid(7)];
    hop.path = path("/s/hop");
    hop.hosts = vec![HostAlias("hop".to_owned())];
    hop.pid = Some(MasterPid(7));
    hop.sessions = Some(1);
    let Plan::Blocked(obstacle) = plan("web", &host(), &snapshot) else {
        panic!("it is not blocked");
    };
    let remedy = "first muxtray open --force hop";
    assert_eq!(obstacle.remedy.as_deref(), Some(remedy));
    snapshot.sockets[1].state = State::Running;
    assert!(matches!(plan("web", &host(), &snapshot), Plan::Start(_)));
}

#[test]
fn findings_that_prevent_a_master_block_the_start() {
    let blocks = |id: &&FindingId| {
        let finding = Finding::new(**id, "/s", "seen", "do").with_paths(["/s"]);
        let obstacle = Obstacle::from(&finding);
        let snapshot = Snapshot {
            findings: vec![finding],
            ..seen(Vec::new())
        };
        plan("web", &host(), &snapshot) == Plan::Blocked(obstacle)
    };
    let blocking = FindingId::ALL.iter().filter(blocks).map(|id| id.as_str());
    assert_eq!(
        blocking.collect::<Vec<_>>().join(" "),
        "directory-missing directory-not-writable filesystem-unsupported filesystem-full path-too-long ssh-missing"
    );
}

#[test]
fn failed_starts_have_a_remedy_by_the_message_of_ssh() {
    let refused = |message: &str| Failure::Refused(Some(message.to_owned()));
    let key = "u@h: Permission denied (publickey).";
    let timed_out = Failure::TimedOut(Duration::from_secs(1), Some(key.to_owned()));
    let accept = "terminal: ssh 'my web'";
    let (again, verbose) = ("muxtray open 'my web'", "ssh -v 'my web'");
    for (failure, command) in [
        (refused("Host key verification failed."), accept),
        (refused(key), again),
        (timed_out, again),
        (refused("ssh_askpass: exec failed"), again),
        (refused("Connection refused"), verbose),
        (
            refused("ssh: connect to host h port 22: Permission denied"),
            verbose,
        ),
        (
            refused("unix_listener: cannot bind to path /s/a.Xy: Permission denied"),
            "with: muxtray doctor",
        ),
        (Failure::Refused(None), verbose),
        (Failure::NoMaster(path("/s/a")), verbose),
    ] {
        let remedy = way_out(&failure, "my web", "my web", None);
        assert!(remedy.ends_with(command), "{failure}: {remedy}");
    }
}

#[test]
fn results_and_lifetimes_as_text() {
    let ours = Opened {
        pid: Some(MasterPid(4711)),
        took: Duration::from_millis(449),
        before: None,
        by_other: false,
    };
    assert_eq!(ours.to_string(), "opened in 0.4 s, pid 4711");
    let other = Opened {
        pid: None,
        before: Some("stale socket removed".to_owned()),
        by_other: true,
        ..ours
    };
    let text = "stale socket removed; opened by another ssh at the same moment";
    assert_eq!(other.to_string(), text);
    assert_eq!(lasts(Persist::No), lasts(Persist::Forever));
    assert!(lasts(Persist::Seconds(600)).contains("10m"));
}
