//! What the programs are linked against: people type `muxtray` on servers too, so it must not need GTK.

use std::path::Path;
use std::process::Command;

use crate::support::{PATIENCE, Process, program, skip};

fn libraries(program: &Path) -> Option<String> {
    let mut ldd = Command::new("ldd");
    ldd.arg(program);
    let listed = Process::run(ldd, PATIENCE);
    assert!(listed.stdout.contains("libc"), "{listed:?}");
    Some(listed.stdout)
}

/// What a program on a server, or a small one on a desktop, has no use for.
const OF_A_DESKTOP: [&str; 9] = [
    "gtk",
    "gdk",
    "glib",
    "appindicator",
    "libX",
    "wayland",
    "dbus",
    "cairo",
    "pango",
];

#[track_caller]
fn expect_nothing_of_a_desktop(program: &Path) {
    let libraries = libraries(program).unwrap();
    for name in OF_A_DESKTOP {
        assert!(
            !libraries.contains(name),
            "{} needs {name}:\n{libraries}",
            program.display()
        );
    }
}

#[test]
fn the_command_line_needs_nothing_of_a_desktop() {
    expect_nothing_of_a_desktop(program());
}

#[test]
fn the_applet_needs_gtk_only_where_it_was_chosen() {
    let applet = program().with_file_name("muxtray-applet");
    match (cfg!(feature = "tray"), cfg!(feature = "lean-tray")) {
        (true, _) => {
            let libraries = libraries(&applet).unwrap();
            assert!(libraries.contains("libgtk-3"), "{libraries}");
        }
        // That it opens none while it runs either is for the tests that have a desktop.
        (false, true) => expect_nothing_of_a_desktop(&applet),
        (false, false) => skip(
            "the_applet_needs_gtk_only_where_it_was_chosen",
            "this build has no applet",
        ),
    }
}
