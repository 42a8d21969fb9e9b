//! The setting `reopen`, with real masters in network namespaces.

use nix::sys::signal::Signal;

use crate::support::{CLIENT, Network, PATIENCE, WEB, skip, wait_until};

/// Returns a network, or skips the test with the reason.
macro_rules! network_or_skip {
    ($name:literal) => {
        match Network::new() {
            Ok(network) => network,
            Err(why) => return skip($name, &why),
        }
    };
}

/// As after a VPN reconnects with another address.
fn change_address(network: &Network, from: &str, to: &str, device: &str) {
    network.ip(&format!("address del {from}/24 dev {device}"));
    network.ip(&format!("address add {to}/24 dev {device}"));
}

fn add_route(network: &Network) {
    network.ip(&format!("route add {WEB}/32 via 10.77.1.2"));
}

#[test]
fn stranded_master_is_replaced_when_there_is_a_route() {
    let network = network_or_skip!("stranded_master_is_replaced_when_there_is_a_route");
    let [old, _db] = [network.master("web"), network.master("db")];
    let _session = network.session("web", "exec sleep 600");
    let forward = ["forward", "web", "-L", "127.0.0.1:5432:h:9"];
    network.muxtray(&forward).expect(0);
    let run = network.watcher("2 masters", "reopen = [\"web\", \"db\"]\n");
    let wait_for = |line: &str| {
        wait_until(line, PATIENCE, || run.stderr().contains(line));
    };

    // The address comes back in time.
    network.ip(&format!("address del {CLIENT}/24 dev a0"));
    network.wait_for_state("web", "stranded", &[]);
    network.ip(&format!("address add {CLIENT}/24 dev a0"));
    add_route(&network);
    let session = network.session("web", "echo hello");
    session.finish(PATIENCE).expect(0);
    network.wait_for_state("web", "running", &["suspect"]);

    // Another address, but no route; the other master is stranded later and has one.
    change_address(&network, CLIENT, "10.77.1.7", "a0");
    network.wait_for_state("web", "stranded", &[]);
    change_address(&network, "10.77.2.1", "10.77.2.7", "b0");
    wait_for("INFO db: exited; opened in ");
    assert_eq!(network.report("web").0["pid"], old.pid());
    add_route(&network);
    wait_for("INFO web: exited, closing 1 session; with its forwardings ");
    wait_for(", 1 forwarding added again");
    let new = network.report("web");
    assert_ne!(new.0["pid"], old.pid());
    assert_eq!(new.0["forwards"][0]["target"], "h:9", "{:#}", new.0);
    run.signal(Signal::SIGTERM);
    let log = run.finish(PATIENCE).expect(0).stderr;
    assert!(!log.contains("not reconnected"), "{log}");
    assert_eq!(log.matches(" opened in ").count(), 2, "{log}");
}

#[test]
fn server_that_is_down_is_tried_again_and_a_question_is_left_to_a_person() {
    let mut network =
        network_or_skip!("server_that_is_down_is_tried_again_and_a_question_is_left_to_a_person");
    let _masters = [network.master("web"), network.master("db")];
    let run = network.watcher("2 masters", "reopen = [\"web\"]\n");
    let wait_for = |line: &str| {
        wait_until(line, PATIENCE, || run.stderr().contains(line));
    };
    network.stop_server();
    change_address(&network, CLIENT, "10.77.1.7", "a0");
    add_route(&network);
    wait_for("Connection refused");
    network.start_server(true);
    wait_for("WARN web: not reconnected: ssh failed: ");
    let log = run.stderr();
    assert!(log.contains("Permission denied (publickey)"), "{log}");
    network.start_server(false);
    network.muxtray(&["open", "web"]).expect(0);
    network.wait_for_state("web", "running", &[]);
    run.signal(Signal::SIGTERM);
    let log = run.finish(PATIENCE).expect(0).stderr;
    assert_eq!(log.matches("not reconnected").count(), 1, "{log}");
}
