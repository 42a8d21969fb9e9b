//! The files that muxtray writes and reads again: the recent hosts, and the cached answers of ssh.
//!
//! They belong to the user, but may be damaged or of another version. muxtray goes on with any content; `"uid":U` in an
//! input becomes the current user id, so that a cache in the corpus is valid.
#![no_main]

use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use muxtray::discover::{Request, Ssh, discover};
use muxtray::model::control_path::{ControlPath, Destination, HostAlias};
use muxtray::model::recent::Recent;
use muxtray_fuzz::{choice, environment, scratch, snapshot, socket, uid, write};

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = choice(data) else {
        return;
    };
    if choice & 1 == 0 {
        recent(&bytes);
    } else {
        cache(&bytes);
    }
});

fn recent(bytes: &[u8]) {
    let Ok(recent) = serde_json::from_slice::<Recent>(bytes) else {
        return;
    };
    let text = serde_json::to_vec(&recent).expect("it is a list of names");
    assert_eq!(
        serde_json::from_slice::<Recent>(&text).ok().as_ref(),
        Some(&recent)
    );
    let destination = Destination {
        user: None,
        host: "web".to_owned(),
        port: None,
    };
    let path = ControlPath::new("/s/web").expect("it is a path");
    let after = recent.after(None, &snapshot(vec![socket(path, "web", destination)]));
    assert_eq!(after.rank(&HostAlias("web".to_owned())), Some(0));
    let kept: Vec<String> = serde_json::to_value(&after)
        .and_then(serde_json::from_value)
        .expect("it is a list of names");
    assert!(kept.len() <= 100);
}

fn cache(bytes: &[u8]) {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    text = text.replace("\"uid\":U", &format!("\"uid\":{}", uid()));
    let path = scratch().join("hosts.json");
    write(&path, text.as_bytes());
    let environment = environment(Path::new("/nonexistent/home"));
    let request = Request {
        ssh: Ssh {
            program: PathBuf::from("/nonexistent/ssh"),
            config: None,
        },
        extra_paths: Vec::new(),
        ignored_paths: Vec::new(),
        cache: Some(path),
    };
    let discovered = discover(&request, &environment);
    let _ = discovered.fingerprint.is_current(&request, &environment);
    let _ = discovered.fingerprint.interests(&environment);
    for host in &discovered.places.hosts {
        let _ = (
            host.title(),
            host.unanswered_limit(),
            host.destination.to_string(),
        );
    }
}
