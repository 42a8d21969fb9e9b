//! `muxtray doctor` on filesystems that are full, read-only, another machine's, or that take no sockets.

use crate::support::{GOOD, Lab, NetworkMount, Report, User, skip};

#[test]
fn a_network_filesystem_is_a_warning_and_takes_no_sockets_by_trial() {
    let name = "a_network_filesystem_is_a_warning_and_takes_no_sockets_by_trial";
    let lab = Lab::new();
    let mount = match NetworkMount::new(&lab, "s", "net") {
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
    // sshfs lets nobody make a socket, which only a trial tells.
    let report = lab.doctor();
    assert_eq!(
        report.finding_ids(),
        ["filesystem-unsupported", "path-not-per-machine"],
        "{:#}",
        report.json
    );
}

/// What doctor finds below mounts that a script makes over the directory `s`.
fn below_mounts(script: &str) -> Result<Report, String> {
    let lab = Lab::good();
    let finished = lab.muxtray_below_mounts(script, ["doctor", "--json"])?;
    Ok(Report::of(&finished))
}

/// Mounts a tmpfs with these options over `s`, for the user.
fn tmpfs(options: &str) -> String {
    let User { uid, gid, .. } = User::get();
    format!("mount -t tmpfs -o mode=700,uid={uid},gid={gid},{options} tmpfs \"$1/s\"")
}

#[test]
fn a_full_filesystem_is_told_with_its_numbers() {
    let name = "a_full_filesystem_is_told_with_its_numbers";
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
fn a_filesystem_that_has_room_is_silent_and_a_read_only_one_is_not() {
    let name = "a_filesystem_that_has_room_is_silent_and_a_read_only_one_is_not";
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
fn a_filesystem_without_hard_links_is_told() {
    let name = "a_filesystem_without_hard_links_is_told";
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
