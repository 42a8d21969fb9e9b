//! `muxtray completions SHELL`. bash, zsh and fish complete hosts with their own functions for ssh, which read the ssh
//! configuration. Names that are not hosts are left out ([`crate::model::places::is_local_name`]).

use std::io::{self, Write};

use clap::{Command, CommandFactory as _, ValueHint};
use clap_complete::Shell;

use super::args::Arguments;
use super::outcome::Outcome;

pub(super) fn print(shell: Shell, out: &mut dyn Write) -> io::Result<Outcome> {
    let mut command = Arguments::command();
    // The generator panics if it writes to a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "muxtray", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match shell {
        Shell::Bash => {
            script.into_owned()
                + &BASH_HOSTS.replace("COMMANDS", &commands_with_hosts(&command).join("|"))
        }
        Shell::Fish => {
            script.into_owned()
                + &FISH_POSITIONALS.replace("COMMANDS", &commands_with_hosts(&command).join(" "))
        }
        // _hosts does not read the ssh configuration.
        Shell::Zsh => script.replace(":_hosts'", ":_ssh_hosts -F \"(.* */*)\"'"),
        // Elvish and PowerShell have no such function.
        _ => script.into_owned(),
    };
    out.write_all(script.as_bytes())?;
    Ok(Outcome::Well)
}

fn commands_with_hosts(command: &Command) -> Vec<&str> {
    let takes_hosts = |command: &&Command| {
        command
            .get_positionals()
            .any(|argument| argument.get_value_hint() == ValueHint::Hostname)
    };
    let commands = command.get_subcommands().filter(takes_hosts);
    commands.map(Command::get_name).collect()
}

/// Uses bash-completion's function if that is loaded, else bash's list of hosts.
const BASH_HOSTS: &str = r#"
_muxtray_with_hosts() {
    _muxtray "$@"
    [[ $2 == -* ]] && return
    local word name
    local -a found=("${COMPREPLY[@]}")
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in
        COMMANDS)
            COMPREPLY=()
            if declare -F _known_hosts_real >/dev/null; then
                _known_hosts_real -a -- "$2"
            else
                COMPREPLY=($(compgen -A hostname -- "$2"))
            fi
            for name in "${COMPREPLY[@]}"; do
                [[ ${name##*@} == .* || $name == */* ]] || found+=("$name")
            done
            COMPREPLY=("${found[@]}")
            return
            ;;
        esac
    done
}
complete -F _muxtray_with_hosts -o bashdefault -o default muxtray
"#;

/// The generator does not complete positional arguments for fish.
const FISH_POSITIONALS: &str = r#"complete -c muxtray -n "__fish_muxtray_using_subcommand COMMANDS" -a "(__fish_print_hostnames | string match -rv '^\\.|/')"
complete -c muxtray -n "__fish_muxtray_using_subcommand completions" -f -a "bash elvish fish powershell zsh"
"#;
