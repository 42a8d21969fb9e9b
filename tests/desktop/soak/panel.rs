//! The tray's content, read as a panel reads it, and compared with the true state.
//!
//! A menu does not list dozens of sockets one by one: it folds them into a row that counts them. So it shows the number
//! of sockets in each state, and the names of some.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use zbus::Connection;

use crate::desktop::{Desktop, Row, TrayIcon};

/// The signals of a changed menu.
const SIGNALS: &str = "interface='com.canonical.dbusmenu',type='signal'";

/// The calls that show or close a notification.
const NOTIFICATIONS: &str = "interface='org.freedesktop.Notifications'";

/// The content of the menu.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) summary: String,
    /// The number of sockets in each state.
    pub(crate) counts: BTreeMap<String, usize>,
    /// The state of each socket with a row.
    pub(crate) states: BTreeMap<String, String>,
    /// The configured hosts.
    pub(crate) hosts: BTreeSet<String>,
    /// The kinds of socket problems that are not announced.
    pub(crate) silent: BTreeSet<String>,
}

impl Shown {
    fn of(menu: &Row) -> Option<Self> {
        let mut shown = Self {
            summary: menu.rows.first()?.label.clone(),
            ..Self::default()
        };
        shown.take(&menu.rows);
        if let Some(hosts) = menu.find("Hosts") {
            let rows = hosts.rows.iter();
            let names = rows.filter_map(|row| Some(row.label.split_once(':')?.0.to_owned()));
            shown.hosts = names.collect();
        }
        let kinds = menu.find("Notify about")?;
        let is_end = |row: &&Row| row.label.ends_with("that end soon");
        let kinds = kinds.rows.iter().filter(|row| !is_end(row));
        let silent = kinds.filter(|row| row.checked == Some(false));
        shown.silent = silent.map(|row| row.label.clone()).collect();
        Some(shown)
    }

    fn take(&mut self, rows: &[Row]) {
        for row in rows.iter().filter(|row| !row.rows.is_empty()) {
            let state = row.label.split(" \u{2014} ").nth(1);
            let path = row.rows.iter().find(|row| row.label.starts_with('/'));
            if let (Some(state), Some(path)) = (state, path) {
                let state = state.split(',').next().unwrap_or(state).to_owned();
                *self.counts.entry(state.clone()).or_default() += 1;
                self.states.insert(path.label.clone(), state);
            } else if row.label.starts_with(['\u{25b2}', '\u{2026}']) {
                // "▲ 31 more stale" or "… 12 more running", with rows for some below it.
                let words: Vec<&str> = row.label.split(' ').collect();
                let number: usize = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(0);
                let state = words.last().copied().unwrap_or_default().to_owned();
                *self.counts.entry(state).or_default() += number;
            }
        }
    }
}

/// The tray icon, and the messages since its menu was read.
pub(crate) struct Panel<'a> {
    pub(crate) icon: TrayIcon<'a>,
    heard: Receiver<(Instant, zbus::Message)>,
    last: Option<Shown>,
}

/// The menu is read after this long without a message, too.
const SILENCE: Duration = Duration::from_millis(500);

impl<'a> Panel<'a> {
    /// The icon of this process in the panel.
    pub(crate) fn new(desktop: &Desktop<'_>, connection: &'a Connection, pid: i32) -> Self {
        Self {
            icon: desktop.tray_icon(pid).asked_by(connection),
            heard: desktop.overhear(&[SIGNALS, NOTIFICATIONS]),
            last: None,
        }
    }

    /// Reads the menu after each of its signals and each notification, until `differs` returns no reason to wait on.
    ///
    /// # Errors
    /// The last reason, after the deadline.
    pub(crate) fn wait(
        &mut self,
        deadline: Duration,
        mut reason: impl FnMut(&Shown) -> Option<String>,
    ) -> Result<(), String> {
        let end = Instant::now() + deadline;
        let mut read = None;
        loop {
            let mut is_other =
                self.last.is_none() || read.is_none_or(|at: Instant| at.elapsed() > SILENCE);
            for (_, message) in self.heard.try_iter() {
                let header = message.header();
                let interface = header.interface().map(|name| name.as_str().to_owned());
                is_other |= interface.as_deref() == Some("com.canonical.dbusmenu");
            }
            if is_other {
                read = Some(Instant::now());
                // A menu that is being changed cannot be read.
                self.last = self.icon.menu().as_ref().and_then(Shown::of);
            }
            let why = match &self.last {
                Some(shown) => reason(shown),
                None => Some("the menu cannot be read".to_owned()),
            };
            match why {
                None => return Ok(()),
                Some(why) if Instant::now() >= end => return Err(why),
                Some(_) => {}
            }
            if let Ok((_, message)) = self.heard.recv_timeout(Duration::from_millis(100)) {
                let header = message.header();
                let interface = header.interface().map(|name| name.as_str().to_owned());
                if interface.as_deref() == Some("com.canonical.dbusmenu") {
                    self.last = None;
                }
            }
        }
    }
}
