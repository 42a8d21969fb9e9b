#!/bin/sh
# Builds the packages into dist/. The packages are reproducible: with the same toolchain, libraries and packaging tools,
# the same source gives the same bytes in any directory at any time.
#
# Both packages of a format come from one build. packaging/files.sh lists the files of each. dist/tree/FORMAT/PACKAGE
# holds the files to install; the metadata is in Cargo.toml.
set -eu

usage() {
    cat <<'END'
Usage: packaging/build.sh [--tools | --tree FORMAT | FORMAT…]

  FORMAT   deb or rpm; both when none is named
  --tools  only install cargo-deb and cargo-generate-rpm
  --tree   only lay out the files for that format in dist/tree; also accepts arch, for the PKGBUILD

Environment:
  SOURCE_DATE_EPOCH   the time stamp in the packages; by default the time of the last commit
  PACKAGING_TOOLS     the directory of cargo-deb and cargo-generate-rpm, which are installed there if missing;
                      by default target/packaging-tools
  PROGRAMS            a directory of built programs to pack; by default they are built into target/release
END
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=packaging/packages.sh
. "$here/packaging/packages.sh"
# shellcheck source=packaging/files.sh
. "$here/packaging/files.sh"

# The maintainer named in the packages. They are not signed, and the address receives no mail.
maintainer="The muxtray contributors <maintainers@muxtray.invalid>"
parts="muxtray muxtray-applet"

# The output depends on the versions of both tools, so these are fixed.
install_packaging_tools() {
    for tool in cargo-deb@3.8.0 cargo-generate-rpm@0.21.1; do
        case $("$tools/bin/${tool%@*}" --version 2>/dev/null) in
        *"${tool#*@}") continue ;;
        esac
        say "Installing $tool in $tools."
        # A debug build is fast enough, and builds sooner.
        CARGO_PROFILE_DEV_DEBUG=none cargo install --quiet --locked --profile dev --root "$tools" \
            --target-dir "$tools/build" "$tool" ||
            fail "$tool could not be installed"
    done
    rm -rf "$tools/build"
}

# Prints the licence and changelog files that only packages install, in the form of installed_files.
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

# Copies the files of each package of this format to dist/tree.
lay_out() {
    format=$1
    applet_directory=libexec/muxtray
    zsh_directory=share/zsh/site-functions
    case $format in
    deb) zsh_directory=share/zsh/vendor-completions ;;
    # Arch has no libexec. muxtray also finds the applet in its own directory.
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
    # dpkg-shlibdeps finds the libraries that the packages depend on.
    command -v dpkg-shlibdeps >/dev/null || fail ".deb packages are built on Debian and its descendants"
    lay_out deb
    for part in $parts; do
        variant=
        [ "$part" = muxtray ] || variant=--variant=applet
        # An empty $variant must not become an argument.
        # shellcheck disable=SC2086
        "$tools/bin/cargo-deb" --quiet --no-build --no-strip --no-dbgsym --maintainer "$maintainer" \
            --deb-revision 1 --output dist/ $variant
    done
}

make_rpm() {
    [ -x /usr/lib/rpm/find-requires ] || fail "/usr/lib/rpm/find-requires is missing; install rpm"
    lay_out rpm
    licence=$(python3 packaging/copyright.py --spdx)
    for part in $parts; do
        variant=
        [ "$part" = muxtray ] || variant=--variant=applet
        # rpm's own script finds the linked libraries. The tool's own search would add their dependencies too.
        # shellcheck disable=SC2086
        "$tools/bin/cargo-generate-rpm" --auto-req find-requires --payload-compress zstd \
            --set-metadata "vendor = \"${maintainer% <*}\"" --set-metadata "license = \"$licence\"" \
            --output dist/ $variant
    done
}

formats=
tree=
only_tools=
while [ $# -gt 0 ]; do
    case $1 in
    --tree)
        tree=${2:-}
        case $tree in
        deb | rpm | arch) shift ;;
        *) usage >&2 && exit 2 ;;
        esac
        ;;
    --tools) only_tools=yes ;;
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
if [ -n "$only_tools" ]; then
    install_packaging_tools
    exit
fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} ||
    fail "no git history to take a date from; set SOURCE_DATE_EPOCH"
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
# The applet's packages depend on the muxtray of the same version, which Cargo.toml repeats as a literal.
[ "$(grep -c "= $version-1[\")]" Cargo.toml)" = 2 ] ||
    fail "the applet's packages do not depend on muxtray $version-1; see [package.metadata] in Cargo.toml"

install_packages build tray
if [ -z "$tree" ]; then
    install_packages packing
    install_packaging_tools
fi
built=${PROGRAMS:-}
if [ -z "$built" ]; then
    say "Building the programs; the first time takes a few minutes."
    build_release "$target"
    built=$target/release
fi
documents=$(mktemp -d)
trap 'rm -rf "$documents"' EXIT
trap 'exit 1' HUP INT TERM
make_documents "$built/muxtray" "$documents"
python3 packaging/copyright.py >"$documents/copyright"
gzip -9nc CHANGELOG.md >"$documents/changelog.gz"
for part in $parts; do
    gzip -9nc >"$documents/changelog.Debian.$part.gz" <<END
$part ($version-1) unstable; urgency=medium

  * Packaged by packaging/build.sh; see changelog.gz for the changes.

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
# A format that is not asked for may have no package here.
for format in $formats; do
    ls dist/*."$format"
done
