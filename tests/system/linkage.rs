//! The libraries that the programs link: muxtray is used on servers too, so it must not need GTK.

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

/// Libraries that neither the command line nor the small applet may need.
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
fn assert_no_desktop_library(program: &Path) {
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
fn command_line_links_no_desktop_library() {
    assert_no_desktop_library(program());
}

#[test]
fn applet_links_gtk_only_if_chosen() {
    let applet = program().with_file_name("muxtray-applet");
    match (cfg!(feature = "tray"), cfg!(feature = "lean-tray")) {
        (true, _) => {
            let libraries = libraries(&applet).unwrap();
            assert!(libraries.contains("libgtk-3"), "{libraries}");
        }
        // The desktop tests check that it opens none at run time either.
        (false, true) => assert_no_desktop_library(&applet),
        (false, false) => skip(
            "applet_links_gtk_only_if_chosen",
            "this build has no applet",
        ),
    }
}
