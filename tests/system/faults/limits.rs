//! Exhausted limits: inotify, descriptors, processes; and processes with very many descriptors.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit};

use super::{RUN, end, orderly, wait_for_line};
use crate::support::{
    Lab, Listeners, PATIENCE, Process, Report, User, is_socket, skip, wait_until,
};

/// Command prefix that gives a process its own limits: a user namespace, entered as its root.
const OWN_LIMITS: [&str; 5] = ["unshare", "--user", "--map-root-user", "sh", "-c"];

/// muxtray's watcher in a user namespace with this inotify limit.
fn limited(lab: &Lab, limit: &str, value: u32) -> Result<Process, String> {
    let script = format!("echo {value} >/proc/sys/user/{limit} && exec \"$0\" \"$@\"");
    let wrapper = || OWN_LIMITS.into_iter().chain([script.as_str()]);
    let mut probe = lab.command("unshare");
    probe.args(wrapper().skip(1)).arg("true");
    if Process::run(probe, PATIENCE).code() != 0 {
        return Err("no user namespace can be made here".to_owned());
    }
    Ok(Process::start(lab.muxtray_behind(wrapper(), RUN)))
}

/// Changes the limit in the namespace of this process.
#[track_caller]
fn raise(run: &Process, limit: &str) {
    let mut command = User::get().command("nsenter");
    command
        .args(["--user", "--preserve-credentials", "--target"])
        .arg(run.pid().to_string())
        .args(["sh", "-c"])
        .arg(format!("echo 100000 >/proc/sys/user/{limit}"));
    Process::run(command, PATIENCE).expect(0);
}

/// Without a free watch or instance the watcher reports it and looks by the timer; once some are free, events count
/// again, and the finding disappears.
#[test]
fn inotify_limits_are_reported_until_raised() {
    for (limit, value, reported) in [
        ("max_inotify_watches", 1, "fs.inotify.max_user_watches"),
        ("max_inotify_instances", 0, "fs.inotify.max_user_instances"),
    ] {
        let lab = Lab::new();
        lab.write_muxtray_config("interval_secs = 1\n");
        let mut run = match limited(&lab, limit, value) {
            Ok(run) => run,
            Err(why) => {
                return skip("inotify_limits_are_reported_until_raised", &why);
            }
        };
        wait_for_line(&mut run, 0, &format!("{reported} is reached"));
        wait_for_line(&mut run, 0, "sudo sysctl");
        wait_for_line(&mut run, 0, "scans every 1 s");
        let before = run.stderr().len();
        let path = lab.control_path("web");
        lab.dead_socket(&path);
        wait_for_line(&mut run, before, "stale control socket");
        fs::remove_file(&path).unwrap();
        raise(&run, limit);
        super::wait_for_watch(&run, &lab.path("s"));
        super::wait_for_watch(&run, &lab.path("config/muxtray/config.toml"));

        // From here only an event can trigger a scan.
        lab.write_muxtray_config("interval_secs = 3600\n");
        let before = run.stderr().len();
        lab.dead_socket(&path);
        wait_for_line(&mut run, before, "stale control socket");
        let output = end(run);
        assert_eq!(
            output.stderr.matches(" is reached").count(),
            1,
            "{output:#?}"
        );
    }
}

/// `prlimit` with this many descriptors.
fn descriptors(number: u32) -> [String; 2] {
    ["prlimit".to_owned(), format!("--nofile={number}:{number}")]
}

#[test]
fn too_few_descriptors_give_no_wrong_state() {
    let lab = Lab::new();
    let master = lab.master("web");
    let dead = lab.control_path("db");
    lab.dead_socket(&dead);
    for number in 3..=24 {
        let words = descriptors(number);
        let wrapper = || words.iter().map(String::as_str);
        let output = Process::run(lab.muxtray_behind(wrapper(), ["list", "--json"]), PATIENCE);
        if output.code() == 127 {
            // The loader needs some to open the libraries.
            continue;
        }
        assert!((0..=3).contains(&output.code()), "{number}: {output:#?}");
        assert!(!output.stderr.contains("panicked"), "{number}: {output:#?}");
        if output.stdout.is_empty() {
            assert!(output.stderr.contains("Too many open files"), "{output:#?}");
            continue;
        }
        let report = Report::parse(&output.stdout);
        for (path, state) in [(master.path(), "running"), (dead.as_path(), "stale")] {
            let states = report.all_at(path);
            assert!(
                states
                    .iter()
                    .all(|socket| [state, "unverifiable"].contains(&socket.state())),
                "{number}: {:#}",
                report.json
            );
        }
        // The cause is the limit, not ssh.
        assert!(
            !report.finding_ids().contains(&"ssh-missing".to_owned()),
            "{number}: {:#}",
            report.json
        );
        let cleaned = orderly(lab.muxtray_behind(wrapper(), ["clean", "--dry-run"]));
        assert!(!cleaned.stdout.contains("/web-"), "{number}: {cleaned:#?}");
    }
    assert!(is_socket(master.path()) && is_socket(&dead));
    assert_eq!(lab.list().at(&dead).state(), "stale");
}

