//! A desktop of the laboratory: an X server, a session bus, a real panel with a notification area, a real notification
//! daemon, and functions to read and click them.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test program of the desktop uses its own part of it"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a desktop that cannot be set up fails the test that wanted it"
)]

mod bus;
mod icon;
mod notify_arguments;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use nix::sys::signal::Signal;
use zbus::Connection;

use crate::support::{Lab, PATH, PATIENCE, Process, look_for, program, skip, wait_until};
use bus::{NOTIFICATIONS, ask, bus_address, connect, monitor, overhear, property, start_bus};

pub(crate) use bus::Message;
pub(crate) use icon::{Layout, MENU, Row, TrayIcon, row};
pub(crate) use notify_arguments::NotifyArguments;

/// The name of the StatusNotifierWatcher, to which tray icons register.
const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// The panel's configuration: a notification area that shows every icon.
const PANEL: &str = include_str!("panel.xml");

/// The path of that configuration.
const PANEL_FILE: &str = "config/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml";

/// The parts of a desktop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) display: bool,
    pub(crate) panel: bool,
    pub(crate) daemon: bool,
}

impl Parts {
    pub(crate) const ALL: Self = Self {
        display: true,
        panel: true,
        daemon: true,
    };
}

/// A running desktop; its programs end on drop.
pub(crate) struct Desktop<'a> {
    lab: &'a Lab,
    display: Option<String>,
    daemon: Option<Process>,
    panel: Option<Process>,
    xvfb: Option<Process>,
    connection: Connection,
    messages: Arc<Mutex<Vec<Message>>>,
    bus: Process,
}

/// A lab for a test that needs a desktop; its watchers depend on events alone. Skips the test and returns `None` if
/// programs of the desktop are not installed.
pub(crate) fn lab(test: &str) -> Option<Lab> {
    let programs = ["Xvfb", "dbus-daemon", "xfce4-panel", "dunst", "dunstctl"];
    if !has_programs(test, &programs) {
        return None;
    }
    let lab = Lab::new();
    lab.write_muxtray_config("interval_secs = 3600\n");
    Some(lab)
}

/// Terminates the applet, and demands an orderly end. While it starts a program of the desktop, one of its threads has no
/// signal blocked, and the signal would end it at once.
#[track_caller]
pub(crate) fn end(applet: Process) {
    let tasks = format!("/proc/{}/task", applet.pid());
    wait_until("it has the signal blocked", PATIENCE, || {
        fs::read_dir(&tasks).into_iter().flatten().all(|task| {
            // The thread may have ended since.
            let status = fs::read_to_string(task.unwrap().path().join("status"));
            let status = status.unwrap_or_default();
            let mask = status.lines().find_map(|it| it.strip_prefix("SigBlk:\t"));
            mask.is_none_or(|mask| {
                u64::from_str_radix(mask, 16).unwrap() >> (Signal::SIGTERM as i32 - 1) & 1 == 1
            })
        })
    });
    applet.signal(Signal::SIGTERM);
    applet.finish(PATIENCE).expect(0);
}

/// Returns true if these programs are installed, and skips the test otherwise. Panics instead if the test command has
/// installed everything, so that no test is skipped by mistake.
pub(crate) fn has_programs(test: &str, programs: &[&str]) -> bool {
    let is_there = |program: &str| {
        PATH.split(':')
            .any(|directory| Path::new(directory).join(program).is_file())
    };
    let Some(missing) = programs.iter().find(|program| !is_there(program)) else {
        return true;
    };
    let why = format!("{missing} is not installed; tests/run.sh installs it");
    assert!(
        env::var_os("MUXTRAY_TESTS_REQUIRE_DESKTOP").is_none(),
        "{why}, and MUXTRAY_TESTS_REQUIRE_DESKTOP is set"
    );
    skip(test, &why);
    false
}

impl<'a> Desktop<'a> {
    /// Starts the bus and the parts, and waits until each is ready.
    #[track_caller]
    pub(crate) fn new(lab: &'a Lab, parts: Parts) -> Self {
        let bus = start_bus(lab);
        let connection = connect(lab);
        let messages = Arc::default();
        monitor(lab, &messages);
        let mut desktop = Self {
            lab,
            display: None,
            daemon: None,
            panel: None,
            xvfb: None,
            connection,
            messages,
            bus,
        };
        if parts.display {
            desktop.start_display();
        }
        if parts.panel {
            desktop.start_panel();
        }
        if parts.daemon {
            desktop.start_daemon();
        }
        desktop
    }

