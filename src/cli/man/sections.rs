//! The sections of the man page that come from no table. Text between backticks is bold. A meaning is indented.

pub(super) const FILES: &str = "\
$XDG_CONFIG_HOME/muxtray/config.toml
    The configuration, by default below `~/.config`. `muxtray config path` prints the path.
$XDG_CONFIG_HOME/autostart/io.github.muxtray.Muxtray.desktop
    The autostart file, if start at login was enabled.
$XDG_CACHE_HOME/muxtray/hosts.json
    The output of `ssh -G` for each host, until the ssh configuration changes; by default below `~/.cache`. It may
    be removed at any time.
$XDG_CACHE_HOME/muxtray/connects.json
    The sockets that answered a connect of muxtray, so that it connects to none of them twice. If it cannot be written,
    it is in `muxtray-UID` below `$XDG_RUNTIME_DIR` or `/tmp`.
$XDG_STATE_HOME/muxtray/recent-hosts.json
    The hosts that had a master recently, for the order of Hosts in the menu and for the hosts of `/etc/ssh`
    that you use; by default below `~/.local/state`. It may be removed at any time.
$XDG_STATE_HOME/muxtray/seen-masters.json
    The masters at paths that the ssh configuration does not explain, so that their sockets are known when they die. It
    may be removed at any time.
$XDG_STATE_HOME/muxtray/forwardings.json
    The forwardings that `muxtray forward` was asked for: the places to which they lead, the ports that servers chose, and
    those to offer again. It may be removed at any time.
$XDG_RUNTIME_DIR/muxtray/
    The icon, while the applet with GTK runs.
~/.ssh/config, /etc/ssh/ssh_config
    The ssh configuration with its included files; never written.
/etc/passwd, /etc/group, /etc/nsswitch.conf
    Read if a group may write to a directory of control sockets or to a socket, for the other members of the group.
    If users or groups come from other sources too, every group may have other members.
.muxtray-aside.*
    A control socket while `clean` proves that it is stale. If `clean` is interrupted, the next one restores or
    removes it.
.muxtray-rehearsal.*
    A test of sockets and hard links by `doctor`, in the directory of a ControlPath.
";

pub(super) const ENVIRONMENT: &str = "\
HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR
    The directories of the files above. The `~` in a ControlPath is the home of the password file, as in ssh.
PATH
    The directories of `ssh`, unless `ssh_program` is a path.
DBUS_SESSION_BUS_ADDRESS
    The session bus, for icon and notifications.
DISPLAY, WAYLAND_DISPLAY
    The display, for the applet with GTK. Without one, muxtray runs without an icon.
NO_COLOR, CLICOLOR, CLICOLOR_FORCE
    Colours off, or on without a terminal. By default there are colours on a terminal only.
VISUAL, EDITOR
    The editor for `muxtray config edit`; default: vi.
JOURNAL_STREAM
    Set by systemd. If standard error is that stream, log lines begin with their priority (sd-daemon(3)), for
    `journalctl --priority`.
ANSIBLE_HOME, ANSIBLE_SSH_CONTROL_PATH_DIR, COLIMA_HOME, LIMA_HOME, TMPDIR
    The directories in which masters of Ansible, Colima, Lima and other programs are searched.
SSH_ASKPASS_REQUIRE
    `never`: without a terminal, a passphrase is never asked for. Otherwise the program of `SSH_ASKPASS` asks, if
    there is a display.
SSH_AUTH_SOCK and others
    Passed to every ssh that muxtray starts. Variables in the ssh configuration, `${NAME}`, are expanded as in ssh.
";

pub(super) const SECURITY: [&str; 4] = [
    "Watching reads the ssh configuration, modes of files and directories, tables of the kernel, and `/proc` of your own \
     processes. It does not connect to a socket on which a process listens. It runs `ssh -G` for configured hosts when \
     the configuration has changed; as with ssh itself, that runs the commands of `Match exec`.",
    "muxtray connects to a control socket only for an action that you request or allow with `exit_stranded`, or if the \
     kernel shows no listener; never to that of another user. `keep`, and Keep open in the menu, hold such a \
     connection, so that ControlPersist does not end the master. Only the ssh that `open` and `test` start connects to \
     servers.",
    "muxtray removes only sockets of yours on a local filesystem that refuse connections and are still the file that was \
     checked. It follows no symlinks, and does not remove the socket of a master that takes the path meanwhile.",
    "muxtray signals the process of a master only if you request it or allow it with `exit_stranded`; by a pidfd, after \
     proving that it is an ssh of yours that holds the listener. It never writes the ssh configuration.",
];

pub(super) const EXAMPLES: &str = "\
muxtray list
    Show all masters, without connecting to them.
muxtray open web
    Start a master in the background, or replace a stranded one.
muxtray check web
    Check that the master of web answers, and show the state of its network.
muxtray clean --dry-run
    Show the sockets that are proven stale.
muxtray doctor --fix
    Apply all safe remedies, and show the remaining problems.
ssh web 2>&1 | muxtray doctor --explain
    Explain the errors of a failed ssh.
muxtray exit --all
    End all masters and remove all stale sockets.
muxtray list --watch --json
    Print a line of JSON at each change, for scripts and status bars.
";

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Arguments;

    #[test]
    fn examples_are_valid_commands() {
        for example in EXAMPLES.lines().filter(|line| !line.starts_with(' ')) {
            let (_, arguments) = example.split_once("muxtray ").unwrap();
            let line = ["muxtray"].into_iter().chain(arguments.split(' '));
            assert!(Arguments::try_parse_from(line).is_ok(), "{example}");
        }
    }
}
