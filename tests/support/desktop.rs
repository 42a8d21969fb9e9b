//! A desktop of the laboratory's own: an X server, a session bus, a real panel with a notification area, a real
//! notification daemon; and what a test needs to see and press there.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use futures_lite::StreamExt as _;
use futures_lite::future::block_on;
use zbus::{Connection, MessageStream, OwnedVariant};

use crate::support::{Lab, PATH, PATIENCE, Process, look_for, wait_for, wait_until};

/// The name of a panel's register of tray icons.
const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// The name of a notification daemon.
const NOTIFICATIONS: &str = "org.freedesktop.Notifications";

/// The bus itself.
const BUS: &str = "org.freedesktop.DBus";

/// The parts of a desktop that a test wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// An X server.
    pub(crate) display: bool,
    /// A panel that shows tray icons.
    pub(crate) panel: bool,
    /// A notification daemon.
    pub(crate) daemon: bool,
}

impl Parts {
    /// All of them.
    pub(crate) const ALL: Self = Self {
        display: true,
        panel: true,
        daemon: true,
    };
}

/// A running desktop. What it started ends with it.
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

/// What went over the bus to or from the notification daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A program asked the daemon to show this.
    Notify {
        /// The notification it replaces; 0 for none.
        replaces: u32,
        /// Its title.
        summary: String,
        /// Its text, markup and all.
        body: String,
        /// Its actions: key and label in turn.
        actions: Vec<String>,
    },
    /// A program asked the daemon to take this one back.
    Close(u32),
    /// The daemon said that this one is closed.
    Closed(u32),
}

/// Why there is no desktop here: the first program that is missing. Panics instead where the test command has
/// installed everything, so that nothing is left out in silence.
pub(crate) fn missing() -> Option<String> {
    let programs = ["Xvfb", "dbus-daemon", "xfce4-panel", "dunst", "dunstctl"];
    let is_there = |program: &str| {
        PATH.split(':')
            .any(|directory| Path::new(directory).join(program).is_file())
    };
    let missing = programs.into_iter().find(|program| !is_there(program))?;
    let why = format!("{missing} is not installed; tests/run.sh installs it");
    assert!(
        env::var_os("MUXTRAY_TESTS_REQUIRE_DESKTOP").is_none(),
        "{why}, and MUXTRAY_TESTS_REQUIRE_DESKTOP is set"
    );
    Some(why)
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

    /// Makes the command one of a program on this desktop.
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

    /// Starts `muxtray run` with these further arguments.
    #[track_caller]
    pub(crate) fn muxtray_run(&self, arguments: &[&str]) -> Process {
        let command = self.lab.muxtray_command(["run"].iter().chain(arguments));
        Process::start(self.join(command))
    }

    fn start_display(&mut self) {
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

    /// Has programs that are started from now on believe in this display.
    pub(crate) fn set_display(&mut self, display: &str) {
        self.display = Some(display.to_owned());
    }

    /// Starts the panel, and waits until it registers icons.
    #[track_caller]
    pub(crate) fn start_panel(&mut self) {
        self.lab.write(
            "config/xfce4/xfconf/xfce-perchannel-xml/xfce4-panel.xml",
            PANEL,
        );
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

    /// Kills the panel as a crash would.
    pub(crate) fn kill_panel(&mut self) {
        self.panel = None;
        wait_until("the panel is gone", PATIENCE, || !self.has_name(WATCHER));
    }

    /// Starts the notification daemon, and waits until it is there.
    #[track_caller]
    pub(crate) fn start_daemon(&mut self) {
        let choose = self.lab.path("choose");
        self.lab.write(
            "choose",
            format!(
                "#!/bin/sh\ngrep -m 1 \"^#$(cat {})\"\n",
                self.lab.path("choice").display()
            ),
        );
        fs::set_permissions(&choose, fs::Permissions::from_mode(0o755)).unwrap();
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

    /// Whether somebody owns this name on the bus.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        let reply = block_on(self.connection.call_method(
            Some(BUS),
            "/org/freedesktop/DBus",
            Some(BUS),
            "NameHasOwner",
            &name,
        ));
        reply.is_ok_and(|reply| reply.body().deserialize().unwrap())
    }

    /// What has gone over the bus to and from the notification daemon so far.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// The summaries of what programs have asked to be shown.
    pub(crate) fn summaries(&self) -> Vec<String> {
        let of = |message| match message {
            Message::Notify { summary, .. } => Some(summary),
            Message::Close(_) | Message::Closed(_) => None,
        };
        self.messages().into_iter().filter_map(of).collect()
    }

    /// How many notifications are on the screen.
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

    #[track_caller]
    fn dunstctl(&self, arguments: &[&str]) -> String {
        let mut command = self.lab.command("dunstctl");
        command.args(arguments);
        Process::run(self.join(command), PATIENCE).expect(0).stdout
    }

    /// The tray icon of a process, once the panel has it.
    #[track_caller]
    pub(crate) fn tray_icon(&self, pid: i32) -> TrayIcon<'_> {
        wait_for("the panel has the icon", PATIENCE, || {
            let items: Vec<String> = self
                .property(
                    WATCHER,
                    "/StatusNotifierWatcher",
                    WATCHER,
                    "RegisteredStatusNotifierItems",
                )?
                .try_into()
                .ok()?;
            items.into_iter().find_map(|item| {
                let slash = item.find('/')?;
                let (owner, path) = item.split_at(slash);
                (self.process_of(owner)? == pid).then(|| TrayIcon {
                    connection: &self.connection,
                    owner: owner.to_owned(),
                    path: path.to_owned(),
                })
            })
        })
    }

    fn process_of(&self, owner: &str) -> Option<i32> {
        let reply = block_on(self.connection.call_method(
            Some(BUS),
            "/org/freedesktop/DBus",
            Some(BUS),
            "GetConnectionUnixProcessID",
            &owner,
        ));
        let pid: u32 = reply.ok()?.body().deserialize().ok()?;
        i32::try_from(pid).ok()
    }

    fn property(
        &self,
        owner: &str,
        path: &str,
        interface: &str,
        name: &str,
    ) -> Option<OwnedVariant> {
        property(&self.connection, owner, path, interface, name)
    }

    /// Ends the bus, as the end of a session does.
    pub(crate) fn end_bus(&mut self) {
        self.bus.kill();
    }
}

