//! The sections of the man page that nothing else in the program says. Text between backticks is set in bold.

/// What is read and written, beside what a person names.
pub(super) const FILES: &[(&str, &str)] = &[
    (
        "$XDG_CONFIG_HOME/muxtray/config.toml",
        "The configuration; below `~/.config` where the variable is not set. `muxtray config path` prints it.",
    ),
    (
        "$XDG_CONFIG_HOME/autostart/io.github.muxtray.Muxtray.desktop",
        "Start at login, where that is switched on.",
    ),
    (
        "$XDG_CACHE_HOME/muxtray/hosts.json",
        "What `ssh -G` said of each host, kept until the ssh configuration changes; below `~/.cache` where the \
         variable is not set. It may be removed at any time.",
    ),
    (
        "$XDG_STATE_HOME/muxtray/recent-hosts.json",
        "Which hosts had a master lately, for the order of Open master in the menu; below `~/.local/state` where the \
         variable is not set. It may be removed at any time.",
    ),
    (
        "$XDG_RUNTIME_DIR/muxtray/",
        "While the applet with GTK runs: the picture that the panel shows.",
    ),
    (
        "~/.ssh/config, /etc/ssh/ssh_config",
        "The ssh configuration, with what it includes: read, never written.",
    ),
    (
        ".muxtray-aside.*",
        "Beside a control socket, while `clean` proves it stale. One that stays behind where that was cut short is \
         put back or removed by the next.",
    ),
    (
        ".muxtray-rehearsal.*",
        "In the directory of a ControlPath, while `doctor` tries whether sockets and hard links can be made there.",
    ),
];

/// What is read of the environment.
pub(super) const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR",
        "Where the files above are. The `~` of a ControlPath is the home of the password file, as for ssh.",
    ),
    (
        "PATH",
        "Where `ssh` is looked for, unless `ssh_program` names a file.",
    ),
    (
        "DBUS_SESSION_BUS_ADDRESS",
        "The session bus, over which the icon and notifications are shown.",
    ),
    (
        "DISPLAY, WAYLAND_DISPLAY",
        "The display, for the applet with GTK. Without one it watches without an icon.",
    ),
    (
        "NO_COLOR, CLICOLOR, CLICOLOR_FORCE",
        "No colour, or colour even where no terminal is. Otherwise there is colour on a terminal only.",
    ),
    (
        "VISUAL, EDITOR",
        "What `muxtray config edit` opens; vi without either.",
    ),
    (
        "JOURNAL_STREAM",
        "Set by systemd. Where it is what standard error leads to, lines of the log begin with their priority, as \
         sd-daemon(3) has it, for `journalctl --priority`.",
    ),
    (
        "LIMA_HOME, COLIMA_HOME, TMPDIR",
        "Where the masters of these programs and of nix are looked for.",
    ),
    (
        "SSH_ASKPASS_REQUIRE",
        "`never`: a master that is opened without a terminal asks nobody for a passphrase. Otherwise it asks by the \
         program of `SSH_ASKPASS`, where there is a display.",
    ),
    (
        "SSH_AUTH_SOCK and others",
        "Handed on to every ssh that is started. Variables that the ssh configuration names as `${NAME}` are expanded \
         as ssh does.",
    ),
];

/// What a program that handles other people's ways in owes them.
pub(super) const SECURITY: [&str; 4] = [
    "Watching reads the ssh configuration, the modes of files and directories, the kernel's tables and `/proc` of your \
     own processes; it connects to no socket that anybody listens on. It runs `ssh -G` for configured hosts when the \
     configuration has changed, and that runs the commands of `Match exec`, as ssh itself would.",
    "A control socket is connected to only where you ask for something or have set `exit_stranded`, or where the \
     kernel shows no listener; another user's never. Servers are connected to by the ssh that `open` and `test` start.",
    "Nothing is removed but a socket of yours on a local filesystem that refuses connections and is still the file \
     that was judged; no symlink is followed, and a master that takes the path in between keeps it.",
    "No master's process is signalled unless you ask for it or have set `exit_stranded`; then by a pidfd, and only \
     once it is proven to be an ssh of yours that holds that listener. The ssh configuration is never written.",
];

/// What people do with it.
pub(super) const EXAMPLES: &[(&str, &str)] = &[
    ("muxtray list", "What is there, without touching any of it."),
    (
        "muxtray open web",
        "Have a master ready in the background; a stranded one is replaced.",
    ),
    (
        "muxtray check web",
        "Whether web's master answers, and what is known of its network.",
    ),
    (
        "muxtray clean --dry-run",
        "What would be removed, and what proves it stale.",
    ),
    (
        "muxtray doctor --fix",
        "Mend what is safe to mend, and say what is left to do.",
    ),
    (
        "ssh web 2>&1 | muxtray doctor --explain",
        "What the errors of a failed ssh mean, and what is true now.",
    ),
    (
        "muxtray exit --all",
        "After a day of broken networks: end every master, remove every stale socket.",
    ),
    (
        "muxtray list --watch --json",
        "A line of JSON for each change, for scripts and status bars.",
    ),
];

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Arguments;

    #[test]
    fn the_examples_are_commands() {
        for (example, _) in EXAMPLES {
            let (_, own) = example.split_once("muxtray ").unwrap();
            let line = ["muxtray"].into_iter().chain(own.split(' '));
            assert!(Arguments::try_parse_from(line).is_ok(), "{example}");
        }
    }
}
