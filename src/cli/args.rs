//! Commands, options and their help.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{OsStringValueParser, StringValueParser, TypedValueParser};
use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use crate::decide::launch::LauncherAction;
use crate::model::target::without_scheme;
use crate::model::text;
use crate::present::bar::Template;

#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(
    name = "muxtray",
    version = crate::VERSION,
    about = "Watches OpenSSH's control sockets from the desktop tray, without touching them.",
    long_about = LONG_ABOUT,
    after_help = EXIT_STATUS,
    max_term_width = 100
)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    /// `run` if there is none.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const LONG_ABOUT: &str = "\
Watches OpenSSH's control sockets from the desktop tray, without touching them.

Without a command it runs the tray applet. TARGET is a host alias of the ssh configuration, user@host[:port], \
or the path of a control socket.";

pub(super) const EXIT_STATUS: &str = "\
Exit status: 0 all well or done; 1 something is wrong with a TARGET, or an error was found; \
2 wrong usage or configuration; 3 unknown, for example for lack of access.";

/// Options of every command.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Global {
    /// Use only this ssh configuration, as ssh -F does
    // After the options of the command.
    #[arg(short = 'F', long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true, display_order = 100)]
    pub ssh_config: Option<PathBuf>,
    /// Use this configuration file of muxtray
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true, display_order = 100)]
    pub config: Option<PathBuf>,
    /// Print more on standard error; repeat for still more
    #[arg(short, long, action = ArgAction::Count, global = true, display_order = 100)]
    pub verbose: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the tray applet
    Run(Run),
    /// Print every control socket and its state; connects to no master
    List(List),
    /// Print every host of the ssh configuration: where it leads, how it multiplexes, its master
    Hosts(Hosts),
    /// Check that masters answer; without TARGET, all of them
    Check(Check),
    /// End masters now and verify that they have ended; with --all, reset everything
    Exit(Exit),
    /// Ask masters to accept no more sessions and end with their last one
    Stop(Stop),
    /// Remove sockets that are proven stale; without TARGET, all of them
    Clean(Clean),
    /// Print everything that is or will be wrong, with evidence and remedy
    Doctor(Doctor),
    /// Start a master in the background; a stranded one is ended first
    Open(Open),
    /// Keep a master open: hold one connection, so that ControlPersist does not end it
    Keep(Keep),
    /// Print, add or cancel forwardings of a master
    Forward(Forward),
    /// Compare the time of a fresh connection with that of a multiplexed one
    Test(Test),
    /// Start the applet at login
    Autostart {
        #[command(subcommand)]
        action: Autostart,
    },
    /// Print, edit or check muxtray's configuration file
    Config {
        #[command(subcommand)]
        action: Config,
    },
    /// Print a shell completion script
    Completions {
        /// bash, zsh, fish, elvish or powershell
        #[arg(hide_possible_values = true)]
        shell: Shell,
    },
    /// Print the man page in roff; read it with: muxtray man | man -l -
    Man,
}

impl Command {
    /// Whether the output is for programs, and therefore in English.
    #[must_use]
    pub fn is_for_programs(&self) -> bool {
        match self {
            Self::List(list) => *list.format() == Format::Json,
            Self::Hosts(Hosts { json })
            | Self::Check(Check { json, .. })
            | Self::Exit(Exit { json, .. })
            | Self::Stop(Stop { json, .. })
            | Self::Clean(Clean { json, .. })
            | Self::Open(Open { json, .. })
            | Self::Forward(Forward { json, .. })
            | Self::Test(Test { json, .. })
            | Self::Doctor(Doctor { json, .. }) => *json,
            Self::Autostart {
                action: Autostart::Status { json },
            }
            | Self::Config {
                action: Config::Check { json },
            } => *json,
            Self::Completions { .. } | Self::Man => true,
            _ => false,
        }
    }

