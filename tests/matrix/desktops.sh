# shellcheck shell=bash
# The desktops of tests/matrix.sh: packages, session, panel, and where the notification has its button. Sourced, not run.
#
# For each desktop there are NAME_packages, with the package that gives the version first, and a function NAME_session
# that starts its real session on the X server. Optional:
#   NAME_panel      the program of the panel, which is killed and started again; default: the package shown
#   NAME_unfolds    set if a submenu opens by a click, within the menu
#   NAME_activates  the file that starts its notification daemon, if the bus does
#   NAME_clean_at   the middle of the button Clean in the notification, from its left edge (right: negative; or in percent), and from its lower edge
#   NAME_clean_with the button of the mouse for it; default: the left one
#   NAME_restart    a function in place of killing the panel
# shellcheck disable=SC2034

desktops=(xfce lxqt mate plasma gnome cinnamon budgie sway)
titles="xfce=Xfce lxqt=LXQt mate=MATE plasma=Plasma gnome=GNOME cinnamon=Cinnamon budgie=Budgie sway=waybar"

# Needed by every walk.
walk_packages="dbus dbus-bin dbus-x11 dbus-user-session openssh-client openssh-server xvfb xdotool imagemagick procps
    x11-utils x11-xserver-utils libgl1-mesa-dri libegl-mesa0 hicolor-icon-theme adwaita-icon-theme fonts-dejavu-core
    xdg-utils dconf-gsettings-backend libglib2.0-bin libayatana-appindicator3-1"

# as_desktop CURRENT SESSION TYPE: the variables of a login manager.
as_desktop() {
    export XDG_CURRENT_DESKTOP=$1 XDG_SESSION_DESKTOP=$2 DESKTOP_SESSION=$2 XDG_SESSION_TYPE=$3
    export XDG_DATA_DIRS=/usr/local/share:/usr/share XDG_CONFIG_DIRS=/etc/xdg
}

xfce_packages="xfce4-panel xfce4-session xfce4-notifyd xfwm4 xfce4-settings"
xfce_activates=org.xfce.xfce4-notifyd.Notifications.service
xfce_clean_at="-140 32"
xfce_session() {
    as_desktop XFCE xfce x11
    start session xfce4-session
}

lxqt_packages="lxqt-panel lxqt-session lxqt-notificationd lxqt-themes openbox breeze-icon-theme"
lxqt_clean_at="99 35"
lxqt_session() {
    as_desktop LXQt lxqt x11
    export XDG_CONFIG_DIRS=/etc/xdg:/usr/share QT_QPA_PLATFORMTHEME=lxqt
    mkdir -p "$XDG_CONFIG_HOME/lxqt"
    printf '[General]\n__userfile__=true\nwindow_manager=openbox\n' >"$XDG_CONFIG_HOME/lxqt/session.conf"
    start session lxqt-session
    wait_for "the notification daemon is there" has_name org.freedesktop.Notifications
}

mate_packages="mate-panel mate-session-manager mate-notification-daemon marco mate-settings-daemon
    mate-indicator-applet"
mate_activates=org.freedesktop.mate.Notifications.service
mate_clean_at="-67 27"
mate_session() {
    as_desktop MATE mate x11
    start session mate-session
}

plasma_packages="plasma-workspace plasma-desktop kwin-x11 kde-cli-tools breeze breeze-icon-theme"
plasma_panel=plasmashell
plasma_clean_at="-30 20"
plasma_session() {
    as_desktop KDE plasmax11 x11
    export KDE_FULL_SESSION=true KDE_SESSION_VERSION=6 QT_QUICK_BACKEND=software QSG_RHI_BACKEND=software
    # There is no systemd --user: the session starts its programs itself.
    printf '[General]\nsystemdBoot=false\n' >"$XDG_CONFIG_HOME/startkderc"
    printf '[Basic Settings]\nIndexing-Enabled=false\n' >"$XDG_CONFIG_HOME/baloofilerc"
    printf '[Daemon]\nAutolock=false\nLockOnResume=false\n' >"$XDG_CONFIG_HOME/kscreenlockerrc"
    printf '[KSplash]\nEngine=none\nTheme=None\n' >"$XDG_CONFIG_HOME/ksplashrc"
    start session startplasma-x11
    wait_for "Plasma's panel is there" has_name org.kde.plasmashell
}

gnome_packages="gnome-shell gnome-shell-extension-appindicator gnome-session-bin gnome-settings-daemon xwayland"
gnome_unfolds=yes
gnome_clean_at="50% 24"
gnome_session() {
    as_desktop GNOME gnome wayland
    export MUTTER_DEBUG_DUMMY_MODE_SPECS=${width}x$height
    gsettings set org.gnome.shell enabled-extensions "['ubuntu-appindicators@ubuntu.com']"
    gsettings set org.gnome.shell welcome-dialog-last-shown-version 99
    gsettings set org.gnome.desktop.interface enable-animations false
    gsettings set org.gnome.desktop.session idle-delay 0
    gsettings set org.gnome.desktop.lockdown disable-lock-screen true
    # The shell runs in a window of the X server, which has the pointer.
    start session gnome-shell --nested --wayland
    wait_for "the shell is there" has_name org.gnome.Shell
    x_display=$DISPLAY
    export WAYLAND_DISPLAY=wayland-0 DISPLAY=:0
}
# The shell cannot be restarted on Wayland.
gnome_restart() {
    gnome-extensions disable ubuntu-appindicators@ubuntu.com
    wait_for "the icon is gone" watcher_is_gone
    gnome-extensions enable ubuntu-appindicators@ubuntu.com
}

cinnamon_packages="cinnamon cinnamon-session muffin nemo xapp-sn-watcher"
cinnamon_clean_at="80 29"
cinnamon_session() {
    as_desktop X-Cinnamon cinnamon x11
    export CINNAMON_SOFTWARE_RENDERING=1
    gsettings set org.cinnamon desktop-effects false
    gsettings set org.cinnamon.desktop.interface enable-animations false
    gsettings set org.cinnamon.desktop.screensaver lock-enabled false
    gsettings set org.cinnamon.desktop.session idle-delay 0
    start session cinnamon-session --session cinnamon
    wait_for "Cinnamon is there" has_name org.Cinnamon
}
# Killed, it asks whether to start it again.
cinnamon_restart() {
    local process
    process=$(pgrep -x cinnamon)
    start panel cinnamon --replace
    attempt 150 has_ended "$process"
}

budgie_packages="budgie-desktop"
budgie_panel=budgie-panel
budgie_clean_at="50% 37"
budgie_session() {
    as_desktop Budgie:GNOME budgie-desktop x11
    start wm budgie-wm --x11
    wait_for "the window manager is there" xprop -root _NET_SUPPORTING_WM_CHECK
    start daemon budgie-daemon
    start panel budgie-panel --reset
}

sway_packages="waybar sway dunst mako-notifier"
# dunst draws no buttons: the middle one of the mouse opens the menu that it is configured with.
sway_clean_at="50% 20"
sway_clean_with=2
sway_session() {
    start_sway dark
    printf '#!/bin/sh\ngrep -m 1 "^#Clean"\n' >"$work/choose"
    chmod +x "$work/choose"
    printf '[global]\n    dmenu = %s\n    mouse_middle_click = context\n' "$work/choose" >"$work/dunstrc"
    start daemon dunst -conf "$work/dunstrc"
    wait_for "the notification daemon is there" has_name org.freedesktop.Notifications
}
