//! Interruptions of the network behind a master, made in network namespaces, and their repair.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{CLIENT, Network, PATIENCE, WEB, skip, wait_until};
use nix::sys::signal::Signal;

/// Returns a network, or skips the test with the reason.
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
fn cut_link_with_unacknowledged_data_is_reported() {
    let network = network_or_skip!("cut_link_with_unacknowledged_data_is_reported");
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
    let told = network.muxtray(&["check", "web"]).expect(1).stdout;
    assert!(told.contains("answered in "), "{told}");
    assert!(told.contains("its network is stranded: sent "), "{told}");

    network.cut(false);
    network.wait_for_state("web", "running", &["stranded"]);
    session.finish(PATIENCE).expect(0);
}

#[test]
fn removed_address_is_stranded_until_restored() {
    let network = network_or_skip!("removed_address_is_stranded_until_restored");
    let _masters = [network.master("web"), network.master("db")];
    let run = network.watcher("2 masters", "");
    network.ip(&format!("address del {CLIENT}/24 dev a0"));
    let removed = Instant::now();
    wait_until("it is announced", PATIENCE, || {
        run.stderr()
            .contains("master has lost its network connection")
    });
    let took = removed.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(
        run.stderr()
            .contains(&format!("{CLIENT} has been on no interface for ")),
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
    // The server's next answer proves that the connection works; an answer of the last second may be older than the
    // repair.
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
fn removed_route_is_reported_until_restored() {
    let network = network_or_skip!("removed_route_is_reported_until_restored");
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

/// The master is in the background, so the ssh of its ProxyJump is not its child; the TCP connection belongs to that
/// ssh.
#[test]
fn cut_first_hop_of_a_proxy_jump_is_reported() {
    let network = network_or_skip!("cut_first_hop_of_a_proxy_jump_is_reported");
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

/// The hop has its own master, which carries the jump: no process of the jump has a TCP connection.
#[test]
fn jump_through_another_master_has_the_state_of_that_master() {
    let network = network_or_skip!("jump_through_another_master_has_the_state_of_that_master");
    let _masters = [network.master("db"), network.master("hop")];
    let local = |alias| network.report(alias).0["network"]["local"].clone();
    assert!(local("hop").is_string(), "{:#}", network.report("hop").0);
    // The client that jumps may be an ssh with another name.
    let copy = network.lab.install(Path::new("/usr/bin/ssh"), "tssh");
    let config = network.lab.path("ssh_config");
    let (copy, config) = (copy.display(), config.display());
    let by_copy = format!("ProxyCommand={copy} -F {config} -W [%h]:%p hop");
    for options in [&[][..], &["-o", &by_copy]] {
        let mut master = network.master_with("build", options);
        assert_eq!(local("hop"), local("build"), "{options:?}");
        master.end();
    }
}

/// Connections of forwardings belong to the master's process too, in both directions.
#[test]
fn forwarded_connection_is_not_taken_for_the_masters_own() {
    let network = network_or_skip!("forwarded_connection_is_not_taken_for_the_masters_own");
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

/// The send buffer has no space for the master's disconnect message, so the master waits.
#[test]
fn stranded_master_with_a_full_send_buffer_ends() {
    let name = "stranded_master_with_a_full_send_buffer_ends";
    let network = network_or_skip!("stranded_master_with_a_full_send_buffer_ends");
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
        assert!(asked.stdout.contains("--end-process"), "{asked:#?}");
        let end = ["exit", "--end-process", "--force", "web"];
        network.muxtray(&end).expect(0);
    }
    wait_until("the master has ended", PATIENCE, || !web.is_running());
}

#[test]
fn stranded_master_is_ended_if_the_setting_is_on() {
    let network = network_or_skip!("stranded_master_is_ended_if_the_setting_is_on");
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
fn slow_and_lossy_link_has_no_finding() {
    let name = "slow_and_lossy_link_has_no_finding";
    let network = network_or_skip!("slow_and_lossy_link_has_no_finding");
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

/// As after a VPN reconnects with another address: one action ends the old master and opens a new one.
#[test]
fn stranded_master_is_replaced_by_one_action() {
    let network = network_or_skip!("stranded_master_is_replaced_by_one_action");
    let old = network.master("web");
    let _neighbour = network.master("db");
    let session = network.session("web", "exec sleep 600");
    wait_until("the session is open", PATIENCE, || {
        network.report("web").0["sessions"] == 1
    });
    let forward = ["forward", "web", "-L", "127.0.0.1:5432:h:9"];
    network.muxtray(&forward).expect(0);
    network.ip(&format!("address del {CLIENT}/24 dev a0"));
    network.ip("address add 10.77.1.7/24 dev a0");
    network.ip(&format!("route add {WEB}/32 via 10.77.1.2"));
    network.wait_for_state("web", "stranded", &[]);

    let refused = network.muxtray(&["open", "web"]).expect(1).stdout;
    assert!(refused.contains("1 session open"), "{refused}");
    network.report("web");
    let told = network
        .muxtray(&["open", "--force", "web"])
        .expect(0)
        .stdout;
    let cut = "web: exited, closing 1 session; with its forwardings 127.0.0.1:5432 \u{2192} h:9; opened in ";
    assert!(told.starts_with(cut), "{told}");
    assert!(told.ends_with(", 1 forwarding added again\n"), "{told}");
    let new = network.wait_for_state("web", "running", &[]);
    assert_ne!(new.0["pid"], old.pid(), "{:#}", new.0);
    assert_eq!(new.0["sessions"], 0);
    assert_eq!(new.0["forwards"][0]["target"], "h:9", "{:#}", new.0);
    drop(session);
}
