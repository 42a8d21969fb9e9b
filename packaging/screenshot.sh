#!/usr/bin/env bash
# Makes packaging/screenshot.png, the picture in the README: the applet in a real panel, its menu open over a few
# masters, one of them dead. Needs what tests/run.sh installs. Builds the applet where target/release has none;
# PROGRAMS names another directory.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=tests/stage.sh
. "$here/tests/stage.sh"
programs=${PROGRAMS:-$here/target/release}
picture=$here/packaging/screenshot.png

if [ ! -x "$programs/muxtray-applet" ]; then
    (cd "$here" && cargo build --release --locked)
fi

stage_begin "$programs" "$here/icons"
start_masters
start_display
start openbox openbox
start_xfce_panel light
# A notification would stand half behind the menu.
printf '[notifications]\nenabled = false\n' >>"$XDG_CONFIG_HOME/muxtray/config.toml"
start_muxtray

# Opens the menu and its first submenu, as a person would, and waits until the picture stands still.
wait_for "the panel is drawn" still
pointer mousemove $((width - 16)) 15 click 1
wait_for "the menu is open" still
pointer key Down Right
wait_for "the submenu is open" still

# The empty desktop gets a colour. What is left of it beside and below the menus goes.
empty='#3d5a6c'
convert "$work/after.png" -fill "$empty" -draw "color 0,$((height - 1)) floodfill" "$work/coloured.png"
read -r left bottom < <(
    convert "$work/coloured.png" -crop "${width}x$((height - 32))+0+32" +repage -trim \
        -format '%[fx:page.x] %[fx:page.y+h+32]\n' info:
)
left=$((left > 16 ? left - 16 : 0))
convert "$work/coloured.png" -crop "$((width - left))x$((bottom + 16))+$left+0" +repage -strip "$picture"
echo "$picture"
