//! Measures the first `muxtray list` after a change of a configuration with N hosts: until its first rows, and until it is
//! complete; and `ssh -G` for each host, as many at a time as there are processors, which is most of that time.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its tables, and has nobody to report errors to"
)]

#[path = "../tests/support/mod.rs"]
mod support;

mod measure;

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use measure::{
    StandIns, Table, Times, quick, serve_if_stand_in, socket_directory, time, wall_time,
};
use support::program;

const SIZES: [usize; 3] = [10, 100, 600];
const RUNS: usize = 5;

fn main() {
    serve_if_stand_in();
    println!("## Hosts\n");
    let mut table = Table::new(&[
        "hosts",
        "first rows",
        "complete",
        "the next `list`",
        "`ssh -G` for each",
    ]);
    for size in &SIZES[..if quick() { 1 } else { SIZES.len() }] {
        table.row(Scene::with_hosts(*size).row(*size));
    }
    table.print(
        "The first list after a change of the ssh configuration",
        &format!(
            "Median of {RUNS}. The first rows are those of `list --watch`, as on a terminal. Three masters are running."
        ),
    );
}

struct Scene {
    directory: tempfile::TempDir,
    config: PathBuf,
    _masters: StandIns,
}

impl Scene {
    fn with_hosts(size: usize) -> Self {
        let (directory, sockets) = socket_directory();
        let mut text = String::new();
        for number in 0..size {
            let (high, low) = (number / 250, number % 250);
            writeln!(text, "Host h{number}\n  HostName 10.1.{high}.{low}").unwrap();
        }
        let path = sockets.display();
        write!(
            text,
            "Host *\n  ControlMaster auto\n  ControlPath {path}/%r@%n-%p\n"
        )
        .unwrap();
        let config = directory.path().join("config");
        fs::write(&config, text).unwrap();
        fs::write(directory.path().join("muxtray.toml"), "").unwrap();
        let masters = ["u@h0-22", "u@h1-22", "u@h2-22"].map(|name| sockets.join(name));
        let masters = StandIns::listen(directory.path(), &masters, masters.len(), false);
        Self {
            directory,
            config,
            _masters: masters,
        }
    }

    fn row(&self, size: usize) -> Vec<String> {
        let median = |run: &dyn Fn() -> Duration| {
            let times: Times = (0..RUNS).map(|_| run()).collect();
            time(times.median())
        };
        let changed = |run: fn(&Self) -> Duration| {
            median(&|| {
                let _ = fs::remove_dir_all(self.directory.path().join("cache"));
                run(self)
            })
        };
        let first_rows = changed(Self::first_rows);
        let complete = changed(Self::list);
        vec![
            size.to_string(),
            first_rows,
            complete,
            median(&|| self.list()),
            median(&|| self.ask_ssh(size)),
        ]
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("--ssh-config").arg(&self.config);
        command.arg("--config");
        command.arg(self.directory.path().join("muxtray.toml"));
        command.args(arguments);
        command.env("XDG_CACHE_HOME", self.directory.path().join("cache"));
        command.env("XDG_STATE_HOME", self.directory.path().join("state"));
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn list(&self) -> Duration {
        let mut list = self.command(&["list"]);
        list.stdout(Stdio::null());
        wall_time(|| {
            let _ = list.status().unwrap();
        })
    }

    fn first_rows(&self) -> Duration {
        let mut list = self.command(&["list", "--watch"]);
        let begun = Instant::now();
        let mut list = list.stdout(Stdio::piped()).spawn().unwrap();
        let mut byte = [0];
        list.stdout.take().unwrap().read_exact(&mut byte).unwrap();
        let taken = begun.elapsed();
        list.kill().unwrap();
        list.wait().unwrap();
        taken
    }

    fn ask_ssh(&self, size: usize) -> Duration {
        let next = AtomicUsize::new(0);
        let ask_next = || {
            while let number = next.fetch_add(1, Ordering::Relaxed)
                && number < size
            {
                let mut ssh = Command::new("ssh");
                ssh.arg("-F").arg(&self.config);
                ssh.args(["-G", &format!("h{number}")]);
                ssh.stdin(Stdio::null()).stderr(Stdio::null());
                ssh.output().unwrap();
            }
        };
        let processors = thread::available_parallelism().unwrap().get();
        wall_time(|| {
            thread::scope(|scope| {
                for _ in 0..processors {
                    scope.spawn(ask_next);
                }
            });
        })
    }
}
