# shellcheck shell=sh
# The list of installed files and their targets, shared by the packages and packaging/setup.sh. Sourced, not run.
#
# There are two parts. `muxtray` is the command line, which needs no GTK. `muxtray-applet` is the tray with its desktop
# files and icons. They are separate packages because the applet links GTK 3, which a server should not have to install.

name=io.github.muxtray.Muxtray

# Directories below the prefix that differ between systems. A script that sources this file may change them.
applet_directory=libexec/muxtray
unit_directory=lib/systemd/user
zsh_directory=share/zsh/site-functions

# Prints a line "MODE SOURCE TARGET" for every file of a part. TARGET is relative to the prefix; no name has a space.
# Runs in the root of the source: installed_files PART PROGRAMS DOCUMENTS, with the directory of the built programs and
# the directory that make_documents filled.
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

# Writes the man page and completions: make_documents PROGRAM DIRECTORY
make_documents() {
    mkdir -p "$2"
    "$1" man >"$2/muxtray.1" || fail "$1 cannot write its man page"
    gzip -9nf "$2/muxtray.1"
    for shell in bash zsh fish; do
        "$1" completions "$shell" >"$2/muxtray.$shell" || fail "$1 cannot write its completions for $shell"
    done
}
