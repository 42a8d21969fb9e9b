//! The command line as it is typed: names, options and their help. What they do is elsewhere.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

/// Everything that was typed.
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
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do; `run` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const LONG_ABOUT: &str = "\
Watches OpenSSH's control sockets from the desktop tray, without touching them.

Without a command it runs the tray applet. TARGET is a host alias of the ssh configuration, user@host[:port], \
or the path of a control socket.";

/// What the exit statuses mean.
pub(super) const EXIT_STATUS: &str = "\
Exit status: 0 all well or done; 1 something is wrong with a TARGET, or an error was found; \
2 wrong usage or configuration; 3 could not find out.";

/// Options of every command.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Global {
    /// Use this ssh configuration only, as ssh -F does
    #[arg(short = 'F', long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true)]
    pub ssh_config: Option<PathBuf>,
    /// Use this configuration file of muxtray's
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true)]
    pub config: Option<PathBuf>,
    /// Say more on standard error; twice, still more
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the tray applet: watch, show, notify
    Run(Run),
    /// Print every control socket and its state, touching none
    List(List),
    /// Ask masters whether they answer; without TARGET, all of them
    Check(Check),
    /// End masters now, and verify that they have; with --all, reset everything
    Exit(Exit),
    /// Ask masters to accept no more sessions and end with their last one
    Stop(Stop),
    /// Remove what is proven stale, nothing else; without TARGET, all of it
    Clean(Clean),
    /// Say everything that is or will be wrong, each with evidence and remedy
    Doctor(Doctor),
    /// Start a master in the background; one whose network is gone is ended first
    Open(Open),
    /// Time a connection of its own against a multiplexed one, and say what stands in the way
    Test(Test),
    /// Start the applet at login, or not, or say what starts it
    Autostart {
        /// What to do.
        #[command(subcommand)]
        action: Autostart,
    },
    /// Print, edit or check muxtray's configuration file
    Config {
        /// What to do with it.
        #[command(subcommand)]
        action: Config,
    },
    /// Print what makes a shell complete muxtray's commands, options and hosts
    Completions {
        /// bash, zsh, fish, elvish or powershell
        #[arg(hide_possible_values = true)]
        shell: Shell,
    },
    /// Print the man page in roff (to read it: muxtray man | man -l -)
    Man,
}

impl Command {
    /// Whether programs read what it prints: then it is in English, whatever language the person speaks.
    #[must_use]
    pub const fn is_for_programs(&self) -> bool {
        match self {
            Self::List(list) => list.json,
            Self::Test(test) => test.json,
            Self::Doctor(doctor) => doctor.json,
            Self::Completions { .. } | Self::Man => true,
            Self::Run(_)
            | Self::Check(_)
            | Self::Exit(_)
            | Self::Stop(_)
            | Self::Clean(_)
            | Self::Open(_)
            | Self::Autostart { .. }
            | Self::Config { .. } => false,
        }
    }

    /// Whether it shows a person the masters of whoever runs it, once. `run` says for itself what it shows.
    #[must_use]
    pub const fn shows_masters(&self) -> bool {
        match self {
            Self::Run(_) | Self::Autostart { .. } | Self::Config { .. } => false,
            Self::List(_)
            | Self::Check(_)
            | Self::Exit(_)
            | Self::Stop(_)
            | Self::Clean(_)
            | Self::Doctor(_)
            | Self::Open(_)
            | Self::Test(_)
            | Self::Completions { .. }
            | Self::Man => !self.is_for_programs(),
        }
    }
}

/// Without a command the applet runs.
impl Default for Command {
    fn default() -> Self {
        Self::Run(Run::default())
    }
}

/// `muxtray run`
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Run {
    /// Watch and notify without an icon; needs no display
    #[arg(long)]
    pub no_tray: bool,
}

/// `muxtray list`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct List {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Print again on each change; with --json, one object a line
    #[arg(long)]
    pub watch: bool,
}

/// `muxtray check`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Check {
    /// Masters to ask
    #[arg(value_name = "TARGET", value_hint = ValueHint::Hostname)]
    pub targets: Vec<String>,
    /// Without TARGET: also the masters of Ansible, kitty and other programs
    #[arg(long)]
    pub managed: bool,
}

/// `muxtray exit`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Exit {
    /// Masters to end
    #[arg(
        value_name = "TARGET",
        value_hint = ValueHint::Hostname,
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub targets: Vec<String>,
    /// End every master of yours, then remove what is proven stale: a whole reset
    #[arg(long)]
    pub all: bool,
    /// With --all: also the masters of Ansible, kitty and other programs
    #[arg(long, requires = "all", conflicts_with = "targets")]
    pub managed: bool,
    /// End them though sessions are open; the sessions end too
    #[arg(long)]
    pub force: bool,
    /// End the process of a master that does not answer or has lost its socket; one that answers is left alone
    #[arg(long)]
    pub end_process: bool,
}

/// `muxtray stop`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Stop {
    /// Masters to stop
    #[arg(value_name = "TARGET", value_hint = ValueHint::Hostname, required = true)]
    pub targets: Vec<String>,
}

/// `muxtray clean`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Clean {
    /// Sockets to remove
    #[arg(value_name = "TARGET", value_hint = ValueHint::Hostname)]
    pub targets: Vec<String>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Without TARGET: also the sockets of Ansible, kitty and other programs
    #[arg(long)]
    pub managed: bool,
}

/// `muxtray open`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Open {
    /// A host: an alias of the ssh configuration, or user@host:port
    #[arg(value_name = "HOST", value_hint = ValueHint::Hostname)]
    pub host: String,
    /// End a master whose network is gone though sessions are open; they are lost anyway
    #[arg(long)]
    pub force: bool,
}

/// `muxtray test`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Test {
    /// A host: an alias of the ssh configuration, or user@host:port
    #[arg(value_name = "HOST", value_hint = ValueHint::Hostname)]
    pub host: String,
    /// How many connections of each kind
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `muxtray doctor`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Doctor {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Apply the safe remedies first: missing directories, modes, stale sockets
    #[arg(long)]
    pub fix: bool,
    /// Say what a line that ssh printed means, and what is true now; without LINE, of standard input
    #[arg(
        long,
        value_name = "LINE",
        num_args = 0..=1,
        conflicts_with_all = ["json", "fix"],
        allow_hyphen_values = true
    )]
    pub explain: Option<Option<String>>,
}

/// `muxtray autostart`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
#[command(after_long_help = AUTOSTART)]
pub enum Autostart {
    /// Have the desktop start the applet at login; nothing to do where systemd does
    Enable,
    /// Have no autostart file start it, by Hidden=true in your own
    Disable,
    /// Say what starts it: exit status 0 if something does, 1 if nothing does
    Status,
}

const AUTOSTART: &str = "\
The file is $XDG_CONFIG_HOME/autostart/io.github.muxtray.Muxtray.desktop. It takes the place of a system-wide one of \
that name, and what you changed in it stays. Who prefers systemd enables muxtray.service instead: systemctl --user \
enable muxtray.service. It is started with graphical-session.target, where the desktop has that. Both together start \
one applet only.";

/// `muxtray config`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Config {
    /// Print where it is
    Path,
    /// Print the settings in force, as a file
    Show,
    /// Open it in $VISUAL or $EDITOR, and check it afterwards
    Edit,
    /// Say whether it is valid
    Check,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
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
