//! `doctor --explain`: what was pasted of ssh's messages.
//!
//! Every message is a line of the text, none comes twice, and what is answered can be shown. A message as ssh words it
//! is recognised whatever path it names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muxtray::model::control_path::{ControlPath, Destination};
use muxtray::present::explain::{Kind, Message, answer, read};
use muxtray_fuzz::{assert_printable, choice, snapshot, socket};

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
    let messages = read(text);
    assert!(messages.len() <= text.split(['\n', '\r']).count());
    for (number, message) in messages.iter().enumerate().take(100) {
        assert!(text.contains(&message.line));
        assert!(!messages[..number].contains(message));
        answered(message);
    }
}

fn answered(message: &Message) {
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
        let answer = answer(message, &snapshot);
        for text in [&answer.line, &answer.meaning, &answer.now] {
            assert_printable(text);
            assert!(!text.is_empty());
        }
    }
}

fn worded(name: &str) {
    // Characters that no form holds beside its path, so that there is one way to read the line.
    let plain =
        |character: &char| character.is_ascii_alphanumeric() || "._-+@%/:".contains(*character);
    let path: String = std::iter::once('/')
        .chain(name.chars().filter(plain))
        .collect();
    let Some(path) = ControlPath::new(&path) else {
        return;
    };
    for kind in Kind::ALL {
        let line = kind.form().replace("PATH", &path.to_string());
        let messages = read(&format!("debug1: something\r\n{line}\r\n"));
        let [message] = &messages[..] else {
            panic!("{messages:?} in {line}");
        };
        assert_eq!(message.kind, *kind, "{line}");
        if kind.form().contains("PATH") {
            let is_temporary = matches!(
                kind,
                Kind::TooLong
                    | Kind::BindMissing
                    | Kind::BindDenied
                    | Kind::BindReadOnly
                    | Kind::BindFull
                    | Kind::BindQuota
                    | Kind::BindUnsupported
                    | Kind::BindForbidden
                    | Kind::BindOther
            );
            let expected = match path.without_temporary_suffix() {
                Some(stem) if is_temporary => stem,
                _ => path.clone(),
            };
            assert_eq!(message.path, Some(expected), "{line}");
        }
    }
}
