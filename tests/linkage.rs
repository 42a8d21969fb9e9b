//! What the programs are linked against: people type `muxtray` on servers too, so it must not need GTK.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::Command;

use support::{PATIENCE, Process, program, skip};

fn libraries(program: &Path) -> Option<String> {
    let mut ldd = Command::new("ldd");
    ldd.arg(program);
    let listed = Process::run(ldd, PATIENCE);
    assert!(listed.stdout.contains("libc"), "{listed:?}");
    Some(listed.stdout)
}

#[test]
fn the_command_line_needs_nothing_of_a_desktop() {
    let libraries = libraries(program()).unwrap();
    for name in [
        "gtk",
        "gdk",
        "glib",
        "appindicator",
        "libX",
        "wayland",
        "dbus",
        "cairo",
        "pango",
    ] {
        assert!(
            !libraries.contains(name),
            "muxtray needs {name}:\n{libraries}"
        );
    }
}

#[test]
fn the_applet_needs_gtk() {
    let applet = program().with_file_name("muxtray-applet");
    if !cfg!(feature = "tray") {
        return skip("the_applet_needs_gtk", "this build has no applet");
    }
    let libraries = libraries(&applet).unwrap();
    assert!(libraries.contains("libgtk-3"), "{libraries}");
}