impl Drop for Desktop<'_> {
    fn drop(&mut self) {
        // A killed X server would leave its number taken.
        if let Some(xvfb) = &mut self.xvfb {
            xvfb.end();
        }
    }
}

/// A tray icon as a panel sees it.
pub(crate) struct TrayIcon<'a> {
    connection: &'a Connection,
    owner: String,
    path: String,
}

/// One row of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    id: i32,
    /// Its text as a person reads it; empty for a line.
    pub(crate) label: String,
    /// Whether it can be clicked.
    pub(crate) enabled: bool,
    /// The rows of its submenu.
    pub(crate) rows: Vec<Row>,
}

impl Row {
    /// The row below this one whose label begins like this.
    pub(crate) fn find(&self, label: &str) -> Option<&Self> {
        self.rows.iter().find(|row| row.label.starts_with(label))
    }
}

/// How `com.canonical.dbusmenu.GetLayout` describes a row: id, properties, rows below.
type Layout = (
    i32,
    std::collections::HashMap<String, OwnedVariant>,
    Vec<OwnedVariant>,
);

const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

impl TrayIcon<'_> {
    fn menu_path(&self) -> Option<String> {
        let path = property(self.connection, &self.owner, &self.path, ITEM, "Menu")?;
        let path = zbus::OwnedObjectPath::try_from(path).ok()?;
        Some(path.as_str().to_owned())
    }

    /// The whole menu, as the panel would draw it; nothing while it is being changed.
    pub(crate) fn menu(&self) -> Option<Row> {
        let reply = block_on(self.connection.call_method(
            Some(self.owner.as_str()),
            self.menu_path()?.as_str(),
            Some(MENU),
            "GetLayout",
            &(0, -1, Vec::<&str>::new()),
        ))
        .ok()?;
        let (_, layout): (u32, Layout) = reply.body().deserialize().ok()?;
        row(layout)
    }

    /// Waits until the menu has the row that these labels lead to, each by its beginning.
    #[track_caller]
    pub(crate) fn wait_for_row(&self, labels: &[&str]) -> Row {
        let mut last = None;
        let found = look_for(PATIENCE, || {
            last = self.menu();
            labels
                .iter()
                .try_fold(last.as_ref()?, |row, label| row.find(label))
                .cloned()
        });
        found.unwrap_or_else(|| panic!("no {labels:?} in {last:#?}"))
    }

    /// Clicks the row that these labels lead to, as a panel does: each submenu is opened first.
    #[track_caller]
    pub(crate) fn click(&self, labels: &[&str]) {
        let row = self.wait_for_row(labels);
        assert!(row.enabled, "{labels:?} cannot be clicked: {row:?}");
        for depth in 0..labels.len() {
            let parent = if depth == 0 {
                0
            } else {
                self.wait_for_row(&labels[..depth]).id
            };
            let _: bool = self
                .call("AboutToShow", &parent)
                .body()
                .deserialize()
                .unwrap();
        }
        let event = (row.id, "clicked", zbus::Variant::from(0), 0_u32);
        self.call("Event", &event);
    }

    #[track_caller]
    fn call<B: serde::Serialize + zbus::Type>(&self, method: &str, body: &B) -> zbus::Message {
        let menu = self.menu_path().expect("the icon has a menu");
        block_on(self.connection.call_method(
            Some(self.owner.as_str()),
            menu.as_str(),
            Some(MENU),
            method,
            body,
        ))
        .unwrap_or_else(|error| panic!("{method}: {error}"))
    }
}

