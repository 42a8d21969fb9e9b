//! The command line as it is typed: names, options and their help. What they do is elsewhere.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

/// Everything that was typed.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(
    name = "muxtray",
    version,
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

const EXIT_STATUS: &str = "\
Exit status: 0 all well or done; 1 something is wrong with a TARGET, or an error was found; \
2 wrong usage or configuration; 3 could not find out.";

/// Options of every command.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Global {
    /// Use this ssh configuration only, as ssh -F does
    #[arg(short = 'F', long, value_name = "FILE", global = true)]
    pub ssh_config: Option<PathBuf>,
    /// Use this configuration file of muxtray's
    #[arg(long, value_name = "FILE", global = true)]
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
    /// Time a connection of its own against a multiplexed one, and say what stands in the way
    Test(Test),
    /// Print, edit or check muxtray's configuration file
    Config {
        /// What to do with it.
        #[command(subcommand)]
        action: Config,
    },
}

/// Without a command the applet runs.
impl Command {
    /// Whether programs read what it prints: then it is in English, whatever language the person speaks.
    #[must_use]
    pub const fn is_for_programs(&self) -> bool {
        match self {
            Self::List(list) => list.json,
            Self::Test(test) => test.json,
            Self::Doctor(doctor) => doctor.json,
            Self::Run(_)
            | Self::Check(_)
            | Self::Exit(_)
            | Self::Stop(_)
            | Self::Clean(_)
            | Self::Config { .. } => false,
        }
    }
}

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
    #[arg(value_name = "TARGET")]
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
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
}

/// `muxtray clean`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Clean {
    /// Sockets to remove
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Without TARGET: also the sockets of Ansible, kitty and other programs
    #[arg(long)]
    pub managed: bool,
}

/// `muxtray test`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Test {
    /// A host: an alias of the ssh configuration, or user@host:port
    #[arg(value_name = "HOST")]
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