    /// Whether the output shows masters to a user, so that a warning about running as root makes sense. `run` prints its
    /// own.
    #[must_use]
    pub fn shows_masters(&self) -> bool {
        let is_own = matches!(
            self,
            Self::Run(_) | Self::Autostart { .. } | Self::Config { .. }
        );
        !is_own && !self.is_for_programs()
    }
}

impl Default for Command {
    fn default() -> Self {
        Self::Run(Run::default())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Run {
    /// Watch and notify without an icon and a display
    #[arg(long)]
    pub no_tray: bool,
    /// Ask the muxtray that runs already, or a new one: show (its icon and details), check-all, clean or open-configuration
    #[arg(long)]
    pub action: Option<LauncherAction>,
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct List {
    /// Print one JSON object
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Print again on each change; with --json, one object a line
    #[arg(long)]
    pub watch: bool,
    /// table, json, waybar, or a line with values in braces
    #[arg(long, value_name = "FORMAT", default_value = "table", hide_default_value = true, long_help = FORMAT)]
    pub format: Format,
}

const FORMAT: &str = "\
table (the default), json, waybar (one line of JSON for a custom module), or a line with values in braces, such as \
'{masters} {problems}'. Values: masters, problems, sockets, sessions, hosts, summary, class (none, running or \
attention), and the name of each state for the number of sockets in it. With --watch, a line for each change";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    Waybar,
    Template(Template),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(format: &str) -> Result<Self, String> {
        match format {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            "waybar" => Ok(Self::Waybar),
            _ if format.contains(['{', '}']) => format.parse().map(Self::Template),
            _ => Err("expected table, json, waybar or a line with values in braces".to_owned()),
        }
    }
}

impl List {
    pub fn format(&self) -> &Format {
        if self.json {
            &Format::Json
        } else {
            &self.format
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Hosts {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Check {
    /// Masters to ask
    #[arg(value_name = "TARGET", value_parser = target(), value_hint = ValueHint::Hostname)]
    pub targets: Vec<OsString>,
    /// Without TARGET: include masters of Ansible, kitty and other programs
    #[arg(long)]
    pub managed: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Exit {
    /// Masters to end
    #[arg(
        value_name = "TARGET",
        value_parser = target(),
        value_hint = ValueHint::Hostname,
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub targets: Vec<OsString>,
    /// End all your masters, then remove the sockets that are proven stale
    #[arg(long)]
    pub all: bool,
    /// With --all: include masters of Ansible, kitty and other programs
    #[arg(long, requires = "all", conflicts_with = "targets")]
    pub managed: bool,
    /// Close open sessions and forwarded connections
    #[arg(long)]
    pub force: bool,
    /// End the process of a master that does not answer or has lost its socket
    #[arg(long)]
    pub end_process: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Stop {
    /// Masters to stop
    #[arg(value_name = "TARGET", value_parser = target(), value_hint = ValueHint::Hostname, required = true)]
    pub targets: Vec<OsString>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Clean {
    /// Sockets to remove
    #[arg(value_name = "TARGET", value_parser = target(), value_hint = ValueHint::Hostname)]
    pub targets: Vec<OsString>,
    /// Print the sockets that would be removed, and remove none
    #[arg(long)]
    pub dry_run: bool,
    /// Without TARGET: include sockets of Ansible, kitty and other programs
    #[arg(long)]
    pub managed: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Open {
    /// A host: an alias of the ssh configuration, or user@host:port
    #[arg(
        value_name = "HOST",
        value_parser = host(),
        value_hint = ValueHint::Hostname,
        required_unless_present = "all_stranded",
        conflicts_with = "all_stranded"
    )]
    pub host: Option<String>,
    /// Reconnect every stranded master, one after the other
    #[arg(long)]
    pub all_stranded: bool,
    /// End a stranded master although connections are open; they are lost anyway
    #[arg(long)]
    pub force: bool,
    /// Ask no person anything: fail instead of asking for a password, a passphrase or a host key
    #[arg(long)]
    pub batch: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Keep {
    /// The master to keep open
    #[arg(value_name = "HOST", value_parser = target(), value_hint = ValueHint::Hostname)]
    pub host: OsString,
    /// For this time, such as 2h or 90m; without it, until the command is interrupted
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
    pub time: Option<Duration>,
}

/// For a TARGET, or a HOST that can be a path.
fn target() -> impl TypedValueParser<Value = OsString> {
    OsStringValueParser::new().map(|typed| without_scheme(&typed).to_owned())
}

/// For a HOST.
fn host() -> impl TypedValueParser<Value = String> {
    StringValueParser::new().map(|typed| text::typed(without_scheme(typed.as_ref())))
}

/// Parses `2h` or `1h 30m`.
fn parse_time(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let is_sensible = !time.is_zero() && time <= LONGEST;
    is_sensible
        .then_some(time)
        .ok_or_else(|| "more than nothing, and at most a year".to_owned())
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(
    after_long_help = FORWARD,
    group = ArgGroup::new("forwardings").multiple(true).args(["local", "remote", "dynamic"])
)]
pub struct Forward {
    /// A host: an alias of the ssh configuration, or user@host:port; or the path of a control socket
    #[arg(value_name = "HOST", value_parser = target(), value_hint = ValueHint::Hostname)]
    pub host: OsString,
    /// Listen here and connect from the server, as ssh -L does
    #[arg(short = 'L', value_name = "SPEC")]
    pub local: Vec<OsString>,
    /// Listen on the server and connect from here, as ssh -R does
    #[arg(short = 'R', value_name = "SPEC")]
    pub remote: Vec<OsString>,
    /// Listen here for SOCKS, as ssh -D does
    #[arg(short = 'D', value_name = "SPEC")]
    pub dynamic: Vec<OsString>,
    /// Cancel the forwardings; the port on which one listens is enough
    #[arg(long, requires = "forwardings")]
    pub cancel: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

const FORWARD: &str = "\
Without a SPEC, the forwardings of the master are printed. SPEC is as for ssh: [ADDRESS:]PORT:HOST:HOSTPORT for -L and -R, \
[ADDRESS:]PORT for -D; a path in place of an address with its port; brackets around IPv6. If no master runs, one is started. \
No session and no open connection ends when a forwarding is cancelled.";

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Test {
    /// A host: an alias of the ssh configuration, or user@host:port
    #[arg(value_name = "HOST", value_parser = host(), value_hint = ValueHint::Hostname)]
    pub host: String,
    /// The number of connections of each kind
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Doctor {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Apply the safe remedies first: create directories, change modes, remove stale sockets
    #[arg(long)]
    pub fix: bool,
    /// Explain a message that ssh printed, with the present state; without LINE, those on standard input
    #[arg(
        long,
        value_name = "LINE",
        num_args = 0..=1,
        conflicts_with_all = ["json", "fix"],
        allow_hyphen_values = true
    )]
    pub explain: Option<Option<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
#[command(after_long_help = AUTOSTART)]
pub enum Autostart {
    /// Write an autostart file, unless systemd starts the applet
    Enable,
    /// Set Hidden=true in your autostart file
    Disable,
    /// Print what starts the applet at login; exit status 1 if nothing does
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

const AUTOSTART: &str = "\
The file is $XDG_CONFIG_HOME/autostart/io.github.muxtray.Muxtray.desktop. It overrides a system-wide file of that \
name, and your changes in it are kept. systemd can start the applet instead, with graphical-session.target: systemctl \
--user enable muxtray.service. If both do, only one applet runs.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Config {
    /// Print its path
    Path,
    /// Print the settings in force as a file
    Show,
    /// Open it in $VISUAL or $EDITOR, then check it
    Edit,
    /// Check whether it is valid
    Check {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in ["muxtray -F /f list --json", "muxtray list --json -F /f"] {
            let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(arguments.global.ssh_config, Some(PathBuf::from("/f")));
        }
    }
}
