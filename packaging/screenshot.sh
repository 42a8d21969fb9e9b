#!/usr/bin/env bash
# Takes packaging/screenshot.png, the picture in the README: the applet in a real panel, its menu open, with a few
# masters and one stale socket. Needs the packages that tests/run.sh installs. Builds the applet if target/release has
# none; PROGRAMS selects another directory.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=tests/screenshot_session.sh
. "$here/tests/screenshot_session.sh"
programs=${PROGRAMS:-$here/target/release}
picture=$here/packaging/screenshot.png

if [ ! -x "$programs/muxtray-applet" ]; then
    (cd "$here" && cargo build --release --locked)
fi

session_begin "$programs" "$here/icons"
start_masters
start_display
start openbox openbox
start_xfce_panel light
# A notification would be half hidden by the menu.
printf '[notifications]\nstale = false\n' >>"$XDG_CONFIG_HOME/muxtray/config.toml"
start_muxtray

# Opens the menu and its first submenu, and waits until the picture no longer changes.
wait_for "the panel is drawn" still
pointer mousemove $((width - 16)) 15 click 1
wait_for "the menu is open" still
pointer key Down Right
wait_for "the submenu is open" still

# Colours the empty desktop, and crops it beside and below the menus.
empty='#3d5a6c'
convert "$work/after.png" -fill "$empty" -draw "color 0,$((height - 1)) floodfill" "$work/coloured.png"
read -r left bottom < <(
    convert "$work/coloured.png" -crop "${width}x$((height - 32))+0+32" +repage -trim \
        -format '%[fx:page.x] %[fx:page.y+h+32]\n' info:
)
left=$((left > 16 ? left - 16 : 0))
convert "$work/coloured.png" -crop "$((width - left))x$((bottom + 16))+$left+0" +repage -strip "$picture"
echo "$picture"
