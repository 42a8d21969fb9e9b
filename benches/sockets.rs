//! Measures the cost of N control sockets: `muxtray list`, `ssh -O check` on each, and one scan of the engine. Half of
//! the sockets are live and half stale. A second table compares masters with and without forwardings and clients, a third
//! the running applet with that of another version, whose program is named by `MUXTRAY_BENCH_OTHER`.
//!
//! With many sockets the masters are stand-ins that answer the alive check at once, which favours `ssh -O check`;
//! `muxtray list` asks no master. The measurement with one socket has a real master.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its tables, and has nobody to report errors to"
)]
#![allow(
    clippy::cast_precision_loss,
    reason = "as many sockets as lose precision do not fit on a disk"
)]

#[path = "../tests/support/mod.rs"]
mod support;

mod measure;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use measure::{
    StandIns, Table, Times, activity, processor_time, quick, ratio_of_times, serve_if_stand_in,
    socket_directory, time, wall_time,
};
use muxtray::config::Settings;
use muxtray::discover::{self, Environment};
use muxtray::model::socket::Socket;
use muxtray::scan::{self, Scanner};
use support::{Lab, PATH, program};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// The number of processes that hold listeners.
const MASTERS: usize = 200;
/// The time of the loop is proportional, so a longer one shows nothing new.
const MOST_CHECKS: usize = 200;
const LISTS: usize = 20;
/// Alternations of the scenes that are compared.
const TURNS: usize = 3;
/// The clients of each master.
const CLIENTS: usize = 5;
const SCANS: usize = 50;
const DUELS: usize = 300;
/// Changes that the running applet sees in one turn.
const CHANGES: usize = 30;
/// The applet has drawn its menu and waits again.
const SETTLED: Duration = Duration::from_secs(6);
/// The applet has seen a change.
const SEEN: Duration = Duration::from_millis(600);

fn main() {
    serve_if_stand_in();
    println!("## Control sockets\n");
    one_against_one();
    let sizes = &SIZES[..if quick() { 2 } else { SIZES.len() }];
    let mut lists = Table::new(&[
        "sockets",
        "`muxtray list`",
        "`ssh -O check` on each",
        "ratio",
        "a scan of the applet",
    ]);
    for size in sizes {
        lists.row(Scene::with_sockets(*size, MASTERS, Sockets::HalfStale, false).lists());
    }
    lists.print(
        "A list of N sockets",
        &format!(
            "Start to exit, median of {LISTS}; `ssh -O check` from a loop over {MOST_CHECKS} at most, the rest by \
             proportion. Half of the sockets are live, held by {MASTERS} processes at most; half are stale. The scan is \
             its processor time, program and kernel, median of {SCANS}, warm."
        ),
    );
    forwardings_and_clients();
    running_applets();
}

/// The applet of this version and of another, one after the other, each several times.
fn running_applets() {
    let (masters, changes) = if quick() { (20, 3) } else { (MASTERS, CHANGES) };
    let other = env::var_os("MUXTRAY_BENCH_OTHER").map(PathBuf::from);
    let programs = [other, Some(program().to_owned())];
    let programs: Vec<PathBuf> = programs.into_iter().flatten().collect();
    let mut table = Table::new(&["applet", "median", "mean", "ratio of means"]);
    for clients in [0, CLIENTS] {
        let mut scene = Scene::with_sockets(masters, masters, Sockets::Live, false);
        let each = scene.paths.iter().cycle().take(clients * masters);
        scene.masters.connect(each);
        let mut all = vec![Vec::new(); programs.len()];
        for _ in 0..TURNS {
            for (program, times) in programs.iter().zip(&mut all) {
                times.extend(scene.changes(program, changes));
            }
        }
        let all: Vec<Times> = all.into_iter().map(Times::from_iter).collect();
        for (program, times) in programs.iter().zip(&all) {
            table.row([
                format!("{}, {} clients", program.display(), clients * masters),
                time(times.median()),
                time(times.mean()),
                ratio_of_times(times.mean(), all[0].mean()),
            ]);
        }
    }
    table.print(
        "A change beside running masters",
        &format!(
            "Processor time of `run --no-tray` for a file that appears and disappears among {masters} control sockets: \
             {TURNS} times {changes} changes, in turn."
        ),
    );
}