#[test]
fn more_masters_than_descriptors_are_all_listed() {
    const MASTERS: usize = 100;
    let lab = Lab::new();
    lab.write_muxtray_config("interval_secs = 1\n");
    let words = descriptors(64);
    let wrapper = words.iter().map(String::as_str);
    let mut run = Process::start(lab.muxtray_behind(wrapper, RUN));
    wait_for_line(&mut run, 0, "no masters");
    let paths: Vec<PathBuf> = (0..MASTERS)
        .map(|number| lab.path(format!("s/host{number}-{}", lab.port)))
        .collect();
    let mut masters = Listeners::each_called_ssh(&lab, &paths);
    wait_for_line(&mut run, 0, &format!("{MASTERS} masters"));
    wait_for_line(&mut run, 0, "raise the limit of open files (ulimit -n)");
    // Some scans while every descriptor is in use.
    lab.dead_socket(&lab.control_path("web"));
    wait_for_line(&mut run, 0, "stale control socket");
    assert!(
        !run.stderr().contains("Too many open files"),
        "{}",
        run.stderr()
    );
    assert!(!run.stderr().contains("unverifiable"), "{}", run.stderr());
    masters.kill();
    wait_for_line(
        &mut run,
        0,
        &format!("no masters, {} problems", MASTERS + 1),
    );
    let before = run.stderr().len();
    lab.muxtray(["clean"]).expect(0);
    wait_for_line(&mut run, before, "no masters\n");
    end(run);
}

#[test]
fn many_inherited_descriptors_change_nothing() {
    let lab = Lab::new();
    let master = lab.master("web");
    let script =
        "for fd in $(seq 10 900); do eval \"exec $fd</dev/null\"; done; exec \"$0\" \"$@\"";
    let wrapper = ["prlimit", "--nofile=1024:1024", "bash", "-c", script];
    let output = orderly(lab.muxtray_behind(wrapper, ["list", "--json"])).expect(0);
    assert_eq!(Report::of(&output).at(master.path()).state(), "running");
}

/// Without a further thread or process everything is done one after the other, or reported as failed.
#[test]
fn process_limit_is_reported() {
    let lab = Lab::new();
    let master = lab.master("web");
    if User::get().uid == 0 {
        return skip("process_limit_is_reported", "root has no such limit");
    }
    let wrapper = ["prlimit", "--nproc=1:1"];
    let output = orderly(lab.muxtray_behind(wrapper, ["list", "--json"]));
    let report = Report::parse(&output.stdout);
    assert_eq!(report.at(master.path()).state(), "running");
    assert_eq!(
        report.finding_ids(),
        ["ssh-config-invalid"],
        "{:#}",
        report.json
    );
    let finding = report.finding("ssh-config-invalid").to_string();
    assert!(
        finding.contains("Resource temporarily unavailable"),
        "{finding}"
    );
    let output = orderly(lab.muxtray_behind(wrapper, ["check", "web"]));
    assert!(output.stdout.contains("web"), "{output:#?}");
    // A missing answer of ssh is not remembered as an answer.
    assert!(lab.list().finding_ids().is_empty());
}

/// Opens the descriptors first, and the listener last.
const MANY: &str = r#"
import os, signal, socket, sys
os.umask(0o177)
null = os.open("/dev/null", os.O_RDONLY)
for _ in range(int(sys.argv[2])): os.dup(null)
path = sys.argv[1]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path + ".AAAAAAAAAAAAAAAA")
listener.listen(64)
os.link(path + ".AAAAAAAAAAAAAAAA", path)
os.unlink(path + ".AAAAAAAAAAAAAAAA")
print("ready", flush=True)
signal.pause()
"#;

/// 65,536, or the hard limit if it cannot be raised.
#[test]
fn process_with_65536_descriptors_is_searched_completely() {
    const WANTED: u64 = 65_536;
    const BESIDE: u64 = 100;
    let name = "process_with_65536_descriptors_is_searched_completely";
    let lab = Lab::new();
    let user = User::get();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let may_raise = |limit: u64| {
        let mut probe = Command::new("prlimit");
        probe.args([format!("--nofile={limit}"), "true".to_owned()]);
        Process::run(probe, PATIENCE).status.success()
    };
    let limit = if may_raise(WANTED + BESIDE) {
        WANTED + BESIDE
    } else {
        hard
    };
    if limit < WANTED + BESIDE {
        skip(
            name,
            &format!("the hard limit is {hard}: with so many only"),
        );
    }
    let number = limit - BESIDE;
    let mut command = Command::new("prlimit");
    lab.set_environment(&mut command);
    command.arg(format!("--nofile={limit}:{limit}"));
    if User::tests_are_root() {
        command.args(["setpriv", "--clear-groups"]).args([
            "--reuid",
            &user.uid.to_string(),
            "--regid",
            &user.gid.to_string(),
        ]);
    }
    let path = lab.control_path("web");
    command
        .args(["python3", "-c", MANY])
        .arg(&path)
        .arg(number.to_string());
    let mut holder = Process::start(command);
    holder.wait_for_output("ready", PATIENCE);
    let report = lab.list();
    let socket = report.at(&path);
    assert_eq!(socket.state(), "foreign", "{:#}", report.json);
    assert_eq!(socket.0["pid"], holder.pid());
    // A watcher looks again without a search: the listener's descriptor is known.
    let mut run = super::watcher(&lab);
    wait_for_line(&mut run, 0, "1 problem");
    let before = run.stderr().len();
    lab.dead_socket(&lab.control_path("db"));
    wait_for_line(&mut run, before, "stale control socket");
    wait_until("it rests", PATIENCE, || {
        crate::support::process_state(run.pid()) == Some('S')
    });
    end(run);
}
