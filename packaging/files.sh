# shellcheck shell=sh
# What is installed and where: the one list that the packages and packaging/setup.sh share. Sourced, not run.
#
# There are two parts. `muxtray` is the command line, which needs no GTK: all that a server wants. `muxtray-applet` is
# the tray, and what makes it at home on a desktop. They are packages of their own because the applet links GTK 3: one
# package would bring it to every server, or leave out of its dependencies what its program cannot start without.

name=io.github.muxtray.Muxtray

# Where the systems differ, below the prefix. Whoever sources this file may set them otherwise.
applet_directory=libexec/muxtray
unit_directory=lib/systemd/user
zsh_directory=share/zsh/site-functions

# Prints a line "MODE SOURCE TARGET" for every file of a part; the target is relative to the prefix, and no name has a
# space. Runs in the root of the source. Call: installed_files PART PROGRAMS DOCUMENTS, with the directory of the
# built programs, and that of what make_documents made.
installed_files() {
    case $1 in
    muxtray)
        cat <<END
755 $2/muxtray bin/muxtray
644 $3/muxtray.1.gz share/man/man1/muxtray.1.gz
644 $3/muxtray.bash share/bash-completion/completions/muxtray
644 $3/muxtray.zsh $zsh_directory/_muxtray
644 $3/muxtray.fish share/fish/vendor_completions.d/muxtray.fish
END
        ;;
    muxtray-applet)
        cat <<END
755 $2/muxtray-applet $applet_directory/muxtray-applet
644 packaging/$name.desktop share/applications/$name.desktop
644 packaging/$name.metainfo.xml share/metainfo/$name.metainfo.xml
644 packaging/muxtray.service $unit_directory/muxtray.service
END
        (cd icons && find hicolor -type f) | LC_ALL=C sort | sed 's|.*|644 icons/& share/icons/&|'
        ;;
    *) fail "there is no part $1" ;;
    esac
}

# Has the program write its man page and completions: make_documents PROGRAM DIRECTORY
make_documents() {
    mkdir -p "$2"
    "$1" man >"$2/muxtray.1" || fail "$1 cannot write its man page"
    gzip -9nf "$2/muxtray.1"
    for shell in bash zsh fish; do
        "$1" completions "$shell" >"$2/muxtray.$shell" || fail "$1 cannot write its completions for $shell"
    done
}
