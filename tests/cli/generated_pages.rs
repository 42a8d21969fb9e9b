//! The generated pages of `docs/`. [`super::documents`] checks that the files are up to date and rewrites them.

use std::fmt::Write as _;

use crate::metainfo;
use muxtray::model::finding::{FindingId, Group, Severity};
use muxtray::model::settings::Settings;
use muxtray::model::state;
use muxtray::present::ssh_messages::{SSH_MESSAGES, Subject};

/// Options for `~/.ssh/config`; `docs/configuration.md` recommends them. Each is followed by its reason.
const SSH_OPTIONS: &[(&str, &str)] = &[
    (
        "ControlMaster auto",
        "The first connection becomes the master, later ones use it. `auto` replaces a stale socket; `yes` continues \
         without multiplexing.",
    ),
    (
        "ControlPath ~/.ssh/s/%C",
        "`%C` is a hash of the local host name, remote host, port, user and jump host: 40 bytes for any host, so the \
         path stays below the limit of 90, and neither two hosts nor two machines with a shared home have the same \
         path. `%r@%h-%p` can become too long, and is the same on every machine.",
    ),
    (
        "ControlPersist 10m",
        "The master runs in the background until it had no session for ten minutes. Without this option it ends with \
         its first session; with `yes` it never ends.",
    ),
    (
        "ServerAliveInterval 15",
        "ssh sends a request after 15 seconds without data, and ends the connection after three without a reply. \
         Without it, sessions hang until TCP gives up, after about 15 minutes.",
    ),
];

/// Returns the recommended options as lines of `~/.ssh/config`.
pub(crate) fn ssh_configuration() -> String {
    let mut lines = "Host *\n".to_owned();
    for (option, _) in SSH_OPTIONS {
        let _ = writeln!(lines, "    {option}");
    }
    lines
}

/// Returns the path of each generated page below the source directory, and its text.
pub(crate) fn pages() -> [(&'static str, String); 4] {
    [
        (metainfo::PATH, metainfo::page()),
        ("docs/findings.md", findings()),
        ("docs/ssh-messages.md", ssh_messages()),
        ("docs/configuration.md", configuration()),
    ]
}

/// Returns the comment and the title of a page that is generated from a file.
fn heading(source: &str, title: &str) -> String {
    format!(
        "<!-- Generated from {source}; update with: MUXTRAY_UPDATE_DOCS=1 cargo test --test cli documents -->\n\n# {title}\n\n"
    )
}

fn findings() -> String {
    let mut page = heading("src/model/finding.rs", "States and findings");
    page += "Each control socket has one state. All states except `running` are also findings. `muxtray list`, \
        `muxtray doctor` and the menu show findings with the evidence and a remedy; ids are the same in JSON and in the \
        [configuration](configuration.md). Findings of severity `error` make `list`, `check` and `doctor` exit \
        with 1.\n\n\
        systemd's own names (`.host`, `machine/NAME`, `vsock/NUMBER` and others that only its systemd-ssh-proxy connects) \
        are not hosts: there is no finding about them and they are not offered, but a master that you start there is \
        shown. A host that only `/etc/ssh` names is a host; problems of a directory that nothing else needs are findings \
        once you have used that host.\n\n## States\n\n| state | severity | meaning | remedy |\n| --- | --- | --- | --- |\n";
    for row in state::table() {
        let severity = row.severity.map_or("", Severity::as_str);
        let _ = writeln!(
            page,
            "| `{}` | {severity} | {} | {} |",
            row.name, row.meaning, row.advice
        );
    }
    for (title, group) in [
        ("Control sockets", Group::Socket),
        ("Directories", Group::Directory),
        ("Configuration", Group::Configuration),
    ] {
        let _ = write!(
            page,
            "\n## {title}\n\n| finding | severity | meaning | remedy |\n| --- | --- | --- | --- |\n"
        );
        for row in FindingId::ALL.iter().map(|id| id.row()) {
            if row.group == group {
                let _ = writeln!(
                    page,
                    "| `{}` | {} | {} | {} |",
                    row.id,
                    row.severity.as_str(),
                    row.meaning,
                    row.advice
                );
            }
        }
    }
    page
}

fn ssh_messages() -> String {
    let mut page = heading("src/present/ssh_messages", "Messages of ssh");
    page += "Messages that ssh prints about multiplexing and forwarding, from OpenSSH 8.9 to 10.5, and the most usual ones \
        about something else. `muxtray doctor --explain 'MESSAGE'` checks the present state of the path, host and port in \
        a message; without an argument it reads messages from standard input, with whatever other programs print around \
        them.\n\n\
        PATH is the ControlPath, DIRECTORY its directory, PORT a port of this machine, SERVERPORT one of the server; \
        `.RANDOM` stands for the 16 letters and digits that ssh appends while a master starts, and `...` for any text. \
        ssh can print `debug1:` or the name of a function before a message. Causes and [findings](findings.md) begin with \
        the most likely one; `muxtray doctor --explain` prints a remedy in brackets only if it knows the name in it.\n";
    let code = |text: &str| format!("`{}`", text.replace('|', "\\|"));
    let list = |texts: &[&str]| texts.join("<br>").replace('|', "\\|");
    let rows = |of: Subject| {
        let tables = SSH_MESSAGES
            .iter()
            .filter(move |(subject, _)| *subject == of);
        tables.flat_map(|(_, messages)| *messages)
    };
    for (title, subject) in [
        ("Multiplexing", Subject::Multiplexing),
        ("Forwarding", Subject::Forwarding),
        ("Something else", Subject::Other),
    ] {
        let _ = writeln!(
            page,
            "\n## {title}\n\n| message | meaning | usual causes | findings | remedies |\n| --- | --- | --- | --- | --- |"
        );
        for message in rows(subject) {
            let wordings: Vec<String> = message.wordings.iter().map(|text| code(text)).collect();
            let findings: Vec<String> = message
                .findings
                .iter()
                .map(|id| code(id.as_str()))
                .collect();
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} | {} |",
                wordings.join("<br>"),
                message.meaning,
                list(message.causes),
                findings.join(", "),
                list(message.remedies)
            );
        }
    }
    page
}

