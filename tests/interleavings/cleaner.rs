//! The real clean, on a thread of its own that stands still wherever something may happen in between.
//!
//! It stands still at every [`CleanStep`], and, as far as a scene wants it, between the system calls
//! before those: clean asks through [`Kernel`], and these stop before they look.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use muxtray::actions::clean::{CleanError, CleanStep, Cleaned, Remnant, clean_with_hook};
use muxtray::actions::kernel::{Kernel, LiveKernel};
use muxtray::model::control_path::ControlPath;
use muxtray::model::socket::{Connect, File, Filesystem, Stat, Target};
use muxtray::observe::filesystem;

use super::stage::{Stage, Who};

/// Nothing that is waited for takes this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a clean stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// The file has been seen by a look from outside.
    Seen,
    /// The directory is open, and about to be locked.
    Open,
    /// A file is held, and the kernel's table about to be read.
    Held,
    /// The table showed nobody, and the file is about to be connected to.
    Unlisted,
    /// As clean itself says.
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

/// Those in which it matters what stands under a name.
pub(crate) const NAMES: &[Window] = &[
    Window::Seen,
    Window::At(CleanStep::Judged),
    Window::At(CleanStep::Renamed),
    Window::At(CleanStep::Removing),
    Window::At(CleanStep::PuttingBack),
];

/// The same, and the wait for the lock; what was seen and the directory were looked at in one turn.
pub(crate) const LOCKING: &[Window] = &[
    Window::Open,
    Window::At(CleanStep::Judged),
    Window::At(CleanStep::Renamed),
    Window::At(CleanStep::Removing),
    Window::At(CleanStep::PuttingBack),
];

/// What a cleaner is to do.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The names it cleans, one after the other, and what for.
    pub(crate) jobs: &'static [(&'static str, Remnant)],
    /// Where it stands still.
    pub(crate) windows: &'static [Window],
    /// Where it dies, the first time that it comes there.
    pub(crate) dies_at: Option<Window>,
    /// By how much its clock is ahead.
    pub(crate) ahead: Duration,
}

/// How a clean went.
pub(crate) type Outcome = Result<Cleaned, CleanError>;

#[derive(Debug)]
enum Report {
    Stands(Window),
    Ended(Outcome),
    Died,
    Panicked,
}

/// One cleaner.
#[derive(Debug)]
pub(crate) struct Cleaner {
    number: usize,
    order: Order,
    /// How many jobs have been begun.
    begun: usize,
    at_work: Option<AtWork>,
    /// What was seen, and is to be cleaned.
    seen: Option<(Target, Remnant)>,
    pub(crate) died: bool,
    pub(crate) outcomes: Vec<Outcome>,
}

#[derive(Debug)]
struct AtWork {
    go_on: Sender<()>,
    reports: Receiver<Report>,
    /// Where it stands; `None`: it is under way.
    stands: Option<Window>,
    thread: JoinHandle<()>,
}

impl Cleaner {
    pub(crate) fn new(number: usize, order: Order) -> Self {
        Self {
            number,
            order,
            begun: 0,
            at_work: None,
            seen: None,
            died: false,
            outcomes: Vec::new(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        let is_idle = self.at_work.is_none() && self.seen.is_none();
        self.died || is_idle && self.begun == self.order.jobs.len()
    }

    /// Whether it can take a turn: not while it waits for another's lock.
    pub(crate) fn is_able(&self, stage: &Stage) -> bool {
        if self.is_over() {
            return false;
        }
        let waits = self
            .at_work
            .as_ref()
            .is_some_and(|at_work| at_work.stands == Some(Window::Open));
        // Asked of the kernel itself: if clean does not lock, then nobody waits.
        !waits
            || fs::File::open(stage.directory())
                .unwrap()
                .try_lock()
                .is_ok()
    }

    /// Takes a turn: goes on to its next window.
    pub(crate) fn turn(&mut self, stage: &mut Stage) {
        let what = self.go_on(stage);
        stage.look(Who::Cleaner(self.number), &what);
    }

    fn go_on(&mut self, stage: &Stage) -> String {
        if let Some(at_work) = &self.at_work {
            at_work.go_on.send(()).unwrap();
        } else {
            if self.seen.is_none() {
                self.seen = self.see(stage);
                if self.order.windows.contains(&Window::Seen) {
                    return "looks".to_owned();
                }
            }
            let Some((target, kind)) = self.seen.take() else {
                return "sees nothing".to_owned();
            };
            self.at_work = Some(self.begin(target, kind));
        }
        let Some(at_work) = &mut self.at_work else {
            return String::new();
        };
        let report = at_work.reports.recv_timeout(PATIENCE).unwrap();
        let what = format!("{report:?}");
        match report {
            Report::Stands(window) => {
                at_work.stands = Some(window);
                return what;
            }
            Report::Ended(outcome) => self.outcomes.push(outcome),
            Report::Died => self.died = true,
            Report::Panicked => stage.fail("clean panicked"),
        }
        if let Some(at_work) = self.at_work.take() {
            at_work.thread.join().unwrap();
        }
        what
    }

    /// Looks for what the next job is about.
    fn see(&mut self, stage: &Stage) -> Option<(Target, Remnant)> {
        let (name, kind) = self.order.jobs[self.begun];
        self.begun += 1;
        target(&stage.at(name)).map(|target| (target, kind))
    }

    fn begin(&self, target: Target, kind: Remnant) -> AtWork {
        let (go_on, turns) = channel();
        let (report, reports) = channel();
        let gate = Gate {
            windows: self.order.windows,
            dies_at: self.order.dies_at,
            report,
            turns,
        };
        let now = SystemTime::now() + self.order.ahead;
        let thread = thread::spawn(move || {
            let ended = catch_unwind(AssertUnwindSafe(|| {
                clean_with_hook(&gate, &target, kind, now, &|step| {
                    gate.pass(Window::At(step));
                })
            }));
            let last = match ended {
                Ok(outcome) => Report::Ended(outcome),
                Err(cause) if cause.is::<Death>() => Report::Died,
                Err(_) => Report::Panicked,
            };
            // Nobody may wait for it any more, if the test has failed.
            let _ = gate.report.send(last);
        });
        AtWork {
            go_on,
            reports,
            stands: None,
            thread,
        }
    }
}

/// What a look from outside says of this path.
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

/// How a cleaner dies: what it has changed stays as it is, and the kernel closes its descriptors, so its lock is free.
/// Unwinding does the same; nothing in clean changes a name while it is dropped.
struct Death;

/// The kernel's own word, but only when it is the cleaner's turn.
struct Gate {
    windows: &'static [Window],
    dies_at: Option<Window>,
    report: Sender<Report>,
    turns: Receiver<()>,
}

impl Gate {
    fn pass(&self, window: Window) {
        if self.dies_at == Some(window) {
            resume_unwind(Box::new(Death));
        }
        if self.windows.contains(&window) {
            let _ = self.report.send(Report::Stands(window));
            if self.turns.recv().is_err() {
                // The test has failed, or is not interested any more.
                resume_unwind(Box::new(Death));
            }
        }
    }
}

impl Kernel for Gate {
    fn has_listener(&self, path: &ControlPath, file: &Stat) -> bool {
        self.pass(Window::Held);
        LiveKernel.has_listener(path, file)
    }

    fn filesystem(&self, directory: &Path) -> Filesystem {
        let filesystem = LiveKernel.filesystem(directory);
        self.pass(Window::Open);
        filesystem
    }

    fn connect(&self, socket: &fs::File) -> Connect {
        self.pass(Window::Unlisted);
        LiveKernel.connect(socket)
    }
}
