//! TARGETs of the command line.
//!
//! No part of a TARGET is ignored: it could have distinguished two masters. A TARGET resolves to the masters it names,
//! and a refusal can be shown.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use muxtray::model::control_path::{ControlPath, Destination};
use muxtray::model::socket::{Snapshot, Socket};
use muxtray::model::target::{TargetName, resolve};
use muxtray_fuzz::{assert_printable, choice, snapshot, socket};

fuzz_target!(|data: &[u8]| {
    let Some((_, bytes)) = choice(data) else {
        return;
    };
    let typed = String::from_utf8_lossy(&bytes);
    let named = match TargetName::parse(typed.as_ref().as_ref(), Path::new("/home/u")) {
        Ok(named) => named,
        Err(error) => return assert_printable(&error.to_string()),
    };
    match &named {
        TargetName::Path(path) => {
            assert!(typed.contains('/'));
            assert_eq!(ControlPath::new(path.as_path()).as_ref(), Some(path));
        }
        TargetName::Host(host) => assert!(*host == *typed || format!("[{host}]") == *typed),
        TargetName::Destination(Destination { user, host, port }) => {
            let user = user
                .as_ref()
                .map_or(String::new(), |user| format!("{user}@"));
            let host = [host.clone(), format!("[{host}]")];
            let is_whole = |host: &String| match port {
                None => *typed == format!("{user}{host}"),
                // A port may be typed with zeros before it.
                Some(port) => typed
                    .strip_prefix(&format!("{user}{host}:"))
                    .is_some_and(|typed| {
                        typed.bytes().all(|byte| byte.is_ascii_digit())
                            && typed.parse() == Ok(*port)
                    }),
            };
            assert!(host.iter().any(is_whole), "{named:?} of {typed:?}");
        }
    }
    match resolve(&typed, &named, &masters()) {
        Ok(socket) => assert!(named.matches(socket)),
        Err(error) => error.to_string().lines().for_each(assert_printable),
    }
});

/// Masters that differ by port, by user, by path alone, and one with a hostile name.
fn masters() -> Snapshot {
    let master =
        |path: &str, alias: &str, user: Option<&str>, host: &str, port| -> Option<Socket> {
            let destination = Destination {
                user: user.map(str::to_owned),
                host: host.to_owned(),
                port,
            };
            Some(socket(ControlPath::new(path)?, alias, destination))
        };
    let sockets = [
        master("/s/me@web-22", "web", Some("me"), "web", Some(22)),
        master("/s/me@web-2222", "web2", Some("me"), "web", Some(2222)),
        master("/s/you@web-22", "other", Some("you"), "web", Some(22)),
        master("/home/u/s", "six", None, "::1", None),
        master("/s/\u{1b}[31m", "a\nb", Some("\u{202e}"), "\u{7}", Some(1)),
    ];
    snapshot(sockets.into_iter().flatten().collect())
}
