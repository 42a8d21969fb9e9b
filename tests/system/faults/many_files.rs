//! A directory with 50,000 files in it, and one in which 10,000 are made at once.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{end, orderly, wait_for_line};
use crate::support::{Lab, PATIENCE, Process, Report, wait_until};

const FILES: usize = 50_000;
const STORM: usize = 10_000;
/// More than the program needs, and far less than a record for every file would take.
const MOST_MEMORY: usize = 128 << 20;

/// A field of `/proc/PID/status`, in bytes.
fn memory(pid: i32, field: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|value| value.split_whitespace().next());
    number.unwrap().parse::<usize>().unwrap() * 1024
}

fn make_files(directory: &Path, name: &str, number: usize) {
    for number in 0..number {
        File::create(directory.join(format!("{name}{number}"))).unwrap();
    }
}

#[test]
fn sockets_among_50000_files_are_found() {
    let lab = Lab::new();
    // Tokens in the directory and in the name, which become globs; and the exact path of one host.
    lab.configure(&format!(
        "Host exact\n    ControlPath {s}/u-exact\nHost *.example.org\n    ControlPath {s}/%r-%n\n",
        s = lab.path("s").display()
    ));
    make_files(&lab.path("s"), "file-", FILES);
    let running = lab.master("web");
    let exact = lab.path("s/u-exact");
    lab.dead_socket(&exact);
    let mut list = Process::start(lab.muxtray_command(["list", "--watch", "--json"]));
    wait_until("it lists", PATIENCE, || {
        assert!(list.is_running(), "{}", list.stderr());
        list.stdout().contains('\n')
    });
    let report = Report::parse(list.stdout().lines().next().unwrap());
    assert_eq!(report.at(running.path()).state(), "running");
    assert_eq!(report.at(&exact).state(), "stale");
    // The watch goes on.
    let before = list.stdout().len();
    fs::remove_file(&exact).unwrap();
    wait_until("the change is logged", PATIENCE, || {
        list.stdout()[before..].contains('\n')
    });
    assert!(memory(list.pid(), "VmHWM:") < MOST_MEMORY);
    list.kill();
    // None of the files is taken for a socket.
    lab.dead_socket(&exact);
    orderly(lab.muxtray_command(["clean"])).expect(0);
    assert!(!exact.exists());
    assert_eq!(fs::read_dir(lab.path("s")).unwrap().count(), FILES + 1);
}

#[test]
fn burst_of_10000_files_causes_few_looks() {
    /// A burst of events is over after this long without one; until then the watcher looks now and then.
    const APART: Duration = Duration::from_millis(50);
    /// Scans that are due anyway: at the start, and because of the first results.
    const BESIDE: u128 = 10;
    let lab = Lab::new();
    lab.write_muxtray_config("interval_secs = 3600\n");
    let started = Instant::now();
    let mut run = Process::start(lab.muxtray_command(["run", "--no-tray", "-vvv"]));
    wait_for_line(&mut run, 0, "no masters");
    // Names that could be sockets are made and removed; the last one is a socket.
    for number in 0..STORM {
        let path = lab.path(format!("s/storm{number}-{}", lab.port));
        File::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
    }
    let before = run.stderr().len();
    lab.dead_socket(&lab.control_path("web"));
    wait_for_line(&mut run, before, "stale control socket");
    let looks = run.stderr().matches("updated processes").count() as u128;
    let passed = started.elapsed();
    let most = passed.as_millis() / APART.as_millis() + BESIDE;
    assert!((1..=most).contains(&looks), "{looks} looks in {passed:?}");
    assert!(memory(run.pid(), "VmHWM:") < MOST_MEMORY);
    end(run);
}
