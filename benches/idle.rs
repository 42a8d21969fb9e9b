//! Measures the applet while nothing happens: wake-ups, processor time and memory over one minute, for each
//! build and for other common programs in panels. All are measured in the same minute, each on its own display, session
//! bus, panel and notification daemon.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints its tables, and has nobody to report errors to"
)]
#![allow(
    clippy::cast_precision_loss,
    reason = "no program here has as much memory as loses precision"
)]

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "../tests/support/desktop/mod.rs"]
mod desktop;

mod measure;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;

use desktop::{Desktop, Parts, end, lab};
use measure::{
    Activity, Build, Memory, Part, Table, activity, memory, memory_by_part, quick, ratio, time,
    with_icon, without_icon,
};
use support::{Lab, Master, PATH, PATIENCE, Process, skip, wait_until};

const MINUTE: Duration = Duration::from_secs(60);
/// Start-up is not measured.
const SETTLED: Duration = Duration::from_secs(10);

/// Other programs in panels, with the name of their Debian package.
const OTHERS: [(&str, &str); 3] = [
    ("nm-applet", "network-manager-gnome"),
    ("syncthingtray", "syncthingtray"),
    ("parcellite", "parcellite"),
];

enum Subject {
    Muxtray(Build),
    Other(&'static str),
}

impl Subject {
    fn name(&self) -> &str {
        match self {
            Self::Muxtray(build) => build.name,
            Self::Other(name) => name,
        }
    }
}

fn main() {
    // Checked before the lean build is built, which takes minutes.
    if lab("idle").is_none() {
        return;
    }
    println!("## Idle\n");
    let mut subjects: Vec<Subject> = with_icon("idle")
        .into_iter()
        .map(Subject::Muxtray)
        .collect();
    subjects.push(Subject::Muxtray(without_icon()));
    for (program, package) in OTHERS {
        if PATH
            .split(':')
            .any(|directory| Path::new(directory).join(program).is_file())
        {
            subjects.push(Subject::Other(program));
        } else {
            skip(
                &format!("idle, {program}"),
                &format!("it is not installed; Debian's package is {package}"),
            );
        }
    }
    let mut labs = Vec::new();
    for _ in &subjects {
        let Some(lab) = lab("idle") else {
            return;
        };
        // The tests' configuration scans every second; a user has the default.
        lab.write_muxtray_config("");
        labs.push(lab);
    }
    let running: Vec<Running<'_>> = subjects
        .iter()
        .zip(&labs)
        .map(|(subject, lab)| Running::start(subject, lab))
        .collect();
    let (settled, while_idle) = if quick() {
        (Duration::from_secs(1), Duration::from_secs(2))
    } else {
        (SETTLED, MINUTE)
    };
    thread::sleep(settled);
    let before: Vec<_> = running.iter().map(Running::activity).collect();
    thread::sleep(while_idle);
    let after: Vec<_> = running.iter().map(Running::activity).collect();
    let idle: Vec<Idle<'_>> = running
        .iter()
        .zip(before.into_iter().zip(after))
        .filter_map(|(running, (before, after))| {
            Idle::of(running, before, after).or_else(|| {
                skip(&format!("idle, {}", running.name), "it has ended by itself");
                None
            })
        })
        .collect();
    print(&idle, while_idle);
    running.into_iter().for_each(Running::end);
}

struct Running<'a> {
    name: &'a str,
    is_ours: bool,
    process: Process,
    _desktop: Desktop<'a>,
    _masters: Vec<Master>,
}

impl<'a> Running<'a> {
    fn start(subject: &'a Subject, lab: &'a Lab) -> Self {
        let desktop = Desktop::new(lab, Parts::ALL);
        let (process, masters) = match subject {
            Subject::Muxtray(build) => {
                let masters = ["web", "db", "build"].map(|alias| lab.master(alias));
                let arguments = ["run"].iter().chain(build.arguments);
                let process = desktop.start(&build.program, arguments);
                if build.has_icon() {
                    desktop
                        .tray_icon(process.pid())
                        .wait_for_row(&["3 masters"]);
                } else {
                    wait_until("muxtray is there", PATIENCE, || {
                        desktop.has_name("io.github.muxtray.Muxtray")
                    });
                }
                (process, masters.into())
            }
            Subject::Other(program) => {
                let mut command = desktop.join(lab.command(program));
                // Keeps the program off the machine's system bus; the tests have none of their own.
                command.env("DBUS_SYSTEM_BUS_ADDRESS", desktop.bus_address());
                (Process::start(command), Vec::new())
            }
        };
        Self {
            name: subject.name(),
            is_ours: matches!(subject, Subject::Muxtray(_)),
            process,
            _desktop: desktop,
            _masters: masters,
        }
    }

    fn activity(&self) -> Option<Activity> {
        activity(self.process.pid())
    }

    fn end(self) {
        if self.is_ours {
            end(self.process);
        }
    }
}

/// The activity of a program over the idle minute, and its memory.
struct Idle<'a> {
    name: &'a str,
    is_ours: bool,
    wakeups: u64,
    processor_time: Duration,
    memory: Memory,
    parts: BTreeMap<Part, u64>,
}

impl<'a> Idle<'a> {
    fn of(
        running: &Running<'a>,
        before: Option<Activity>,
        after: Option<Activity>,
    ) -> Option<Self> {
        let (before, after) = (before?, after?);
        Some(Self {
            name: running.name,
            is_ours: running.is_ours,
            wakeups: after.wakeups.saturating_sub(before.wakeups),
            processor_time: after.processor_time.saturating_sub(before.processor_time),
            memory: memory(running.process.pid())?,
            parts: memory_by_part(running.process.pid())?,
        })
    }
}

fn print(idle: &[Idle<'_>], while_idle: Duration) {
    let seconds = while_idle.as_secs();
    let mut table = Table::new(&[
        "",
        "wake-ups",
        "processor time",
        "RSS",
        "PSS",
        "anonymous",
        "RSS, ratio",
    ]);
    let base = idle.first().map(|first| first.memory);
    for one in idle {
        let memory = one.memory;
        table.row([
            one.name.to_owned(),
            one.wakeups.to_string(),
            time(one.processor_time),
            mebibytes(memory.resident),
            mebibytes(memory.proportional),
            mebibytes(memory.anonymous),
            base.map_or_else(String::new, |base| {
                ratio(memory.resident as f64, base.resident as f64)
            }),
        ]);
    }
    table.print(
        &format!("{seconds} s of nothing"),
        "All in the same minute, each on its own desktop; three masters are running for each muxtray. PSS is lower \
         than it would be alone, because the programs share libraries. nm-applet runs without NetworkManager.",
    );

    let mut parts = Table::new(&[&[""], Part::ALL.map(Part::name).as_slice()].concat());
    for one in idle.iter().filter(|one| one.is_ours) {
        let of = |part| mebibytes(one.parts.get(&part).copied().unwrap_or(0));
        parts.row([one.name.to_owned()].into_iter().chain(Part::ALL.map(of)));
    }
    parts.print("RSS by part", "Resident memory by mapped file.");
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}
