//! The real clean on a thread of its own, paused wherever another process may act in between.
//!
//! It pauses at every [`CleanStep`] and, if a scenario asks for it, between the system calls before those: clean asks
//! through [`Kernel`], and this implementation pauses before it looks.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use muxtray::actions::clean::{CleanStep, Cleaned, clean_with_hook};
use muxtray::actions::error::ActionError;
use muxtray::actions::kernel::{Kernel, LiveKernel};
use muxtray::model::control_path::ControlPath;
use muxtray::model::socket::{Connect, File, Filesystem, Stat, Target};
use muxtray::observe::filesystem;

use super::directory::{Caller, Directory};

/// The deadline of every wait.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A point at which a clean pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// The file has been seen by a look from outside.
    Seen,
    /// The directory is open, and about to be locked.
    Open,
    /// A file is held, and the kernel's table is about to be read.
    Held,
    /// The table showed no listener, and the file is about to be connected to.
    Unlisted,
    /// A step reported by clean.
    At(CleanStep),
}

/// Every window, in the order in which a stale socket meets them.
pub(crate) const EVERY: &[Window] = &[
    Window::Seen,
    Window::Open,
    Window::Held,
    Window::Unlisted,
    Window::At(CleanStep::Judged),
    Window::At(CleanStep::Renamed),
    Window::At(CleanStep::Removing),
    Window::At(CleanStep::PuttingBack),
    Window::At(CleanStep::PutBack),
];

/// The windows in which it matters which file has a name.
pub(crate) const NAMES: &[Window] = &[
    Window::Seen,
    Window::At(CleanStep::Judged),
    Window::At(CleanStep::Renamed),
    Window::At(CleanStep::Removing),
    Window::At(CleanStep::PuttingBack),
];

/// These and the wait for the lock; the file and the directory are looked at in one turn.
pub(crate) const LOCKING: &[Window] = &[
    Window::Open,
    Window::At(CleanStep::Judged),
    Window::At(CleanStep::Renamed),
    Window::At(CleanStep::Removing),
    Window::At(CleanStep::PuttingBack),
];

/// The task of a cleaner.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The names to clean, one after the other.
    pub(crate) jobs: &'static [&'static str],
    /// The windows in which it pauses.
    pub(crate) windows: &'static [Window],
    /// The window in which it is killed, the first time.
    pub(crate) killed_at: Option<Window>,
    /// How far its clock is ahead.
    pub(crate) ahead: Duration,
}

/// How a clean went.
pub(crate) type Outcome = Result<Cleaned, ActionError>;

#[derive(Debug)]
enum Report {
    Paused(Window),
    Ended(Outcome),
    Killed,
    Panicked,
}

#[derive(Debug)]
pub(crate) struct Cleaner {
    number: usize,
    order: Order,
    /// The number of jobs begun.
    begun: usize,
    running: Option<Running>,
    /// The target found by the first look, to be cleaned next.
    seen: Option<Target>,
    pub(crate) was_killed: bool,
    pub(crate) outcomes: Vec<Outcome>,
}

#[derive(Debug)]
struct Running {
    resume: Sender<()>,
    reports: Receiver<Report>,
    /// The window in which it is paused; `None` while it runs.
    paused_at: Option<Window>,
    thread: JoinHandle<()>,
}

