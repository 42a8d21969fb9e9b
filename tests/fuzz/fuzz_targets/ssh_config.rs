//! The files of the ssh configuration: Host, Match, Include, ControlPath.
//!
//! An input is up to four files, separated by the byte 0x1e: the user's, two that it can include, the system's. Reading
//! them again gives the same result, their recorded versions hold until they change, and every error message can be
//! shown. Includes stay below the scratch home.
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use muxtray::discover::{Request, Ssh, discover};
use muxtray_fuzz::{assert_finding_printable, choice, environment, scratch, write};

const FILES: [&str; 4] = [
    ".ssh/config",
    ".ssh/conf.d/one",
    ".ssh/conf.d/two",
    "etc/ssh_config",
];

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = choice(data) else {
        return;
    };
    if reaches_out(&bytes) {
        return;
    }
    let home = scratch();
    let environment = environment(home);
    let request = Request {
        ssh: Ssh {
            program: PathBuf::from("/nonexistent/ssh"),
            config: (choice & 1 != 0).then(|| home.join(FILES[0])),
        },
        extra_paths: Vec::new(),
        ignored_paths: Vec::new(),
        cache: None,
    };
    let write_all = |text: &[u8]| {
        let mut parts = text.split(|byte| *byte == 0x1e);
        for file in FILES {
            write(&home.join(file), parts.next().unwrap_or_default());
        }
    };
    // The directories of other programs, beside those of the configuration.
    static OTHERS: OnceLock<usize> = OnceLock::new();
    let others = OTHERS.get_or_init(|| {
        for directory in [".ssh/conf.d", "etc"] {
            std::fs::create_dir_all(home.join(directory)).expect("a scratch home can be made");
        }
        write_all(b"");
        discover(&request, &environment).places.patterns.len()
    });
    write_all(&bytes);
    let discovered = discover(&request, &environment);
    let lines = bytes.split(|byte| matches!(byte, b'\n' | 0x1e)).count();
    assert!(discovered.places.patterns.len() <= lines + others);
    assert_eq!(discovered.places.hosts, []);
    discovered
        .places
        .findings
        .iter()
        .for_each(assert_finding_printable);
    assert!(discovered.fingerprint.is_current(&request, &environment));
    let _ = discovered.fingerprint.interests(&environment);
    if bytes.len() < 1024 {
        assert_eq!(discover(&request, &environment), discovered);
    }
});

/// Whether an Include might leave the scratch home: a slash at the beginning of a word, or after anything but a plain
/// part of a name. This rejects some harmless inputs, too.
fn reaches_out(bytes: &[u8]) -> bool {
    let is_include = |line: &[u8]| {
        line.windows(7)
            .any(|word| word.eq_ignore_ascii_case(b"include"))
    };
    let is_rooted = |line: &[u8]| {
        line.windows(2).any(|pair| {
            pair[1] == b'/' && !(pair[0].is_ascii_alphanumeric() || b"~}.-_*?]/".contains(&pair[0]))
        })
    };
    bytes
        .split(|byte| matches!(byte, b'\n' | 0x1e))
        .any(|line| is_include(line) && is_rooted(line))
}
