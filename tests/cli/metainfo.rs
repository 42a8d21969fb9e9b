//! The part of the AppStream metainfo that comes from Cargo.toml and CHANGELOG.md: addresses, pictures and releases.
//! [`super::documents`] checks that the file is up to date and rewrites it.

use std::fmt::Write as _;
use std::fs;

pub(crate) const PATH: &str = "packaging/io.github.muxtray.Muxtray.metainfo.xml";

const BEGIN: &str = "  <!-- From Cargo.toml and CHANGELOG.md; CONTRIBUTING.md names the command that updates it. -->\n";
const END: &str = "  <!-- end -->\n";

/// The kinds of addresses, and what follows the address of the source.
const URLS: &[(&str, &str)] = &[
    ("homepage", ""),
    ("bugtracker", "/issues"),
    ("help", "/tree/HEAD/docs"),
    ("contribute", "/blob/HEAD/CONTRIBUTING.md"),
    ("translate", "/blob/HEAD/docs/translating.md"),
    ("vcs-browser", ""),
];

/// The first is the one that a store shows in its list.
const PICTURES: &[(&str, &str)] = &[
    ("packaging/screenshot.png", "The menu in an Xfce panel"),
    ("docs/pictures/plasma.png", "The menu on Plasma"),
    ("docs/pictures/gnome.png", "The menu on GNOME"),
];

/// Returns the file with the generated part of this version.
pub(crate) fn page() -> String {
    let file = fs::read_to_string(PATH).unwrap();
    let (before, rest) = file.split_once(BEGIN).expect("the first comment");
    let (_, after) = rest.split_once(END).expect("the last comment");
    let changes = fs::read_to_string("CHANGELOG.md").unwrap();
    format!("{before}{BEGIN}{}{END}{after}", generated(&changes))
}

fn generated(changes: &str) -> String {
    let (source, version) = (env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"));
    let mut part = String::new();
    for (kind, path) in URLS {
        let _ = writeln!(part, "  <url type=\"{kind}\">{source}{path}</url>");
    }
    part += "  <screenshots>\n";
    for (index, (file, caption)) in PICTURES.iter().enumerate() {
        assert!(fs::exists(file).unwrap(), "{file} does not exist");
        let default = if index == 0 { " type=\"default\"" } else { "" };
        let _ = write!(
            part,
            "    <screenshot{default}>\n      <caption>{caption}</caption>\n      \
             <image>{source}/raw/v{version}/{file}</image>\n    </screenshot>\n"
        );
    }
    part += "  </screenshots>\n  <releases>\n";
    let releases = releases(changes);
    let latest = releases.first().map(|release| release.version);
    assert_eq!(
        latest,
        Some(version),
        "the version of Cargo.toml has no changes"
    );
    for release in releases {
        let (version, date) = (release.version, release.date);
        let notes = description(release.notes);
        let _ = write!(
            part,
            "    <release version=\"{version}\" date=\"{date}\">\n      <description>\n{notes}      </description>\n    \
             </release>\n"
        );
    }
    part + "  </releases>\n"
}

struct Release<'a> {
    version: &'a str,
    date: &'a str,
    notes: &'a str,
}

/// The sections with a version and a date, as `## 0.1.0 - 2026-11-23`.
fn releases(changes: &str) -> Vec<Release<'_>> {
    let sections = changes.split("\n## ").skip(1);
    sections
        .filter_map(|section| {
            let (heading, notes) = section.split_once('\n')?;
            let (version, date) = heading.split_once(" - ")?;
            // An introduction, if there is one, is enough for a store.
            let introduction = notes.split("\n### ").next().unwrap_or_default();
            let notes = match introduction.trim().is_empty() {
                true => notes,
                false => introduction,
            };
            Some(Release {
                version,
                date,
                notes,
            })
        })
        .collect()
}

/// Paragraphs and lists in the elements of AppStream. A heading is a paragraph.
fn description(notes: &str) -> String {
    let mut elements: Vec<(&str, String)> = Vec::new();
    for line in notes.lines().map(str::trim_end) {
        let continued = elements.last_mut().filter(|(_, text)| !text.is_empty());
        if let Some(heading) = line.strip_prefix("### ") {
            elements.push(("p", format!("{heading}:")));
        } else if let Some(item) = line.strip_prefix("- ") {
            elements.push(("li", item.to_owned()));
        } else if line.is_empty() {
            elements.push(("", String::new()));
        } else if let Some((_, text)) = continued {
            let _ = write!(text, " {}", line.trim_start());
        } else {
            elements.push(("p", line.to_owned()));
        }
    }
    let mut lines = String::new();
    let mut in_list = false;
    for (element, text) in elements.iter().filter(|(element, _)| !element.is_empty()) {
        let is_item = *element == "li";
        if is_item != in_list {
            lines += if is_item {
                "        <ul>\n"
            } else {
                "        </ul>\n"
            };
            in_list = is_item;
        }
        let indent = if is_item { "  " } else { "" };
        let text = markup(text);
        let _ = writeln!(lines, "        {indent}<{element}>{text}</{element}>");
    }
    if in_list {
        lines += "        </ul>\n";
    }
    lines
}

/// `code` as an element, and everything else escaped.
fn markup(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let mut pieces = escaped.split('`');
    let mut marked = pieces.next().unwrap_or_default().to_owned();
    for (index, piece) in pieces.enumerate() {
        let tag = if index % 2 == 0 { "<code>" } else { "</code>" };
        marked += tag;
        marked += piece;
    }
    marked
}

#[test]
fn notes_become_paragraphs_and_lists() {
    let changes = "# Changelog\n\n## Unreleased\n\n- Later\n\n## 2.0 - 2026-01-02\n\nFirst\nline.\n\n- `a`\n  & b\n- c\n\n### Added\n\n- d\n\n## 1.0 \
                   - 2025-01-02\n\n### Added\n\n- e\n";
    let releases = releases(changes);
    let versions: Vec<_> = releases.iter().map(|it| (it.version, it.date)).collect();
    assert_eq!(versions, [("2.0", "2026-01-02"), ("1.0", "2025-01-02")]);
    let lines = |release: &Release<'_>| -> Vec<String> {
        let lines = description(release.notes);
        lines.lines().map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(
        lines(&releases[1]),
        ["<p>Added:</p>", "<ul>", "<li>e</li>", "</ul>"]
    );
    assert_eq!(
        lines(&releases[0]),
        [
            "<p>First line.</p>",
            "<ul>",
            "<li><code>a</code> &amp; b</li>",
            "<li>c</li>",
            "</ul>"
        ]
    );
}
