# shellcheck shell=sh
# Functions for the person's shell: how it finds the installed programs and completions. Sourced, not run.

# Prints a path as a word of a command, in every shell.
word() { printf '"%s"' "$(below "$1" "\$HOME")"; }

# Prints a path as text.
shown() { below "$1" '~'; }

# Prints the path $1 with $2 in place of the home directory.
below() {
    case $1 in
    "$HOME"/*) printf '%s/%s' "$2" "${1#"$HOME"/}" ;;
    *) printf '%s' "$1" ;;
    esac
}

# Prints the name of the login shell. SHELL is missing where nobody logged in: in a container, under cron.
login_shell() {
    path=${SHELL:-$(getent passwd "$(id -u)" | cut -d: -f7)}
    say "${path##*/}"
}

# Prints the name of the shell in which this script was started, or else of the login shell.
shell_name() {
    for shell in "$(cat "/proc/$PPID/comm" 2>/dev/null)" "$(login_shell)"; do
        case $shell in
        bash | zsh | fish | dash | sh)
            say "$shell"
            return
            ;;
        esac
    done
    say sh
}

# Prints how the shell finds the programs in the directory $1, if it does not yet.
explain_path() {
    case ":$PATH:" in
    *":$1:"*) return ;;
    esac
    shell=$(shell_name)
    # bash reads the first of its files only. zsh and fish do not read ~/.profile.
    profile=
    case $shell in
    bash) set -- "$1" .bash_profile .bash_login .profile ;;
    dash | sh) set -- "$1" .profile ;;
    *) set -- "$1" ;;
    esac
    directory=$1
    shift
    for file in "$@"; do
        if [ -f "$HOME/$file" ]; then
            profile=$file
            break
        fi
    done
    # Without "export": it is exported already, and old shells split the words after it.
    line="PATH=$(word "$directory"):\$PATH"
    if [ -n "$profile" ] && [ "$directory" = "$HOME/.local/bin" ] && grep -q '\.local/bin' "$HOME/$profile"; then
        say "From your next login on, ~/$profile puts $(shown "$directory") into PATH. For this shell, run:"
        say "    $line"
        return
    fi
    say "$(shown "$directory") is not in your PATH. Run this line once:"
    case $shell in
    fish) say "    fish_add_path $(word "$directory")" ;;
    zsh) say "    echo '$line' >>~/.zshrc && $line" ;;
    bash) say "    echo '$line' >>~/.bashrc && $line" ;;
    *) say "    echo '$line' >>~/.profile && $line" ;;
    esac
}

# Sets zsh_directory, below the prefix $1, to a directory in the home that the person's zsh searches for completions, and
# zsh_needs_line to "yes" if there is none. The answer of zsh is marked, because ~/.zshrc may print something too.
find_zsh_directory() {
    # The script that sources this file prints the line.
    # shellcheck disable=SC2034
    zsh_needs_line=no
    command -v zsh >/dev/null 2>&1 || return 0
    # shellcheck disable=SC2016
    searched=$(timeout 10 zsh -ic 'print -rl -- "fpath:"$^fpath' </dev/null 2>/dev/null | sed -n 's/^fpath://p')
    if printf '%s\n' "$searched" | grep -qxF "$1/$zsh_directory"; then
        return
    fi
    zsh_needs_line=yes
    # An installation elsewhere leaves the home directory alone.
    [ "$1" = "$HOME/.local" ] || return 0
    while read -r directory; do
        case $directory in
        # These are parts of other checkouts.
        */plugins/* | */.oh-my-zsh/completions) ;;
        "$HOME"/*completions | "$HOME"/*site-functions | "$HOME"/*zfunc)
            if [ -d "$directory" ] && [ -w "$directory" ]; then
                zsh_directory=../${directory#"$HOME"/}
                # shellcheck disable=SC2034
                zsh_needs_line=no
                return
            fi
            ;;
        esac
    done <<END
$searched
END
}
