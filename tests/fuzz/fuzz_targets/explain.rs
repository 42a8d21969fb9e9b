//! `doctor --explain`: pasted messages of ssh.
//!
//! The messages do not overlap, none comes twice, and the answer is printable. Every wording of ssh is
//! recognised with any path.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use muxtray::model::control_path::{ControlPath, Destination};
use muxtray::present::explain::{Situation, answer};
use muxtray::present::ssh_messages::{Recognised, SSH_MESSAGES, recognise};
use muxtray_fuzz::{assert_printable, choice, snapshot, socket};

/// The longest path of a socket (unix(7)).
const MAX_PATH_BYTES: usize = 107;

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = choice(data) else {
        return;
    };
    let text = String::from_utf8_lossy(&bytes);
    if choice & 1 == 0 {
        pasted(&text);
    } else {
        worded(&text);
    }
});

fn pasted(text: &str) {
    let messages = recognise(text);
    // A line can have several. None begins with fewer than four fixed bytes.
    assert!(4 * messages.len() <= text.len());
    for (number, message) in messages.iter().enumerate().take(100) {
        assert!(!message.line.is_empty());
        assert!(!messages[..number].contains(message));
        answered(message);
    }
}

fn answered(message: &Recognised) {
    let destination = Destination {
        user: Some("me".to_owned()),
        host: "web.example.org".to_owned(),
        port: Some(22),
    };
    let sockets = message
        .path
        .clone()
        .map(|path| socket(path, "web", destination));
    for snapshot in [
        snapshot(sockets.into_iter().collect()),
        snapshot(Vec::new()),
    ] {
        let answer = answer(
            message,
            &Situation {
                snapshot: &snapshot,
                control_paths: &BTreeMap::new(),
                ports: &BTreeMap::new(),
                ssh_option: "",
            },
        );
        let texts = [&answer.line, &answer.meaning].into_iter();
        let texts = texts.chain(&answer.now).chain(&answer.causes);
        for text in texts.chain(&answer.remedies) {
            assert_printable(text);
            assert!(!text.is_empty());
        }
    }
}

fn worded(name: &str) {
    // Characters that are in no form beside its path, so that there is one way to read the line.
    let plain =
        |character: &char| character.is_ascii_alphanumeric() || "._-+@%/:".contains(*character);
    let path: String = std::iter::once('/')
        .chain(name.chars().filter(plain).take(MAX_PATH_BYTES - 1))
        .collect();
    // A path with these is cut off.
    let Some(path) = ControlPath::new(&path).filter(|_| !path.contains("...")) else {
        return;
    };
    let messages = SSH_MESSAGES.iter().flat_map(|(_, messages)| *messages);
    for (message, wording) in messages.flat_map(|message| {
        let wordings = message.wordings.iter();
        wordings.map(move |wording| (message, wording))
    }) {
        let line = wording
            .replace(".RANDOM", "")
            .replace("PATH", &path.to_string())
            .replace("ADDRESS", "127.0.0.1")
            .replace("SERVERPORT", "8080")
            .replace("PORT", "1080")
            .replace("NUMBER", "17")
            .replace("HOST ", "web ")
            .replace("HOST:", "web:")
            .replace("...", "Something new");
        let recognised = recognise(&format!("debug1: something\r\n{line}\r\n"));
        let [recognised] = &recognised[..] else {
            panic!("{recognised:?} in {line}");
        };
        assert_eq!(recognised.message, message, "{line}");
        if wording.contains("PATH") {
            let expected = path.without_temporary_suffix().unwrap_or(path.clone());
            assert_eq!(recognised.path, Some(expected), "{line}");
        }
    }
}
