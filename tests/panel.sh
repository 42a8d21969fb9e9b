# shellcheck shell=bash
# What a panel knows of the one icon in it, and what it does with its menu, over the session bus. Sourced, not run.

has_icon() {
    gdbus call --session -d org.kde.StatusNotifierWatcher -o /StatusNotifierWatcher \
        -m org.freedesktop.DBus.Properties.Get org.kde.StatusNotifierWatcher RegisteredStatusNotifierItems |
        grep -Eq 'tray_icon|StatusNotifierItem'
}

# item: the icon's name on the bus and its object, as the panel has them. A panel that knows the name alone means the
# object of the specification.
item() {
    local item
    item=$(gdbus call --session -d org.kde.StatusNotifierWatcher -o /StatusNotifierWatcher \
        -m org.freedesktop.DBus.Properties.Get org.kde.StatusNotifierWatcher RegisteredStatusNotifierItems |
        grep -o "'[^']*'" | head -n 1 | tr -d "'")
    case $item in
    */*) echo "${item%%/*} /${item#*/}" ;;
    *) echo "$item /StatusNotifierItem" ;;
    esac
}

# click_row LABEL: as a panel does it, without the pointer. Says what the menu has where there is no such row.
click_row() {
    local owner path menu layout row
    read -r owner path < <(item)
    menu=$(gdbus call --session -d "$owner" -o "$path" -m org.freedesktop.DBus.Properties.Get \
        org.kde.StatusNotifierItem Menu | grep -o "/[^']*")
    layout=$(gdbus call --session -d "$owner" -o "$menu" -m com.canonical.dbusmenu.GetLayout 0 -- -1 "['label']")
    row=$(grep -o "([0-9]*, {'label': <'$1'>" <<<"$layout" | grep -o '[0-9]*' | head -n 1) || {
        printf 'no row "%s" in the menu: %s\n' "$1" "$layout" >&2
        return 1
    }
    gdbus call --session -d "$owner" -o "$menu" -m com.canonical.dbusmenu.Event "$row" clicked '<0>' 0 >/dev/null
}
