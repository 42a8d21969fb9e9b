//! The output of `ssh -G`, and its error messages.
//!
//! An understood output, printed as ssh prints it, is understood the same again. An error message is one short line
//! that can be shown.
#![no_main]

use std::os::unix::ffi::OsStrExt as _;

use libfuzzer_sys::fuzz_target;
use muxtray::discover::{error_message, parse_host};
use muxtray::model::control_path::HostAlias;
use muxtray::model::places::{Host, Persist};
use muxtray_fuzz::{assert_printable, choice};

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = choice(data) else {
        return;
    };
    if choice & 1 == 0 {
        let host = read(&bytes);
        assert_printable(&host.destination.to_string());
        // The settings keep other lines, which are not printed here.
        let again = Host {
            settings: host.settings.clone(),
            ..read(&printed(&host))
        };
        assert_eq!(again, host);
    } else {
        match error_message(&bytes) {
            Some(line) => {
                assert_printable(&line);
                assert!(!line.is_empty() && line.len() <= 500 * 10);
            }
            // Only notes.
            None => assert!(
                bytes
                    .split(|byte| matches!(byte, b'\n' | b'\r'))
                    .all(|line| {
                        let line = String::from_utf8_lossy(line);
                        line.bytes().all(|byte| byte.is_ascii_whitespace())
                            || line.contains("Pseudo-terminal will not be allocated")
                            || line.contains(": Unsupported option \"")
                    })
            ),
        }
    }
});

fn read(output: &[u8]) -> Host {
    parse_host(HostAlias("web".to_owned()), output)
}

fn printed(host: &Host) -> Vec<u8> {
    let mut output = Vec::new();
    let mut line = |keyword: &str, value: &[u8]| {
        output.extend([keyword.as_bytes(), b" ", value, b"\n"].concat());
    };
    if let Some(user) = &host.destination.user {
        line("user", user.as_bytes());
    }
    line("hostname", host.destination.host.as_bytes());
    if let Some(port) = host.destination.port {
        line("port", port.to_string().as_bytes());
    }
    if let Some(path) = &host.control_path {
        line("controlpath", path.as_path().as_os_str().as_bytes());
    }
    for option in &host.command_options {
        match option.as_str() {
            "SessionType=default" => line("sessiontype", b"none"),
            _ => line("forkafterauthentication", b"yes"),
        }
    }
    line("controlmaster", host.control_master.as_str().as_bytes());
    line(
        "connecttimeout",
        if host.has_connect_timeout {
            b"10"
        } else {
            b"none"
        },
    );
    line(
        "controlpersist",
        match host.persist {
            Persist::No => "no".to_owned(),
            Persist::Forever => "yes".to_owned(),
            Persist::Seconds(seconds) => seconds.to_string(),
        }
        .as_bytes(),
    );
    line(
        "serveraliveinterval",
        host.server_alive_interval.to_string().as_bytes(),
    );
    line(
        "serveralivecountmax",
        host.server_alive_count_max.to_string().as_bytes(),
    );
    output
}
