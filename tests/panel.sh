# shellcheck shell=bash
# What a panel knows of the one icon in it, and what it does with its menu, over the session bus. Sourced, not run.

has_icon() {
    gdbus call --session -d org.kde.StatusNotifierWatcher -o /StatusNotifierWatcher \
        -m org.freedesktop.DBus.Properties.Get org.kde.StatusNotifierWatcher RegisteredStatusNotifierItems |
        grep -Eq 'tray_icon|StatusNotifierItem'
}

# click_row LABEL: as a panel does it, without the pointer.
click_row() {
    local item owner path menu row
    item=$(gdbus call --session -d org.kde.StatusNotifierWatcher -o /StatusNotifierWatcher \
        -m org.freedesktop.DBus.Properties.Get org.kde.StatusNotifierWatcher RegisteredStatusNotifierItems |
        grep -o ":[0-9.]*/[^']*")
    owner=${item%%/*} path=/${item#*/}
    menu=$(gdbus call --session -d "$owner" -o "$path" -m org.freedesktop.DBus.Properties.Get \
        org.kde.StatusNotifierItem Menu | grep -o "/[^']*")
    row=$(gdbus call --session -d "$owner" -o "$menu" -m com.canonical.dbusmenu.GetLayout 0 -- -1 "['label']" |
        grep -o "([0-9]*, {'label': <'$1'>" | grep -o '[0-9]*' | head -n 1)
    gdbus call --session -d "$owner" -o "$menu" -m com.canonical.dbusmenu.Event "$row" clicked '<0>' 0 >/dev/null
}
