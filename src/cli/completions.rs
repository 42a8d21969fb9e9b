//! `muxtray completions SHELL`: what a shell needs to complete muxtray's commands and options, from their definition.
//!
//! Where a TARGET or HOST stands, bash, zsh and fish complete hosts as they do for ssh: each has a function for that,
//! which reads the ssh configuration. So nothing of muxtray runs while somebody types. Left out are the names that are
//! no hosts ([`crate::core::places::is_local_name`]).

use std::io::{self, Write};

use clap::{Command, CommandFactory as _, ValueHint};
use clap_complete::Shell;

use super::args::Arguments;
use super::outcome::Outcome;

pub(super) fn print(shell: Shell, out: &mut dyn Write) -> io::Result<Outcome> {
    let mut command = Arguments::command();
    // Written at once: the generator panics where a pipe's reader has gone away.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "muxtray", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match shell {
        Shell::Bash => {
            script.into_owned() + &BASH_HOSTS.replace("COMMANDS", &of_hosts(&command).join("|"))
        }
        Shell::Fish => {
            script.into_owned()
                + &FISH_POSITIONALS.replace("COMMANDS", &of_hosts(&command).join(" "))
        }
        // The generator takes the function that knows of no ssh configuration.
        Shell::Zsh => script.replace(":_hosts'", ":_ssh_hosts -F \"(.* */*)\"'"),
        // Elvish and PowerShell have nothing of the kind.
        _ => script.into_owned(),
    };
    out.write_all(script.as_bytes())?;
    Ok(Outcome::Well)
}

/// The commands that take hosts.
fn of_hosts(command: &Command) -> Vec<&str> {
    let takes_hosts = |command: &&Command| {
        command
            .get_positionals()
            .any(|argument| argument.get_value_hint() == ValueHint::Hostname)
    };
    let commands = command.get_subcommands().filter(takes_hosts);
    commands.map(Command::get_name).collect()
}

/// bash-completion's function where that is loaded, else bash's own list of hosts.
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

/// Its generator leaves out what stands in a place of its own.
const FISH_POSITIONALS: &str = r#"complete -c muxtray -n "__fish_muxtray_using_subcommand COMMANDS" -a "(__fish_print_hostnames | string match -rv '^\\.|/')"
complete -c muxtray -n "__fish_muxtray_using_subcommand completions" -f -a "bash elvish fish powershell zsh"
"#;
