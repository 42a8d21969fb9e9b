//! `muxtray doctor` on filesystems that are full, read-only, remote, or that cannot hold sockets.

use crate::support::{FuseMount, GOOD, Lab, PATIENCE, Process, Report, User, skip};

#[test]
fn network_filesystem_is_a_warning_and_a_trial_shows_no_sockets() {
    let name = "network_filesystem_is_a_warning_and_a_trial_shows_no_sockets";
    let lab = Lab::new();
    let mount = match FuseMount::sshfs(&lab, "s", "net") {
        Ok(mount) => mount,
        Err(why) => return skip(name, &why),
    };
    lab.configure(&format!(
        "Host web\n    ControlPath {}/%n\n{GOOD}",
        mount.directory().display()
    ));
    assert_eq!(
        lab.list().finding_ids(),
        ["filesystem-network", "path-not-per-machine"]
    );
    // sshfs refuses to create sockets, which only a trial shows.
    let report = lab.doctor();
    assert_eq!(
        report.finding_ids(),
        ["filesystem-unsupported", "path-not-per-machine"],
        "{:#}",
        report.json
    );
}

#[test]
fn master_behind_a_copied_link_is_an_orphan() {
    let name = "master_behind_a_copied_link_is_an_orphan";
    let lab = Lab::new();
    let mount = match FuseMount::bindfs(&lab, "s", "copies") {
        Ok(mount) => mount,
        Err(why) => return skip(name, &why),
    };
    let path = mount.directory().join("web");
    lab.configure(&format!(
        "Host web\n    ControlPath {}\n{GOOD}",
        path.display()
    ));
    for _ in 0..2 {
        let mut ssh = lab.ssh();
        ssh.args(["web", "true"]);
        // ssh exits with 255: "Failed to connect to new control master".
        Process::run(ssh, PATIENCE);
    }
    let states = || {
        let all = lab.list().all_at(&path);
        let mut states: Vec<String> = all.iter().map(|it| it.state().to_owned()).collect();
        states.sort();
        states
    };
    assert_eq!(states(), ["orphaned", "orphaned", "stale"]);
    assert_eq!(states(), ["orphaned", "orphaned", "stale"]);
    let report = lab.doctor();
    let evidence = report.finding("filesystem-unsupported")["evidence"].clone();
    assert!(evidence.as_str().unwrap().contains("refused"), "{evidence}");
    // No master is started that nothing could reach.
    let opened = lab.muxtray(["open", "web"]).expect(1);
    assert!(opened.stdout.contains("hard link"), "{opened:#?}");
    assert_eq!(states(), ["orphaned", "orphaned", "stale"]);
    let word = path.to_str().unwrap();
    lab.muxtray(["exit", "--end-process", word]).expect(0);
    assert_eq!(states(), ["stale"]);
    let mut ssh = lab.ssh();
    ssh.args(["web", "true"]);
    // ssh exits with 255: "Failed to connect to new control master".
    Process::run(ssh, PATIENCE);
    // The file stays, because bindfs has no RENAME_NOREPLACE.
    let ended = lab.muxtray(["exit", "--all", "--end-process"]).expect(1);
    assert!(ended.stdout.contains("1 master ended"), "{ended:#?}");
    assert_eq!(states(), ["stale"]);
}

/// Runs doctor below mounts that a script makes over the directory `s`.
fn below_mounts(script: &str) -> Result<Report, String> {
    let lab = Lab::good();
    let finished = lab.muxtray_below_mounts(script, ["doctor", "--json"])?;
    Ok(Report::of(&finished))
}

/// Returns a script line that mounts a tmpfs with these options over `s`, for the user.
fn tmpfs(options: &str) -> String {
    let User { uid, gid, .. } = User::get();
    format!("mount -t tmpfs -o mode=700,uid={uid},gid={gid},{options} tmpfs \"$1/s\"")
}

#[test]
fn full_filesystem_is_reported_with_its_size() {
    let name = "full_filesystem_is_reported_with_its_size";
    let full = [
        (
            format!(
                "{}\nhead -c 200k /dev/zero > \"$1/s/full\" 2>/dev/null || :",
                tmpfs("size=64k")
            ),
            "0 bytes of 64.0 KiB free",
        ),
        (
            format!(
                "{}\ntouch \"$1/s/one\" \"$1/s/two\" \"$1/s/three\"",
                tmpfs("nr_inodes=4")
            ),
            "0 of 4 inodes free",
        ),
    ];
    for (script, seen) in full {
        let report = match below_mounts(&script) {
            Ok(report) => report,
            Err(why) => return skip(name, &why),
        };
        assert_eq!(report.all_ids(), ["filesystem-full"], "{:#}", report.json);
        let evidence = report.finding("filesystem-full")["evidence"].clone();
        assert!(evidence.as_str().unwrap().contains(seen), "{evidence}");
        assert_eq!(report.status, 1);
    }
}

#[test]
fn only_a_read_only_filesystem_has_a_finding() {
    let name = "only_a_read_only_filesystem_has_a_finding";
    for (options, expected) in [
        ("size=64k", &[][..]),
        ("size=64k,ro", &["directory-not-writable"]),
    ] {
        match below_mounts(&tmpfs(options)) {
            Ok(report) => assert_eq!(report.all_ids(), expected, "{:#}", report.json),
            Err(why) => return skip(name, &why),
        }
    }
}

#[test]
fn filesystem_without_hard_links_is_reported() {
    let name = "filesystem_without_hard_links_is_reported";
    let User { uid, gid, .. } = User::get();
    let script = format!(
        "truncate -s 4M \"$1/image\" && mkfs.vfat \"$1/image\" >/dev/null && \
         mount -o loop,uid={uid},gid={gid},umask=077 -t vfat \"$1/image\" \"$1/s\""
    );
    match below_mounts(&script) {
        Ok(report) => {
            assert_eq!(
                report.all_ids(),
                ["filesystem-unsupported"],
                "{:#}",
                report.json
            );
        }
        Err(why) => skip(name, &why),
    }
}
