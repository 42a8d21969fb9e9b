//! `muxtray-applet`: what `muxtray run` becomes. Draws trial views for now, one for each line of standard input.

mod drawn;
mod icons;
mod tray;
mod windows;

use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::ExitCode;

use muxtray::core::intent::Intent;
use muxtray::core::view::{Entry, Icon, TrayView};
use tray::{Order, Tray};

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::TRACE)
        .init();
    let tray = match Tray::open() {
        Ok(tray) => tray,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(3);
        }
    };
    let proxy = tray.proxy();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = proxy.send_event(order(&line));
        }
        let _ = proxy.send_event(Order::End);
    });
    let proxy = tray.proxy();
    tray.run(move |intent| {
        tracing::info!("intent {intent:?}");
        if intent == Intent::Quit {
            let _ = proxy.send_event(Order::End);
        }
    });
    tracing::info!("ended in order");
    ExitCode::SUCCESS
}

/// `LOOK name=sessions name=sessions …`, `details TEXT`, or `end`.
fn order(line: &str) -> Order {
    let mut words = line.split_whitespace();
    let icon = match words.next() {
        Some("idle") => Icon::Idle,
        Some("running") => Icon::Running,
        Some("attention") => Icon::Attention,
        Some("details") => {
            return Order::ShowDetails {
                title: "Details".to_owned(),
                text: words.collect::<Vec<_>>().join("\n"),
            };
        }
        _ => return Order::End,
    };
    let hosts: Vec<_> = words
        .map(|word| word.split_once('=').unwrap_or((word, "0")))
        .collect();
    let item = |key: &str, label: String, intent| Entry::Item {
        key: key.to_owned(),
        label,
        intent,
    };
    let mut menu = vec![
        item("summary", format!("{} masters", hosts.len()), None),
        Entry::Separator,
    ];
    for (name, sessions) in &hosts {
        let path = PathBuf::from(format!("/home/u/.ssh/s/{name}"));
        let mut entries = vec![
            item("path", path.display().to_string(), None),
            item("check", "Check".to_owned(), Some(Intent::CheckAll)),
            item("copy", "Copy path".to_owned(), Some(Intent::Copy(path))),
        ];
        if sessions.starts_with('!') {
            entries.insert(1, item("problem", "nobody listens".to_owned(), None));
        }
        entries.push(Entry::Submenu {
            key: "exit".to_owned(),
            label: format!("Exit, closing {sessions} sessions"),
            entries: vec![item("now", "Exit now".to_owned(), Some(Intent::Show(None)))],
        });
        menu.push(Entry::Submenu {
            key: format!("socket {name}"),
            label: format!("{name}   running, {sessions} sessions"),
            entries,
        });
    }
    menu.push(Entry::Separator);
    menu.push(item("about", "About".to_owned(), Some(Intent::About)));
    menu.push(item("quit", "Quit".to_owned(), Some(Intent::Quit)));
    Order::Draw(TrayView {
        icon,
        summary: format!("{} masters", hosts.len()),
        menu,
    })
}