impl Cleaner {
    pub(crate) fn new(number: usize, order: Order) -> Self {
        Self {
            number,
            order,
            begun: 0,
            running: None,
            seen: None,
            was_killed: false,
            outcomes: Vec::new(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        let is_idle = self.running.is_none() && self.seen.is_none();
        self.was_killed || is_idle && self.begun == self.order.jobs.len()
    }

    /// Whether it can take a turn: not while it waits for another cleaner's lock.
    pub(crate) fn is_able(&self, directory: &Directory) -> bool {
        if self.is_over() {
            return false;
        }
        let waits = self
            .running
            .as_ref()
            .is_some_and(|running| running.paused_at == Some(Window::Open));
        // The kernel is asked, because a clean that does not lock lets nobody wait.
        !waits || fs::File::open(directory.path()).unwrap().try_lock().is_ok()
    }

    /// Runs to the next window.
    pub(crate) fn turn(&mut self, directory: &mut Directory) {
        let action = self.advance(directory);
        directory.look(Caller::Cleaner(self.number), &action);
    }

    fn advance(&mut self, directory: &Directory) -> String {
        if let Some(running) = &self.running {
            running.resume.send(()).unwrap();
        } else {
            if self.seen.is_none() {
                self.seen = self.look(directory);
                if self.order.windows.contains(&Window::Seen) {
                    return "looks".to_owned();
                }
            }
            let Some(target) = self.seen.take() else {
                return "sees nothing".to_owned();
            };
            self.running = Some(self.begin(target));
        }
        let Some(running) = &mut self.running else {
            return String::new();
        };
        let report = running.reports.recv_timeout(TIMEOUT).unwrap();
        let action = format!("{report:?}");
        match report {
            Report::Paused(window) => {
                running.paused_at = Some(window);
                return action;
            }
            Report::Ended(outcome) => self.outcomes.push(outcome),
            Report::Killed => self.was_killed = true,
            Report::Panicked => directory.fail("clean panicked"),
        }
        if let Some(running) = self.running.take() {
            running.thread.join().unwrap();
        }
        action
    }

    /// Looks at the target of the next job.
    fn look(&mut self, directory: &Directory) -> Option<Target> {
        let name = self.order.jobs[self.begun];
        self.begun += 1;
        target(&directory.at(name))
    }

    fn begin(&self, target: Target) -> Running {
        let (resume, turns) = channel();
        let (report, reports) = channel();
        let kernel = PausingKernel {
            windows: self.order.windows,
            killed_at: self.order.killed_at,
            report,
            turns,
        };
        let now = SystemTime::now() + self.order.ahead;
        let thread = thread::spawn(move || {
            let ended = catch_unwind(AssertUnwindSafe(|| {
                clean_with_hook(&kernel, &target, now, &|step| {
                    kernel.pause_at(Window::At(step));
                })
            }));
            let last = match ended {
                Ok(outcome) => Report::Ended(outcome),
                Err(cause) if cause.is::<Killed>() => Report::Killed,
                Err(_) => Report::Panicked,
            };
            // If the test has failed, no thread may wait for it any more.
            let _ = kernel.report.send(last);
        });
        Running {
            resume,
            reports,
            paused_at: None,
            thread,
        }
    }
}

/// The target that a look from outside finds at this path.
pub(crate) fn target(path: &Path) -> Option<Target> {
    match filesystem::lstat(path) {
        File::Socket(stat) => Some(Target {
            path: ControlPath::new(path).unwrap(),
            id: Some(stat.id),
            cookie: None,
        }),
        File::Other(..) | File::Missing | File::Denied | File::Failed(_) => None,
    }
}

/// The panic that ends a killed cleaner. Its changes stay as they are, and the kernel closes its descriptors, so its
/// lock is free. Unwinding does the same; nothing in clean changes a name while it is dropped.
struct Killed;

/// Passes calls to the kernel, but only in the cleaner's turn.
struct PausingKernel {
    windows: &'static [Window],
    killed_at: Option<Window>,
    report: Sender<Report>,
    turns: Receiver<()>,
}

impl PausingKernel {
    fn pause_at(&self, window: Window) {
        if self.killed_at == Some(window) {
            resume_unwind(Box::new(Killed));
        }
        if self.windows.contains(&window) {
            let _ = self.report.send(Report::Paused(window));
            if self.turns.recv().is_err() {
                // The test has failed, or has ended.
                resume_unwind(Box::new(Killed));
            }
        }
    }
}

impl Kernel for PausingKernel {
    fn has_listener(&self, path: &ControlPath, file: &Stat) -> bool {
        self.pause_at(Window::Held);
        LiveKernel.has_listener(path, file)
    }

    fn filesystem(&self, directory: &Path) -> Filesystem {
        let filesystem = LiveKernel.filesystem(directory);
        self.pause_at(Window::Open);
        filesystem
    }

    fn connect(&self, socket: &fs::File) -> Connect {
        self.pause_at(Window::Unlisted);
        LiveKernel.connect(socket)
    }
}
