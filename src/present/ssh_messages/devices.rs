//! Messages about forwarded displays, agents and tunnels.

use super::row::ssh_messages;

ssh_messages! {
    MESSAGES:
    ["different $DISPLAY already forwarded"] {
        meaning: "the master forwards another display than this session has: one master forwards one display",
        causes: [
            "the master was started in another desktop session, or before the display changed",
        ],
        remedies: [
            "end the master, then connect from this display: muxtray exit HOST",
            "connect without the master: ssh -S none -X HOST",
        ],
    }
    ["Warning: untrusted X11 forwarding setup failed: xauth key data not generated"] {
        meaning: "X11 forwarding does not work in this session: xauth made no key for untrusted forwarding (-X)",
        causes: [
            "the X server has no SECURITY extension, as Xwayland and XQuartz",
            "xauth is missing, or DISPLAY leads nowhere",
        ],
        remedies: ["use trusted forwarding: ssh -Y HOST"],
    }
    [
        "X11 forwarding request failed",
        "X11 connection rejected because of wrong authentication",
        "Rejected X11 connection after ForwardX11Timeout expired",
        "No xauth data; using fake authentication data for X11 forwarding",
        "X11 forwarding requested but DISPLAY not set",
        "invalid; disabling X11 forwarding",
        "X11 forwarding opened before X11 forwarding requested",
        "Failed to allocate internet-domain X11 display socket",
        "Could not parse display number from DISPLAY",
        "Could not find ':' in DISPLAY",
        "DISPLAY not set.",
        "display path too long",
        "connect /tmp/.X11-unix/...",
        "X11 fake_data_len ...",
    ] {
        meaning: "X11 forwarding does not work in this session",
        causes: [
            "sshd forbids it (X11Forwarding no), or the server has no xauth",
            "DISPLAY is not set here, or its X server has ended; a master keeps the display with which it started",
            "the time for untrusted forwarding is over (ForwardX11Timeout, 20 minutes)",
        ],
        remedies: [
            "end a master from another desktop session, then connect again: muxtray exit HOST",
            "show the reason: ssh -v -X HOST",
        ],
    }
    ["Cannot forward agent socket path ...", "accept from auth socket: ..."] {
        meaning: "ssh cannot forward the agent: its socket is not there",
        causes: ["the agent has ended, or ForwardAgent names a socket of an earlier login"],
        remedies: ["show the agent: echo \"$SSH_AUTH_SOCK\"; ssh-add -l"],
    }
    [
        "Tunnel forwarding failed",
        "Tunnel device open failed.",
        "Could not request tunnel forwarding.",
        "Tunnel interfaces are not supported on this platform",
        "Bad tun device",
        "tun_open: ...",
        "sys_tun_open: ...",
    ] {
        meaning: "the tunnel (-w, Tunnel) does not exist",
        causes: [
            "creating a tun device needs root, here and on the server",
            "sshd forbids it (PermitTunnel no is the default)",
        ],
        remedies: ["show what sshd allows, on the server: sudo sshd -T | grep -i permittunnel"],
    }
}