fn configuration() -> String {
    let mut page = heading("src/model/settings.rs", "Configuration");
    let _ = write!(
        page,
        "## ssh\n\nRecommended lines for the end of `~/.ssh/config`:\n\n```\n{}```\n\n| option | reason |\n| --- | --- |\n",
        ssh_configuration()
    );
    for (option, reason) in SSH_OPTIONS {
        let _ = writeln!(page, "| `{option}` | {reason} |");
    }
    page += "\nCreate the directory with `mkdir -p -m 700 ~/.ssh ~/.ssh/s`: ssh does not check the owner of a socket, so everybody \
        who can write to the directory could receive your sessions. Do not use `/tmp`.\n\n\
        If your home is on NFS, or many people use the machine, `ControlPath /run/user/%i/%C` keeps the sockets on this \
        machine until you log out (`%i` needs OpenSSH 7.8).\n\n\
        ## muxtray\n\n\
        `$XDG_CONFIG_HOME/muxtray/config.toml` (`~/.config/muxtray/config.toml`) is a TOML file. The applet writes it, \
        with the defaults and these explanations, when it first runs, and applies changes at once. If the file is not \
        valid, the finding `config-invalid` names the line, and the last valid settings stay in force. \
        `muxtray config` prints, edits and checks it.\n\n\
        | key | default | meaning | in the menu |\n| --- | --- | --- | --- |\n";
    for row in Settings::default().rows() {
        let [(key, value), ..] = &row.values[..] else {
            continue;
        };
        let key = if row.values.len() > 1 {
            "[id of a finding](findings.md)".to_owned()
        } else {
            format!("`{key}`")
        };
        let table = if row.table.is_empty() {
            String::new()
        } else {
            format!("`[{}]` ", row.table)
        };
        let label = row.label.unwrap_or_default();
        let _ = writeln!(
            page,
            "| {table}{key} | `{value}` | {} | {label} |",
            row.comment
        );
    }
    page
}
