//! How long a list of N control sockets takes, beside asking each with `ssh -O check`; and what one look of the
//! engine costs. Run it with `cargo bench`; the ratios hold on any machine, the times only on yours.
//!
//! The masters are stand-ins in this process that answer the alive check at once, so `ssh -O check` is shown at its
//! best; muxtray's time does not depend on them, it never asks.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its table, and has nobody to report errors to"
)]
#![allow(
    clippy::cast_precision_loss,
    reason = "as many sockets as lose precision do not fit on a disk"
)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use muxtray::config::Settings;
use muxtray::core::report::Report;
use muxtray::core::socket::Socket;
use muxtray::core::view;
use muxtray::discover::{self, Surroundings};
use muxtray::survey::{self, Survey};
use nix::time::{ClockId, clock_gettime};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const LOOKS: usize = 50;
const LISTS: usize = 10;
/// More would only take longer: the loop is linear.
const MOST_CHECKS: usize = 200;

fn main() {
    println!(
        "| sockets | muxtray list | ssh -O check on each | ratio | one look, processor time | with view and report |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for size in SIZES {
        let scratch = Scratch::with_sockets(size);
        let list = scratch.list();
        let checks = scratch.checks();
        let (look, whole) = scratch.look();
        println!(
            "| {size} | {} | {} | {:.0}x | {} | {} |",
            shown(list),
            shown(checks),
            checks.as_secs_f64() / list.as_secs_f64(),
            shown(look),
            shown(whole)
        );
    }
}

fn shown(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1_000.0)
}

struct Scratch {
    directory: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Scratch {
    fn with_sockets(size: usize) -> Self {
        let (_, most) =
            nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
        let _ =
            nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, most, most);
        let directory = tempfile::Builder::new()
            .prefix("mtb")
            .tempdir_in("/tmp")
            .unwrap();
        let control_path = directory.path().join("s/%r@%h-%p");
        std::fs::create_dir(directory.path().join("s")).unwrap();
        let config = format!(
            "Host *\n  ControlPath {}\n  ControlMaster auto\n",
            control_path.display()
        );
        std::fs::write(directory.path().join("config"), config).unwrap();
        let paths: Vec<PathBuf> = (0..size)
            .map(|number| directory.path().join(format!("s/u@host{number}-22")))
            .collect();
        // Half of them live, half stale: both are what a list has to tell apart.
        for (number, path) in paths.iter().enumerate() {
            let listener = UnixListener::bind(path).unwrap();
            if number % 2 == 0 && number < MOST_CHECKS {
                thread::spawn(move || listener.incoming().flatten().for_each(answer));
            }
        }
        Self { directory, paths }
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("config")
    }

    /// The median of some runs of the program itself, start to exit.
    fn list(&self) -> Duration {
        let run = || {
            time(|| {
                let mut list = Command::new(env!("CARGO_BIN_EXE_muxtray"));
                list.arg("-F").arg(self.config()).args(["list", "--json"]);
                list.env("XDG_CACHE_HOME", self.directory.path())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                let _ = list.status().unwrap();
            })
        };
        run();
        median((0..LISTS).map(|_| run()).collect())
    }

    /// What the loop over all would take, from as many as are worth waiting for.
    fn checks(&self) -> Duration {
        let some = &self.paths[..self.paths.len().min(MOST_CHECKS)];
        let taken = time(|| some.iter().for_each(|path| check(path)));
        taken.mul_f64(self.paths.len() as f64 / some.len() as f64)
    }

    /// The processor time of one look, and of a look with all that is made of it.
    fn look(&self) -> (Duration, Duration) {
        let surroundings = Surroundings::of_this_process();
        let config = self.config();
        let request = survey::request(&Settings::default(), Some(&config), &surroundings);
        let places = discover::places(&request, &surroundings);
        let mut survey = Survey::new(surroundings);
        let first = survey.look(&places, &[]);
        let ours = |socket: &&Socket| socket.path.as_path().starts_with(self.directory.path());
        let seen = first.sockets.iter().filter(ours).count();
        assert_eq!(seen, self.paths.len(), "the look has to see every socket");
        let looks = (0..LOOKS)
            .map(|_| processor_time(|| drop(survey.look(&places, &[]))))
            .collect();
        let whole = (0..LOOKS).map(|_| {
            processor_time(|| {
                let snapshot = survey.look(&places, &[]);
                let view = view::view(&snapshot, &view::Answers::new());
                assert!(!view.menu.is_empty() && Report::from(&snapshot).schema == 1);
            })
        });
        let whole = whole.collect();
        (median(looks), median(whole))
    }
}

fn check(path: &Path) {
    let mut check = Command::new("ssh");
    check
        .args(["-F", "none", "-O", "check", "-S"])
        .arg(path)
        .arg("host");
    check
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _ = check.status().unwrap();
}

/// The master's side of PROTOCOL.mux: hello, and "alive" to whatever is asked.
fn answer(mut stream: UnixStream) {
    let hello = [0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 4];
    let mut request = [0; 24];
    if stream.write_all(&hello).is_ok() && stream.read_exact(&mut request).is_ok() {
        let mut alive = vec![0, 0, 0, 12, 0x80, 0, 0, 5];
        alive.extend_from_slice(&request[20..24]);
        alive.extend_from_slice(&std::process::id().to_be_bytes());
        let _ = stream.write_all(&alive);
        let _ = stream.read(&mut request);
    }
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn processor_time(work: impl FnOnce()) -> Duration {
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let start = now();
    work();
    now() - start
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