/// The same sockets without and with forwardings or clients, in turn.
fn forwardings_and_clients() {
    let scale = if quick() { 10 } else { 1 };
    let (sockets, masters) = (1_000 / scale, MASTERS / scale);
    let plain = |size| Scene::with_sockets(size, masters, Sockets::HalfStale, false);
    let forwarding = |size| Scene::with_sockets(size, masters, Sockets::HalfStale, true);
    let without = |size| Scene::with_sockets(size, masters, Sockets::Live, false);
    let with_clients = |size| {
        let mut scene = without(size);
        let each = scene.paths.iter().cycle().take(CLIENTS * size);
        scene.masters.connect(each);
        scene
    };
    let mut table = Table::new(&[
        "masters",
        "`muxtray list --json`",
        "ratio",
        "a scan of the applet",
    ]);
    let mut compare = |name: &str, with: &str, size, scenes: [&dyn Fn(usize) -> Scene; 2]| {
        let mut lists = [Vec::new(), Vec::new()];
        let mut scans = [Duration::ZERO; 2];
        for _ in 0..TURNS {
            for (number, make) in scenes.iter().enumerate() {
                let scene = make(size);
                scene.list();
                lists[number].extend((0..LISTS).map(|_| scene.list()));
                scans[number] = scene.scan().median();
            }
        }
        let [before, after] = lists.map(Times::from_iter);
        for (name, list, scan) in [(name, &before, scans[0]), (with, &after, scans[1])] {
            table.row([
                name.to_owned(),
                time(list.median()),
                ratio_of_times(list.median(), before.median()),
                time(scan),
            ]);
        }
    };
    compare(
        &format!("{sockets} sockets, half stale, {masters} masters"),
        "the same, each master with a forwarding",
        sockets,
        [&plain, &forwarding],
    );
    compare(
        &format!("{masters} masters"),
        &format!("the same, with {} clients", CLIENTS * masters),
        masters,
        [&without, &with_clients],
    );
    table.print(
        "Forwardings and clients",
        &format!(
            "Start to exit, median of {TURNS} times {LISTS} in turn. Every client is a process."
        ),
    );
}

/// `muxtray list` and `ssh -O check` in turn, both on the same real master.
fn one_against_one() {
    let lab = Lab::new();
    // Without the tests' ignored_paths, which take time to read and which no user has.
    lab.write("config/muxtray/config.toml", "");
    let _master = lab.master("web");
    let list = || silent(lab.muxtray_command(["list"]));
    let check = || {
        let mut check = lab.ssh();
        check.args(["-O", "check", "web"]);
        silent(check)
    };
    assert_eq!(lab.list().status, 0, "one running master and no error");
    let duels = if quick() { 20 } else { DUELS };
    let (lists, checks): (Vec<_>, Vec<_>) = (0..duels).map(|_| (list(), check())).unzip();
    let (lists, checks) = (Times::from_iter(lists), Times::from_iter(checks));
    let mut table = Table::new(&["one master", "median", "worst", "ratio"]);
    for (name, times) in [("`muxtray list`", &lists), ("`ssh -O check`", &checks)] {
        table.row([
            name.to_owned(),
            time(times.median()),
            time(times.worst()),
            ratio_of_times(times.median(), checks.median()),
        ]);
    }
    table.print(
        "One master",
        &format!("Start to exit, {duels} runs of each in turn."),
    );
}

