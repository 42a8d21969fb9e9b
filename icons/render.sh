#!/bin/sh
# Renders the drawings to the sizes that icon themes keep, which the applet has built in too, and to the one picture for
# panels that take pixels. Needs rsvg-convert (Debian: librsvg2-bin). Run it after changing a drawing, and commit what
# it makes.
set -eu
cd "$(dirname "$0")"

command -v rsvg-convert >/dev/null || {
    echo "render.sh: rsvg-convert is missing; install librsvg2-bin (Debian), librsvg2-tools (Fedora) or librsvg (Arch)" >&2
    exit 1
}

# render DRAWING SIZE MARGIN FILE
render() {
    inner=$(($2 - 2 * $3))
    rsvg-convert --width "$inner" --height "$inner" --page-width "$2" --page-height "$2" --left "$3" --top "$3" \
        "$1" --output "$4"
}

name=io.github.muxtray.Muxtray
mkdir -p tray
for look in running idle attention; do
    case $look in
        running) file=$name ;;
        *) file=$name-$look ;;
    esac
    for size in 16 22 24 32 48 64 128; do
        mkdir -p "hicolor/${size}x$size/apps"
        picture=hicolor/${size}x$size/apps/$file.png
        # There are two drawings of each look, on grids of 16 and 22: lines lie on whole pixels in these sizes and their
        # multiples. A picture of 24 is one of 22 with a margin.
        case $size in
            16 | 32 | 48) render "small/$look.svg" "$size" 0 "$picture" ;;
            24) render "hicolor/scalable/apps/$file.svg" "$size" 1 "$picture" ;;
            *) render "hicolor/scalable/apps/$file.svg" "$size" 0 "$picture" ;;
        esac
    done
    # Twice 22: panels of 22 pixels halve it, those of a screen with twice the density show it as it is.
    render "hicolor/scalable/apps/$file.svg" 44 0 "tray/$look.png"
done