fn row((id, properties, below): Layout) -> Option<Row> {
    let text = |name: &str| -> Option<String> { properties.get(name)?.clone().try_into().ok() };
    let enabled = properties
        .get("enabled")
        .and_then(|enabled| bool::try_from(enabled.clone()).ok())
        .unwrap_or(true);
    // An underscore marks the letter to press; a doubled one is an underscore.
    let label = text("label")
        .unwrap_or_default()
        .replace("__", "\0")
        .replace('_', "")
        .replace('\0', "_");
    let rows = below
        .into_iter()
        .map(|variant| row(Layout::try_from(variant).ok()?))
        .collect::<Option<_>>()?;
    Some(Row {
        id,
        label,
        enabled,
        rows,
    })
}

fn property(
    connection: &Connection,
    owner: &str,
    path: &str,
    interface: &str,
    name: &str,
) -> Option<OwnedVariant> {
    let reply = block_on(connection.call_method(
        Some(owner),
        path,
        Some("org.freedesktop.DBus.Properties"),
        "Get",
        &(interface, name),
    ));
    reply.ok()?.body().deserialize().ok()
}

fn bus_address(lab: &Lab) -> String {
    format!("unix:path={}", lab.path("run/bus").display())
}

/// A session bus that lets root in too, which may run the tests, and starts nothing by itself but what the panel needs to read its configuration.
fn start_bus(lab: &Lab) -> Process {
    let service = "org.xfce.Xfconf.service";
    let services = lab.make_directory("services");
    if let Ok(text) = fs::read(Path::new("/usr/share/dbus-1/services").join(service)) {
        lab.write(services.join(service), text);
    }
    let configuration = lab.write(
        "bus.conf",
        format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig>\n  <type>session</type>\n  <listen>{}</listen>\n  <auth>EXTERNAL</auth>\n  \
             <servicedir>{}</servicedir>\n  <policy context=\"default\">\n    \
             <allow send_destination=\"*\" eavesdrop=\"true\"/>\n    <allow eavesdrop=\"true\"/>\n    \
             <allow own=\"*\"/>\n    <allow user=\"*\"/>\n  </policy>\n</busconfig>\n",
            bus_address(lab),
            services.display()
        ),
    );
    let mut command = lab.command("dbus-daemon");
    command
        .arg(format!("--config-file={}", configuration.display()))
        .args(["--nofork", "--nopidfile", "--print-address=1"]);
    let mut bus = Process::start(command);
    bus.wait_for_output("\n", PATIENCE);
    bus
}

fn connect(lab: &Lab) -> Connection {
    let connection = zbus::connection::Builder::address(bus_address(lab).as_str())
        .method_timeout(PATIENCE)
        .build();
    block_on(connection).expect("the bus has just been started")
}

/// Keeps what goes to and from the notification daemon, on a thread that ends with the bus.
fn monitor(lab: &Lab, messages: &Arc<Mutex<Vec<Message>>>) {
    let connection = connect(lab);
    let rules = vec![format!("interface='{NOTIFICATIONS}'")];
    block_on(connection.call_method(
        Some(BUS),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus.Monitoring"),
        "BecomeMonitor",
        &(rules, 0_u32),
    ))
    .expect("the bus lets its owner listen");
    let mut stream = MessageStream::from(connection);
    let messages = Arc::clone(messages);
    thread::spawn(move || {
        while let Some(Ok(message)) = block_on(stream.next()) {
            if let Some(message) = read(&message) {
                messages.lock().unwrap().push(message);
            }
        }
    });
}

fn read(message: &zbus::Message) -> Option<Message> {
    type Notify = (
        String,
        u32,
        String,
        String,
        String,
        Vec<String>,
        std::collections::HashMap<String, OwnedVariant>,
        i32,
    );
    let header = message.header();
    let body = message.body();
    match header.member()?.as_str() {
        "Notify" => {
            let (_, replaces, _, summary, text, actions, _, _): Notify = body.deserialize().ok()?;
            Some(Message::Notify {
                replaces,
                summary,
                body: text,
                actions,
            })
        }
        "CloseNotification" => Some(Message::Close(body.deserialize().ok()?)),
        "NotificationClosed" => {
            let (id, _): (u32, u32) = body.deserialize().ok()?;
            Some(Message::Closed(id))
        }
        _ => None,
    }
}

/// The files in a directory and below it.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .flat_map(|entry| {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

const PANEL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="30"/>
      <property name="plugin-ids" type="array">
        <value type="int" value="1"/>
        <value type="int" value="2"/>
      </property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/>
    </property>
    <property name="plugin-2" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
      <property name="hide-new-items" type="bool" value="false"/>
    </property>
  </property>
</channel>
"#;
