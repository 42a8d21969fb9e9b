//! muxtray's own configuration: reading it, and switching one setting in it.
//!
//! A refused file stays unchanged, and its error message can be shown. A valid file means the same when it is written
//! out; after a switch it means the same but for the one setting, and all its other lines are still there.
#![no_main]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use muxtray::config::{Settings, load, set};
use muxtray::discover::{Request, Ssh, discover};
use muxtray::model::control_path::{ControlPath, Pattern};
use muxtray::model::finding::FindingId;
use muxtray::model::settings::{Change, Setting};
use muxtray_fuzz::{
    assert_finding_printable, assert_printable, choice, environment, scratch, write,
};

fuzz_target!(|data: &[u8]| {
    let Some((choice, text)) = choice(data) else {
        return;
    };
    let path = scratch().join("config.toml");
    write(&path, &text);
    let settings = match load(&path) {
        Ok(settings) => settings,
        Err(error) => {
            assert_printable(&error.to_string());
            assert_finding_printable(&error.finding(None));
            assert!(set(&path, &Change::Switch(Setting::Notifications, false)).is_err());
            assert_eq!(fs::read(&path).ok(), Some(text));
            return;
        }
    };
    is_written_as_it_was(&settings);
    globs(&settings);
    switch(&path, &text, settings, choice);
});

fn is_written_as_it_was(settings: &Settings) {
    let path = scratch().join("documented.toml");
    write(&path, settings.documented().as_bytes());
    let read = load(&path).expect("what documents the settings is valid");
    assert_eq!(read.announced(), settings.announced());
    // Kinds that are not named are on; in the written form all are named.
    let rest = |settings: &Settings| {
        let mut rest = settings.clone();
        rest.notifications.kinds.clear();
        rest
    };
    assert_eq!(rest(&read), rest(settings));
}

/// A person's globs are matched against every path.
fn globs(settings: &Settings) {
    let paths: Vec<ControlPath> = [
        "/home/u/.ssh/s/me@web.example.org-22",
        "/tmp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
    ]
    .into_iter()
    .filter_map(ControlPath::new)
    .collect();
    let environment = environment(Path::new("/nonexistent/home"));
    for glob in &settings.extra_paths {
        if let Ok(pattern) = Pattern::from_glob(OsStr::new(glob), &environment.known) {
            for path in &paths {
                let _ = pattern.matches(path);
            }
        }
    }
    if settings.ignored_paths.is_empty() {
        return;
    }
    let request = Request {
        ssh: Ssh {
            program: PathBuf::from("/nonexistent/ssh"),
            config: Some("none".into()),
        },
        extra_paths: settings.extra_paths.clone(),
        ignored_paths: settings.ignored_paths.clone(),
        cache: None,
    };
    let places = discover(&request, &environment).places;
    places.findings.iter().for_each(assert_finding_printable);
    for ignored in &places.ignored {
        for path in &paths {
            let _ = ignored.matches_path(path.as_path());
        }
    }
}

fn switch(path: &Path, text: &[u8], settings: Settings, choice: u8) {
    let others = [
        Setting::Notifications,
        Setting::CleanAutomatically,
        Setting::ExitStranded,
        Setting::EndWithForwardings,
        Setting::EndOfOthers,
    ];
    let all: Vec<Setting> = others
        .into_iter()
        .chain(FindingId::ALL.iter().map(|id| Setting::Kind(*id)))
        .collect();
    let setting = all[usize::from(choice) % all.len()];
    let on = !settings.is_on(setting);
    let result = set(path, &Change::Switch(setting, on));
    let new = fs::read(path).expect("the file is there");
    match result {
        Ok(()) => {
            assert_eq!(load(path).ok(), Some(settings.with(setting, on)));
            let lines = |text: &[u8]| -> Vec<String> {
                let text = String::from_utf8_lossy(text).replace('\r', "");
                text.lines().map(str::to_owned).collect()
            };
            let (old, new) = (lines(text), lines(&new));
            let mut new_lines = new.iter();
            let lost = old
                .iter()
                .filter(|line| {
                    let mut rest = new_lines.clone();
                    let is_there = rest.any(|new| new == *line);
                    if is_there {
                        new_lines = rest;
                    }
                    !is_there
                })
                .count();
            assert!(lost <= 1, "{lost} lines of {old:?} are not in {new:?}");
            assert!(new.len() <= old.len() + 3);
        }
        Err(error) => {
            assert_printable(&error.to_string());
            assert_eq!(new, text);
        }
    }
    let beside = fs::read_dir(scratch()).expect("it is there").count();
    assert!(beside <= 2, "a draft was left behind");
}