/// A directory of control sockets, and the ssh configuration that leads there.
struct Scene {
    directory: tempfile::TempDir,
    paths: Vec<PathBuf>,
    live: usize,
    masters: StandIns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sockets {
    Live,
    HalfStale,
}

impl Scene {
    fn with_sockets(size: usize, masters: usize, sockets_are: Sockets, forwarding: bool) -> Self {
        let (directory, sockets) = socket_directory();
        let config = format!(
            "Host *\n  ControlPath {}/%r@%h-%p\n  ControlMaster auto\n",
            sockets.display()
        );
        fs::write(directory.path().join("config"), config).unwrap();
        fs::write(directory.path().join("muxtray.toml"), "").unwrap();
        let paths: Vec<PathBuf> = (0..size)
            .map(|number| sockets.join(format!("u@host{number}-22")))
            .collect();
        let (live, stale): (Vec<_>, Vec<_>) = paths
            .iter()
            .cloned()
            .enumerate()
            .partition(|(number, _)| sockets_are == Sockets::Live || number % 2 == 0);
        let live: Vec<PathBuf> = live.into_iter().map(|(_, path)| path).collect();
        let masters = StandIns::listen(directory.path(), &live, masters, forwarding);
        for (_, path) in stale {
            drop(UnixListener::bind(&path).unwrap());
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self {
            directory,
            paths,
            live: live.len(),
            masters,
        }
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("config")
    }

    fn list(&self) -> Duration {
        let mut list = Command::new(program());
        list.arg("--ssh-config").arg(self.config());
        list.arg("--config")
            .arg(self.directory.path().join("muxtray.toml"));
        list.args(["list", "--json"]);
        list.env("XDG_CACHE_HOME", self.directory.path());
        silent(list)
    }

    fn lists(&self) -> Vec<String> {
        self.list();
        let lists: Times = (0..LISTS).map(|_| self.list()).collect();
        let list = lists.median();
        let checks = self.checks();
        vec![
            self.paths.len().to_string(),
            time(list),
            time(checks),
            ratio_of_times(checks, list),
            time(self.scan().median()),
        ]
    }

    /// The time of a loop over all sockets, extrapolated from at most [`MOST_CHECKS`].
    fn checks(&self) -> Duration {
        let some = &self.paths[..self.paths.len().min(MOST_CHECKS)];
        let taken = wall_time(|| some.iter().for_each(|path| check(path)));
        taken.mul_f64(self.paths.len() as f64 / some.len() as f64)
    }

    fn scan(&self) -> Times {
        let environment = Environment::of_this_process();
        let config = self.config();
        let request = scan::request(&Settings::default(), Some(&config), &environment);
        let mut places = discover::discover(&request, &environment).places;
        let mut scanner = Scanner::new(environment);
        self.assert_all_are_found(&scanner.scan(&mut places, &[]).sockets);
        let scan = || processor_time(|| drop(scanner.scan(&mut places, &[])));
        std::iter::repeat_with(scan).take(SCANS).collect()
    }

    /// The processor time that each change costs an applet.
    fn changes(&self, program: &Path, changes: usize) -> Vec<Duration> {
        let home = tempfile::tempdir().unwrap();
        let mut applet = Command::new(program);
        applet.arg("--ssh-config").arg(self.config());
        applet
            .arg("--config")
            .arg(self.directory.path().join("muxtray.toml"));
        applet.args(["run", "--no-tray"]);
        applet
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", home.path())
            .env("XDG_RUNTIME_DIR", home.path())
            .stderr(Stdio::null());
        let mut applet = applet.spawn().unwrap();
        let pid = applet.id().cast_signed();
        let spent = || activity(pid).unwrap().processor_time;
        thread::sleep(SETTLED);
        let file = self.paths[0].with_file_name("u@another-22");
        let change = || {
            let before = spent();
            fs::write(&file, "").unwrap();
            fs::remove_file(&file).unwrap();
            thread::sleep(SEEN);
            spent() - before
        };
        let times = std::iter::repeat_with(change).take(changes).collect();
        applet.kill().unwrap();
        applet.wait().unwrap();
        times
    }

    fn assert_all_are_found(&self, sockets: &[Socket]) {
        let ours = |socket: &&Socket| socket.path.as_path().starts_with(self.directory.path());
        let ours: Vec<&Socket> = sockets.iter().filter(ours).collect();
        let live = ours.iter().filter(|socket| socket.is_running()).count();
        assert_eq!(
            (ours.len(), live),
            (self.paths.len(), self.live),
            "the measured scan has to find every socket in its state"
        );
    }
}

fn check(path: &Path) {
    let mut check = Command::new("ssh");
    check.args(["-F", "none", "-O", "check", "-S"]);
    check.arg(path).arg("host");
    silent(check);
}

/// Runs a command to its exit and returns the time; ignores its status.
fn silent(mut command: Command) -> Duration {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    wall_time(|| {
        let _ = command.status().unwrap();
    })
}
