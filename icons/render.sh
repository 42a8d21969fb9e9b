#!/bin/sh
# Renders the drawings in hicolor/scalable to the sizes that icon themes keep, and to those the applet has built in.
# Needs rsvg-convert (Debian: librsvg2-bin). Run it after changing a drawing, and commit what it makes.
set -eu
cd "$(dirname "$0")"

command -v rsvg-convert >/dev/null || {
    echo "render.sh: rsvg-convert is missing; install librsvg2-bin (Debian), librsvg2-tools (Fedora) or librsvg (Arch)" >&2
    exit 1
}

name=io.github.muxtray.Muxtray
for look in "" -idle -attention; do
    drawing=hicolor/scalable/apps/$name$look.svg
    for size in 16 22 24 32 48 64 128; do
        directory=hicolor/${size}x$size/apps
        mkdir -p "$directory"
        rsvg-convert --width "$size" --height "$size" "$drawing" --output "$directory/$name$look.png"
    done
done

# Twice 22: panels of 22 pixels halve it, those of a screen with twice the density show it as it is.
mkdir -p tray
for look in running idle attention; do
    case $look in
        running) drawing=hicolor/scalable/apps/$name.svg ;;
        *) drawing=hicolor/scalable/apps/$name-$look.svg ;;
    esac
    rsvg-convert --width 44 --height 44 "$drawing" --output "tray/$look.png"
done
