//! `not-multiplexed`, with real ssh beside real masters.

use std::process::Command;

use crate::support::{Lab, Master, PATIENCE, Process, wait_until};

/// The evidence about the master, if there is the finding.
#[track_caller]
fn evidence(lab: &Lab, master: &Master) -> Option<String> {
    let socket = lab.list().at(master.path()).0.clone();
    let findings = socket["findings"].as_array().unwrap().clone();
    let mut found = findings.iter().filter(|it| it["id"] == "not-multiplexed");
    let evidence = found.next()?["evidence"].as_str().unwrap().to_owned();
    assert_eq!(found.count(), 0);
    Some(evidence)
}

/// Starts an ssh, and waits until its command runs.
#[track_caller]
fn start(lab: &Lab, options: &[&str], host: &str) -> Process {
    let mut command: Command = lab.ssh();
    command
        .args(options)
        .args([host, "echo begun; exec sleep 600"]);
    let ssh = Process::start(command);
    wait_until("its command runs", PATIENCE, || {
        ssh.stdout().contains("begun")
    });
    ssh
}

#[test]
fn ssh_beside_its_master_is_counted_with_the_reason_until_it_ends() {
    let lab = Lab::new();
    let none = ["-S", "none"];
    let mut earlier = start(&lab, &["-o", "ControlMaster=no"], "web");
    let master = lab.master("web");
    let pid = earlier.pid();
    let text = evidence(&lab, &master).unwrap();
    let first = format!("pid {pid} (began before the master)");
    assert!(text.contains(&first), "{text}");
    let mut second = start(&lab, &none, "web");
    let text = evidence(&lab, &master).unwrap();
    assert!(text.starts_with("2 ssh have connections of their own to 127.0.0.1:"));
    assert!(text.contains(&first), "{text}");
    let pid = second.pid();
    assert!(text.contains(&format!("pid {pid} (-S none)")), "{text}");
    earlier.kill();
    second.kill();
    wait_until("both have ended", PATIENCE, || {
        evidence(&lab, &master).is_none()
    });
    for (options, reason) in [
        (&["-o", "ControlPath=none"][..], "-S none"),
        (&["-M"], "-M"),
        (&["-o", "controlmaster yes"], "-o ControlMaster=yes"),
    ] {
        let mut alone = start(&lab, options, "web");
        let text = evidence(&lab, &master).unwrap_or_else(|| panic!("{options:?}"));
        let known = format!("pid {} ({reason})", alone.pid());
        assert!(text.ends_with(&known), "{options:?}: {text}");
        alone.kill();
    }
}

#[test]
fn sessions_proxies_and_other_places_are_no_ssh_beside_a_master() {
    let lab = Lab::new();
    let master = lab.master("web");
    let other_master = lab.master("db");
    let _session = master.session(&lab);
    let _shared = start(&lab, &[], "web");
    let _other_user = start(&lab, &["-S", "none", "-o", "HostName=127.0.0.1"], "host1");
    let mut proxy = lab.ssh();
    proxy.args([
        "-S",
        "none",
        "-W",
        &format!("127.0.0.1:{}", lab.port),
        "web",
    ]);
    let proxy = Process::start(proxy);
    wait_until("the server answers through it", PATIENCE, || {
        proxy.stdout().starts_with("SSH-")
    });
    let jump = format!("ProxyCommand={}", jump(&lab));
    let _jumping = start(&lab, &["-S", "none", "-o", &jump], "web");
    for master in [&master, &other_master] {
        assert_eq!(evidence(&lab, master), None);
    }
}

/// An ssh that connects through another one, which has a connection of its own.
fn jump(lab: &Lab) -> String {
    let ssh = lab.ssh();
    let words = ssh.get_args().map(|word| word.to_str().unwrap());
    let words: Vec<&str> = words.collect();
    format!("ssh {} -S none -W [%h]:%p web", words.join(" "))
}
