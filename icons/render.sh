#!/bin/sh
# Renders the drawings to PNGs: the sizes of icon themes, which are also built into the applet, and one picture for
# panels that accept pixels only. Needs rsvg-convert (Debian: librsvg2-bin). Run it after changing a drawing, and commit
# the result.
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
        # Each look has two drawings, on grids of 16 and 22, so that lines lie on whole pixels in these sizes and their
        # multiples. 24 is 22 with a margin.
        case $size in
            16 | 32 | 48) render "small/$look.svg" "$size" 0 "$picture" ;;
            24) render "hicolor/scalable/apps/$file.svg" "$size" 1 "$picture" ;;
            *) render "hicolor/scalable/apps/$file.svg" "$size" 0 "$picture" ;;
        esac
    done
    # Twice 22: panels of 22 pixels halve it; on a screen with double density it is shown unscaled.
    render "hicolor/scalable/apps/$file.svg" 44 0 "tray/$look.png"
done