    /// Sets the environment of a command for this desktop.
    pub(crate) fn join(&self, mut command: Command) -> Command {
        command
            .env("DBUS_SESSION_BUS_ADDRESS", bus_address(self.lab))
            .env("NO_AT_BRIDGE", "1")
            .env("GSETTINGS_BACKEND", "memory")
            .env("LIBGL_ALWAYS_SOFTWARE", "1");
        if let Some(display) = &self.display {
            command.env("DISPLAY", display);
        }
        command
    }

    #[track_caller]
    pub(crate) fn muxtray_run(&self, arguments: &[&str]) -> Process {
        self.start(program(), ["run"].iter().chain(arguments))
    }

    #[track_caller]
    pub(crate) fn start<A: AsRef<OsStr>>(
        &self,
        built: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Process {
        let command = self.lab.command_of_build(built, arguments);
        Process::start(self.join(command))
    }

    pub(crate) fn bus_address(&self) -> String {
        bus_address(self.lab)
    }

    #[track_caller]
    pub(crate) fn start_display(&mut self) {
        let mut command = self.lab.command("Xvfb");
        command.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1024x768x24",
            "-nolisten",
            "tcp",
            "-noreset",
        ]);
        let mut xvfb = Process::start(command);
        xvfb.wait_for_output("\n", PATIENCE);
        self.display = Some(format!(":{}", xvfb.stdout().trim()));
        self.xvfb = Some(xvfb);
    }

    /// Sets the display of programs that are started later.
    pub(crate) fn set_display(&mut self, display: &str) {
        self.display = Some(display.to_owned());
    }

    /// Removes the display of programs that are started later.
    pub(crate) fn hide_display(&mut self) {
        self.display = None;
    }

    /// Stops the panel's process: it answers nothing.
    pub(crate) fn suspend_panel(&self) {
        if let Some(panel) = &self.panel {
            panel.signal(Signal::SIGSTOP);
        }
    }

    /// Starts the panel, and waits until it accepts icons.
    #[track_caller]
    pub(crate) fn start_panel(&mut self) {
        self.lab.write(PANEL_FILE, PANEL);
        let mut command = self.lab.command("xfce4-panel");
        command.args(["--disable-wm-check", "--sm-client-disable"]);
        let mut panel = Process::start(self.join(command));
        wait_until("the panel registers tray icons", PATIENCE, || {
            assert!(
                panel.is_running(),
                "the panel has ended: {}",
                panel.stderr()
            );
            self.has_name(WATCHER)
        });
        self.panel = Some(panel);
    }

    /// Kills the panel, as in a crash.
    pub(crate) fn kill_panel(&mut self) {
        self.panel = None;
        wait_until("the panel is gone", PATIENCE, || !self.has_name(WATCHER));
    }

    /// Starts the notification daemon, and waits until it owns its name.
    #[track_caller]
    pub(crate) fn start_daemon(&mut self) {
        let choice = self.lab.path("choice");
        let does = format!("grep -m 1 \"^#$(cat {})\"", choice.display());
        let choose = self.lab.script("choose", &does);
        let configuration = self.lab.write(
            "dunstrc",
            format!(
                "[global]\n    markup = full\n    dmenu = {}\n    icon_path = \"\"\n",
                choose.display()
            ),
        );
        let mut command = self.lab.command("dunst");
        command.arg("-conf").arg(configuration);
        let mut daemon = Process::start(self.join(command));
        wait_until("the notification daemon is there", PATIENCE, || {
            assert!(daemon.is_running(), "dunst has ended: {}", daemon.stderr());
            self.has_name(NOTIFICATIONS)
        });
        self.daemon = Some(daemon);
    }

    /// Returns true if this name on the bus has an owner.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        ask(&self.connection, "NameHasOwner", name).unwrap_or(false)
    }

    /// The messages to and from the notification daemon up to now.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// Every message on the bus that matches one of these rules from now on, each with its time of arrival.
    pub(crate) fn overhear(&self, rules: &[&str]) -> Receiver<(Instant, zbus::Message)> {
        overhear(self.lab, rules)
    }

    /// The summaries of all notifications that programs have requested.
    pub(crate) fn summaries(&self) -> Vec<String> {
        let of = |message| match message {
            Message::Notify { summary, .. } => Some(summary),
            Message::Close(_) | Message::Closed(_) => None,
        };
        self.messages().into_iter().filter_map(of).collect()
    }

    /// The number of notifications on the screen.
    #[track_caller]
    pub(crate) fn displayed(&self) -> u32 {
        let counted = self.dunstctl(&["count", "displayed"]);
        counted
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("no number: {counted:?}"))
    }

    /// Presses the button with this label on a notification, through the daemon's own menu of actions.
    #[track_caller]
    pub(crate) fn press(&self, label: &str) {
        self.lab.write("choice", label);
        self.dunstctl(&["context"]);
    }

    /// Waits until muxtray asks before it closes connections: in a window, or without GTK in a notification.
    #[track_caller]
    pub(crate) fn wait_for_question(&self) {
        wait_until("muxtray asks", PATIENCE, || self.has_question());
    }

    pub(crate) fn has_question(&self) -> bool {
        if cfg!(feature = "lean-tray") {
            return self
                .summaries()
                .iter()
                .any(|summary| summary.ends_with('?'));
        }
        !self.questions().is_empty()
    }

    /// Presses the button with this label, the first one, on the question.
    #[track_caller]
    pub(crate) fn consent(&self, label: &str) {
        if cfg!(feature = "lean-tray") {
            let offers = |message: &Message| matches!(message, Message::Notify { actions, .. } if actions.iter().any(|action| action == label));
            wait_until("the button is there", PATIENCE, || {
                self.messages().iter().any(offers)
            });
            return self.press(label);
        }
        self.wait_for_question();
        let window = self.questions();
        // Return alone would press Keep, which has the focus.
        let window = window.trim();
        self.xdotool(&["windowfocus", "--sync", window]);
        self.xdotool(&["key", "--delay", "100", "Left", "Return"]);
        wait_until("the window is closed", PATIENCE, || {
            !self.questions().contains(window)
        });
    }

    /// The ids of the windows with questions.
    fn questions(&self) -> String {
        self.xdotool(&["search", "--onlyvisible", "--name", "^muxtray$"])
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        let mut command = self.lab.command("xdotool");
        command.args(arguments);
        Process::run(self.join(command), PATIENCE).stdout
    }

    #[track_caller]
    fn dunstctl(&self, arguments: &[&str]) -> String {
        let mut command = self.lab.command("dunstctl");
        command.args(arguments);
        Process::run(self.join(command), PATIENCE).expect(0).stdout
    }

    /// Waits for the tray icon of a process in the panel.
    #[track_caller]
    pub(crate) fn tray_icon(&self, pid: i32) -> TrayIcon<'_> {
        let icon = look_for(PATIENCE, || self.find_tray_icon(pid));
        icon.unwrap_or_else(|| panic!("the panel does not get the icon: {}", self.state_of(pid)))
    }

    /// Returns the tray icon of a process if the panel has it now.
    pub(crate) fn find_tray_icon(&self, pid: i32) -> Option<TrayIcon<'_>> {
        self.registered().into_iter().find_map(|item| {
            let (owner, path) = item.split_at(item.find('/')?);
            let process: u32 = ask(&self.connection, "GetConnectionUnixProcessID", owner)?;
            (i32::try_from(process) == Ok(pid)).then(|| TrayIcon {
                connection: &self.connection,
                owner: owner.to_owned(),
                path: path.to_owned(),
            })
        })
    }

    /// The items registered with the panel: owner and path.
    fn registered(&self) -> Vec<String> {
        let items = property(
            &self.connection,
            WATCHER,
            "/StatusNotifierWatcher",
            WATCHER,
            "RegisteredStatusNotifierItems",
        );
        items
            .and_then(|items| items.try_into().ok())
            .unwrap_or_default()
    }

    /// Describes the panel and a process without its expected icon.
    fn state_of(&self, pid: i32) -> String {
        let read =
            |file: String| fs::read_to_string(file).unwrap_or_else(|error| error.to_string());
        let tasks = fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten();
        let threads: Vec<String> = tasks
            .flatten()
            .map(|task| {
                let of = |name| read(task.path().join(name).display().to_string());
                format!(
                    "{}: {} {}",
                    of("comm").trim(),
                    of("wchan"),
                    of("syscall").trim()
                )
            })
            .collect();
        format!(
            "registered: {:?}\nregister of {:?}\nthreads: {threads:#?}\nit said: {}\nthe panel said: {}",
            self.registered(),
            ask::<String>(&self.connection, "GetNameOwner", WATCHER),
            read(format!("/proc/{pid}/fd/2")),
            self.panel.as_ref().map(Process::stderr).unwrap_or_default(),
        )
    }

    /// Ends the bus, as at the end of a session.
    pub(crate) fn end_bus(&mut self) {
        self.bus.kill();
    }

    /// Starts another bus at the same address.
    #[track_caller]
    pub(crate) fn start_bus(&mut self) {
        self.bus = start_bus(self.lab);
        self.connection = connect(self.lab);
        monitor(self.lab, &self.messages);
    }

    /// Ends the X server, as at the end of a session.
    pub(crate) fn end_display(&mut self) {
        if let Some(mut xvfb) = self.xvfb.take() {
            xvfb.end();
        }
    }
}

impl Drop for Desktop<'_> {
    fn drop(&mut self) {
        // An X server that is killed leaves its display number locked.
        if let Some(xvfb) = &mut self.xvfb {
            xvfb.end();
        }
    }
}
