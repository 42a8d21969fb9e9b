//! The network behind a master, broken in every way that a namespace allows, and mended again.

use std::time::{Duration, Instant};

use crate::support::{CLIENT, Network, PATIENCE, WEB, skip, wait_until};
use nix::sys::signal::Signal;

/// The network, or what is said where there can be none.
macro_rules! network_or_skip {
    ($name:literal) => {
        match Network::new() {
            Ok(network) => network,
            Err(why) => return skip($name, &why),
        }
    };
}

/// The evidence of a socket's first finding.
fn evidence(report: &crate::support::SocketReport) -> String {
    let evidence = &report.0["findings"][0]["evidence"];
    evidence.as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_link_is_cut_while_data_is_under_way() {
    let network = network_or_skip!("a_link_is_cut_while_data_is_under_way");
    let _masters = [network.master("web"), network.master("db")];
    let well = network.wait_for_state("web", "running", &[]);
    assert_eq!(well.0["network"]["state"], "well", "{:#}", well.0);
    assert_eq!(well.0["network"]["remote"], format!("{WEB}:2222"));
    let told = network.muxtray(&["check", "web"]).expect(0).stdout;
    assert!(told.contains("network well: round trip "), "{told}");
    assert!(told.contains("last heard "), "{told}");

    network.cut(true);
    let session = network.session("web", "echo hello");
    let doubtful = network.wait_for_state("web", "suspect", &["running"]);
    assert!(
        evidence(&doubtful).contains("retransmitted"),
        "{doubtful:#?}"
    );
    network.muxtray(&["check", "web"]).expect(1);
    let lost = network.wait_for_state("web", "stranded", &["suspect"]);
    assert!(evidence(&lost).starts_with("sent "), "{lost:#?}");
    assert_eq!(lost.0["sessions"], 1);
    assert_eq!(network.list().status, 1);
    let told = network.muxtray(&["check", "web"]).expect(1).stderr;
    assert!(told.contains("answered in "), "{told}");
    assert!(told.contains("its network is stranded: sent "), "{told}");

    network.cut(false);
    network.wait_for_state("web", "running", &["stranded"]);
    session.finish(PATIENCE).expect(0);
}

#[test]
fn an_address_is_taken_and_given_back() {
    let network = network_or_skip!("an_address_is_taken_and_given_back");
    let _masters = [network.master("web"), network.master("db")];
    let run = network.watcher("2 masters", "");
    network.ip(&format!("address del {CLIENT}/24 dev a0"));
    let removed = Instant::now();
    wait_until("it is announced", PATIENCE, || {
        run.stderr()
            .contains("master has lost its network connection")
    });
    let took = removed.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(
        run.stderr()
            .contains(&format!("{CLIENT} has been on no interface for 0 s")),
        "{}",
        run.stderr()
    );
    let gone = network.wait_for_state("web", "stranded", &[]);
    assert!(
        evidence(&gone).starts_with(&format!("{CLIENT} is on no interface")),
        "{gone:#?}"
    );

    network.ip(&format!("address add {CLIENT}/24 dev a0"));
    network.ip(&format!("route add {WEB}/32 via 10.77.1.2"));
    // Its next answer proves it. The kernel tells what has happened to who looks for the first time, too; but an
    // answer of the last second may have come after that.
    let session = network.session("web", "echo hello");
    session.finish(PATIENCE).expect(0);
    network.wait_for_state("web", "running", &["suspect"]);
    wait_until("it is told that this is over", PATIENCE, || {
        run.stderr().ends_with("INFO 2 masters\n")
    });
    run.signal(Signal::SIGTERM);
    run.finish(PATIENCE).expect(0);
}

#[test]
fn a_route_goes_and_comes_back() {
    let network = network_or_skip!("a_route_goes_and_comes_back");
    let _masters = [network.master("web"), network.master("db")];
    network.wait_for_state("web", "running", &[]);
    network.ip(&format!("route del {WEB}/32"));
    let doubtful = network.wait_for_state("web", "suspect", &[]);
    assert!(
        evidence(&doubtful).starts_with(&format!("there is no route to {WEB}")),
        "{doubtful:#?}"
    );
    let session = network.session("web", "echo hello");
    let lost = network.wait_for_state("web", "stranded", &["suspect"]);
    assert!(
        evidence(&lost).contains("could not be sent for ") && evidence(&lost).contains("no route"),
        "{lost:#?}"
    );
    network.ip(&format!("route add {WEB}/32 via 10.77.1.2"));
    network.wait_for_state("web", "running", &["stranded", "suspect"]);
    session.finish(PATIENCE).expect(0);
}

/// The master is in the background, so the ssh of its ProxyJump is not its child; the packets are that one's.
#[test]
fn the_first_hop_of_a_proxy_jump_is_cut() {
    let network = network_or_skip!("the_first_hop_of_a_proxy_jump_is_cut");
    let _neighbour = network.master("db");
    network.persisted_master("build");
    let well = network.wait_for_state("build", "running", &[]);
    assert_eq!(well.0["network"]["proxy"], "ssh", "{:#}", well.0);
    assert_eq!(well.0["network"]["remote"], format!("{WEB}:2222"));
    network.cut(true);
    let session = network.session("build", "echo hello");
    let lost = network.wait_for_state("build", "stranded", &["running", "suspect"]);
    assert!(
        evidence(&lost).ends_with("(by its proxy, ssh)"),
        "{lost:#?}"
    );
    network.cut(false);
    network.wait_for_state("build", "running", &["stranded"]);
    session.finish(PATIENCE).expect(0);
}

/// The hop has a master of its own, and the jump goes through that: no process of the jump has a connection.
#[test]
fn a_jump_through_another_master_stands_or_falls_with_it() {
    let network = network_or_skip!("a_jump_through_another_master_stands_or_falls_with_it");
    let _masters = [
        network.master("db"),
        network.master("hop"),
        network.master("build"),
    ];
    let local = |alias| network.report(alias).0["network"]["local"].clone();
    assert!(local("hop").is_string(), "{:#}", network.report("hop").0);
    assert_eq!(local("hop"), local("build"));
}

/// Forwardings are connections of the master's, too, whichever side they come from.
#[test]
fn a_forwarded_connection_is_not_taken_for_the_masters() {
    let network = network_or_skip!("a_forwarded_connection_is_not_taken_for_the_masters");
    let _masters = [network.master("web"), network.master("db")];
    network.persisted_master("build");
    let clients = [("web", 7001), ("build", 7002)].map(|(alias, port)| {
        network.forward(alias, &format!("-L{port}:127.0.0.1:2222"));
        let connect = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; exec cat <&3");
        let client = network.shell(&connect);
        wait_until("it is forwarded", PATIENCE, || {
            client.stdout().starts_with("SSH-")
        });
        client
    });
    for alias in ["web", "build"] {
        let report = network.report(alias);
        assert_eq!(
            report.0["network"]["remote"],
            format!("{WEB}:2222"),
            "{alias}"
        );
    }
    drop(clients);
}

/// There is no room for the master's farewell, and it waits for some.
#[test]
fn a_stranded_master_ends_although_its_connection_is_full() {
    let name = "a_stranded_master_ends_although_its_connection_is_full";
    let network = network_or_skip!("a_stranded_master_ends_although_its_connection_is_full");
    if let Err(why) = network.slow_down() {
        return skip(name, &why);
    }
    let mut web = network.master("web");
    let _neighbour = network.master("db");
    let _busy = network.session("web", "cat /dev/zero");
    wait_until("the connection is full", PATIENCE, || {
        network.queued_bytes() > 100_000
    });
    network.cut(true);
    network.wait_for_state("web", "stranded", &["running", "suspect"]);
    network.muxtray(&["exit", "web"]).expect(1);
    let asked = network.muxtray(&["exit", "--force", "web"]);
    if asked.code() != 0 {
        assert!(asked.stderr.contains("--end-process"), "{asked:#?}");
        let end = ["exit", "--end-process", "--force", "web"];
        network.muxtray(&end).expect(0);
    }
    wait_until("the master has ended", PATIENCE, || !web.is_running());
}

#[test]
fn a_stranded_master_is_ended_where_that_is_wanted() {
    let network = network_or_skip!("a_stranded_master_is_ended_where_that_is_wanted");
    let mut web = network.master("web");
    let mut db = network.master("db");
    let run = network.watcher("2 masters", "exit_stranded = true\n");
    network.ip(&format!("address del {CLIENT}/24 dev a0"));
    wait_until("the master has ended", PATIENCE, || !web.is_running());
    wait_until("it is announced", PATIENCE, || {
        run.stderr().contains("web: had lost its network")
    });
    assert!(db.is_running());
    network.wait_for_state("db", "running", &[]);
}

#[test]
fn a_slow_and_lossy_link_is_no_alarm() {
    let name = "a_slow_and_lossy_link_is_no_alarm";
    let network = network_or_skip!("a_slow_and_lossy_link_is_no_alarm");
    if let Err(why) = network.slow_down() {
        return skip(name, &why);
    }
    let _masters = [network.master("web"), network.master("db")];
    let mut busy = network.session("web", "head -c 400000 /dev/zero");
    let mut looks = 0;
    while busy.is_running() {
        network.wait_for_state("web", "running", &[]);
        looks += 1;
    }
    busy.finish(PATIENCE).expect(0);
    assert!(looks > 10, "it was busy for {looks} looks only");
}

/// As after a VPN that came back with another address: one action ends the old master and opens a new one.
#[test]
fn a_stranded_master_is_replaced() {
    let network = network_or_skip!("a_stranded_master_is_replaced");
    let old = network.master("web");
    let _neighbour = network.master("db");
    let session = network.session("web", "exec sleep 600");
    wait_until("the session is open", PATIENCE, || {
        network.report("web").0["sessions"] == 1
    });
    network.ip(&format!("address del {CLIENT}/24 dev a0"));
    network.ip("address add 10.77.1.7/24 dev a0");
    network.ip(&format!("route add {WEB}/32 via 10.77.1.2"));
    network.wait_for_state("web", "stranded", &[]);

    let refused = network.muxtray(&["open", "web"]).expect(1).stderr;
    assert!(refused.contains("1 session is open"), "{refused}");
    network.report("web");
    let told = network
        .muxtray(&["open", "--force", "web"])
        .expect(0)
        .stdout;
    assert!(
        told.starts_with("web: exited, closing 1 session; opened in "),
        "{told}"
    );
    let new = network.wait_for_state("web", "running", &[]);
    assert_ne!(new.0["pid"], old.pid(), "{:#}", new.0);
    assert_eq!(new.0["sessions"], 0);
    drop(session);
}
