# shellcheck shell=bash
# Functions for the one icon in a panel and its menu, over the session bus. Sourced, not run.

has_name() {
    grep -q true <<<"$(gdbus call --session -d org.freedesktop.DBus -o /org/freedesktop/DBus \
        -m org.freedesktop.DBus.NameHasOwner "$1")"
}

# property NAME OBJECT INTERFACE PROPERTY: prints a property as gdbus does.
property() {
    gdbus call --session -d "$1" -o "$2" -m org.freedesktop.DBus.Properties.Get "$3" "$4"
}

icons() {
    property org.kde.StatusNotifierWatcher /StatusNotifierWatcher org.kde.StatusNotifierWatcher RegisteredStatusNotifierItems
}

has_icon() {
    grep -q NotificationItem <<<"$(icons)"
}

# click_row LABEL: clicks as a panel does, without the pointer. If there is no such row, prints the menu.
click_row() {
    local icon owner menu layout row
    icon=$(icons | grep -o "'[^']*'" | head -n 1 | tr -d "'")
    # If an item registers by name alone, its object is the one in the specification.
    [[ $icon == */* ]] || icon+=/StatusNotifierItem
    owner=${icon%%/*}
    menu=$(property "$owner" "/${icon#*/}" org.kde.StatusNotifierItem Menu | grep -o "/[^']*")
    layout=$(gdbus call --session -d "$owner" -o "$menu" -m com.canonical.dbusmenu.GetLayout 0 -- -1 "['label']")
    row=$(grep -o "([0-9]*, {'label': <'$1'>" <<<"$layout" | grep -o '[0-9]*' | head -n 1) || {
        printf 'no row "%s" in the menu: %s\n' "$1" "$layout" >&2
        return 1
    }
    gdbus call --session -d "$owner" -o "$menu" -m com.canonical.dbusmenu.Event "$row" clicked '<0>' 0 >/dev/null
}
