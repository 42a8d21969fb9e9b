//! The autostart file: a desktop entry that a person may have changed.
//!
//! It is kept as it was typed; setting a key changes its value and nothing else, and a program's path survives both
//! layers of escapes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use muxtray::autostart::entry::Entry;
use muxtray_fuzz::{assert_printable, choice};

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = choice(data) else {
        return;
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return;
    };
    if choice & 1 == 0 {
        typed(&text);
    } else {
        program(&text);
    }
});

fn typed(text: &str) {
    let entry = match Entry::parse(text) {
        Ok(entry) => entry,
        Err(error) => return assert_printable(&error),
    };
    assert_eq!(entry.text(), text);
    for (key, value) in [("Hidden", "false"), ("X-GNOME-Autostart-enabled", "true")] {
        let mut changed = entry.clone();
        let was_there = changed.get(key).is_some();
        changed.set(key, value);
        assert_eq!(changed.get(key), Some(value));
        assert_eq!(Entry::parse(&changed.text()).as_ref(), Ok(&changed));
        let (old, new) = (text.lines().count(), changed.text().lines().count());
        assert_eq!(new, old + usize::from(!was_there));
        let others = |text: &str| -> Vec<String> {
            let is_other = |line: &&str| !line.contains(key);
            text.lines().filter(is_other).map(str::to_owned).collect()
        };
        assert_eq!(others(&changed.text()), others(text));
    }
    let mut started = entry;
    started.set("Exec", "/usr/bin/muxtray run");
    started.set("TryExec", "/usr/bin/muxtray");
    assert_eq!(started.program().as_deref(), Some("/usr/bin/muxtray"));
    assert_eq!(started.try_exec().as_deref(), Some("/usr/bin/muxtray"));
}

fn program(name: &str) {
    // A form feed at the end has no escape, and is trimmed by every reader.
    if name.contains('\0') || name.ends_with('\u{c}') {
        return;
    }
    let path = format!("/{name}");
    let entry = Entry::new(&path);
    assert_eq!(entry.program().as_ref(), Some(&path));
    assert_eq!(entry.try_exec().as_ref(), Some(&path));
    assert_eq!(Entry::parse(&entry.text()), Ok(entry));
}
