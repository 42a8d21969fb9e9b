#!/bin/sh
# Builds the packages into dist/. The same source gives the same packages, byte for byte, wherever it lies and whenever
# it is built: with the same toolchain, the same libraries and these tools.
#
# Both packages of a format come of one build; packaging/files.sh says what is in which, and why there are two.
# dist/tree/FORMAT/PACKAGE holds what a package will install, and Cargo.toml what it says of itself.
set -eu

usage() {
    cat <<'END'
Usage: packaging/build.sh [--tree FORMAT | FORMAT…]

  FORMAT   deb or rpm; both when none is named
  --tree   only lay out in dist/tree what packages of that format install; arch is known here, for the PKGBUILD

Environment:
  SOURCE_DATE_EPOCH   the time that goes into the packages; by default the last commit's
  PACKAGING_TOOLS     where cargo-deb and cargo-generate-rpm are, or are to be installed; by default
                      target/packaging-tools
END
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$here/packaging/packages.sh"
# shellcheck source=packaging/files.sh
. "$here/packaging/files.sh"

# Whom the packages name. They are not signed, and this address takes no mail.
maintainer="The muxtray contributors <maintainers@muxtray.invalid>"
parts="muxtray muxtray-applet"

# Both tools decide what a package looks like, so their versions are part of it.
install_packaging_tools() {
    for tool in cargo-deb@3.8.0 cargo-generate-rpm@0.21.1; do
        case $("$tools/bin/${tool%@*}" --version 2>/dev/null) in
        *"${tool#*@}") continue ;;
        esac
        say "Installing $tool in $tools."
        # A debug build packs as well, and is there in half a minute.
        cargo install --quiet --locked --profile dev --root "$tools" --target-dir "$tools/build" "$tool" ||
            fail "$tool could not be installed"
    done
    rm -rf "$tools/build"
}

# What goes beside the files that every installation has: licences, and what has changed.
installed_documents() {
    case $format in
    deb)
        cat <<END
644 $documents/copyright share/doc/$1/copyright
644 $documents/changelog.gz share/doc/$1/changelog.gz
644 $documents/changelog.Debian.$1.gz share/doc/$1/changelog.Debian.gz
END
        ;;
    rpm | arch)
        cat <<END
644 $documents/copyright share/licenses/$1/copyright
644 LICENSE-APACHE share/licenses/$1/LICENSE-APACHE
644 LICENSE-MIT share/licenses/$1/LICENSE-MIT
644 CHANGELOG.md share/doc/$1/CHANGELOG.md
END
        ;;
    esac
}

# Lays out what the packages of this format install.
lay_out() {
    format=$1
    applet_directory=libexec/muxtray
    zsh_directory=share/zsh/site-functions
    case $format in
    deb) zsh_directory=share/zsh/vendor-completions ;;
    # Arch has no libexec, and muxtray finds the applet beside itself too.
    arch) applet_directory=bin ;;
    esac
    rm -rf "dist/tree/$format"
    for part in $parts; do
        { installed_files "$part" "$built" "$documents" && installed_documents "$part"; } >"$documents/files"
        while read -r mode source target_file; do
            install -D -m "$mode" "$source" "dist/tree/$format/$part/usr/$target_file"
        done <"$documents/files"
    done
}

make_deb() {
    # Without it the packages would not say which libraries they need.
    command -v dpkg-shlibdeps >/dev/null || fail ".deb packages are built on Debian and its descendants"
    lay_out deb
    for part in $parts; do
        variant=
        [ "$part" = muxtray ] || variant=--variant=applet
        # The one or no argument that it is.
        # shellcheck disable=SC2086
        "$tools/bin/cargo-deb" --quiet --no-build --no-strip --no-dbgsym --maintainer "$maintainer" \
            --deb-revision 1 --output dist/ $variant
    done
}

make_rpm() {
    [ -x /usr/lib/rpm/find-requires ] || fail "rpm's find-requires is not here, which says what libraries are needed"
    lay_out rpm
    licence=$(python3 packaging/copyright.py --spdx)
    for part in $parts; do
        variant=
        [ "$part" = muxtray ] || variant=--variant=applet
        # What is linked is found by rpm's own script. The tool would name all that those libraries need here, too.
        # shellcheck disable=SC2086
        "$tools/bin/cargo-generate-rpm" --auto-req find-requires --payload-compress zstd \
            --set-metadata "vendor = \"${maintainer% <*}\"" --set-metadata "license = \"$licence\"" \
            --output dist/ $variant
    done
}

formats=
tree=
while [ $# -gt 0 ]; do
    case $1 in
    --tree)
        tree=${2:-}
        case $tree in
        deb | rpm | arch) shift ;;
        *) usage >&2 && exit 2 ;;
        esac
        ;;
    deb | rpm) formats="$formats $1" ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
    shift
done
formats=${formats:-deb rpm}

cd "$here"
find_cargo
umask 022
LC_ALL=C.UTF-8 TZ=UTC
export LC_ALL TZ
target=${CARGO_TARGET_DIR:-$here/target}
tools=${PACKAGING_TOOLS:-$here/target/packaging-tools}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} ||
    fail "there is no git history here to take a date from; set SOURCE_DATE_EPOCH"
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
# The applet's packages ask for the command line of their own version, and Cargo.toml cannot say it but in figures.
[ "$(grep -c "= $version-1[\")]" Cargo.toml)" = 2 ] ||
    fail "the applet's packages do not depend on muxtray $version-1; see [package.metadata] in Cargo.toml"

install_build_packages
install_tray_packages
if [ -z "$tree" ]; then
    install_packing_packages
    install_packaging_tools
fi
say "Building the programs; the first time takes a few minutes."
build_release "$target"

built=$target/release
documents=$(mktemp -d)
trap 'rm -rf "$documents"' EXIT
make_documents "$built/muxtray" "$documents"
python3 packaging/copyright.py >"$documents/copyright"
gzip -9nc CHANGELOG.md >"$documents/changelog.gz"
for part in $parts; do
    gzip -9nc >"$documents/changelog.Debian.$part.gz" <<END
$part ($version-1) unstable; urgency=medium

  * Packaged by packaging/build.sh; changelog.gz says what is new.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
done

if [ -n "$tree" ]; then
    lay_out "$tree"
    exit
fi
for format in $formats; do
    say "Packing: $format."
    rm -f dist/*."$format"
    "make_$format"
done
ls dist/*.deb dist/*.rpm 2>/dev/null
