#!/usr/bin/env python3
"""Checks the system calls of muxtray, in the traces that tests/traced.sh makes by strace.

    traced.py DIRECTORY    checks every trace in it, prints a table, and exits with 1 if a rule was broken
    traced.py --calls      prints the calls to record, for strace
    traced.py --self-test  shows that every rule finds the call that breaks it

Only muxtray's own calls are checked: those of its threads too, and of a child until it executes another program. A call
that no rule below allows is a violation. A rule names the earlier calls that it requires, not the test that may make it.
"""

import os
import re
import sys
import time
from collections import Counter

# The calls that the rules need: those that reach or change anything, and those that show why it is allowed. strace leaves
# out a call that this machine does not have (?).
CALLS = (
    "execve,?fork,?vfork,clone,clone3,wait4,waitid,geteuid,getresuid,?readlink,readlinkat,statx,?fstat,?newfstatat,"
    "?open,openat,?openat2,?creat,?truncate,?unlink,unlinkat,?rename,?renameat,renameat2,?rmdir,?link,linkat,"
    "?symlink,symlinkat,?mknod,mknodat,?mkdir,mkdirat,?chmod,fchmod,fchmodat,?fchmodat2,?chown,?lchown,fchown,"
    "fchownat,socket,bind,connect,sendto,kill,tkill,tgkill,rt_sigqueueinfo,rt_tgsigqueueinfo,pidfd_open,"
    "pidfd_send_signal,io_uring_setup"
)

PROGRAMS = {"muxtray", "muxtray-applet"}

# Allowed peers beside control sockets: the name service, the session bus, the display, accessibility.
SERVICES = re.compile(
    r"/(var/)?run/(nscd|systemd|dbus)/|@?/tmp/\.(X11|ICE)-unix/|@?/tmp/dbus-|.*/(bus|bus_\d+|at-spi/.*|wayland-\d+|broadway\d+\.socket)$"
)
# Commands that connect to listening masters. All others only look.
ASKING = {"check", "exit", "keep", "stop", "open", "forward", "test", "run"}
# The options that start a master.
OPENS = {"-f", "-N"}
# Commands that carry out remedies: directories and modes.
MENDING = {"doctor", "run"}
# Commands that remove stale sockets.
CLEANING = {"clean", "exit", "doctor", "open", "forward", "run"}
COMMANDS = ASKING | MENDING | {"list", "clean", "autostart", "config", "completions", "man", "help"}

REMOVE = {"unlink", "unlinkat", "rmdir"}
RENAME = {"rename", "renameat", "renameat2"}
OPEN = {"open", "openat", "openat2", "creat"}
SIGNAL = {"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"}
MAKE = {"mkdir", "mkdirat"}
MODE = {"chmod", "fchmod", "fchmodat", "fchmodat2"}
CHANGE = {"truncate", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat", "chown", "lchown", "fchown", "fchownat"}

ASIDE = ".muxtray-aside."
# The commands that rehearse a start in the directory.
REHEARSING = ("doctor", "open", "forward", "test")
REHEARSAL = re.compile(r"\.muxtray-rehearsal\.000000000000000[01]$")


def whole_lines(text):
    """(pid, call) of each line; a call interrupted by others is one call, at its beginning."""
    lines, begun = [], {}
    for line in text.splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.lstrip()
        if not pid.isdigit():
            continue
        if rest.endswith("<unfinished ...>"):
            begun[pid] = len(lines)
            lines.append([int(pid), rest.removesuffix("<unfinished ...>").rstrip()])
        elif rest.startswith("<... "):
            if pid in begun:
                lines[begun.pop(pid)][1] += rest.partition(" resumed>")[2]
        else:
            lines.append([int(pid), rest])
    return lines


def split(text):
    """The arguments, at the commas that stand in no string, structure or path. In `<path>` a `>` is escaped."""
    arguments, depth = [""], 0
    for part in re.findall(r'"(?:[^"\\]|\\.)*"|<[^>]*>|.', text):
        if part == "," and depth == 0:
            arguments.append("")
            continue
        depth += (part in ("(", "[", "{")) - (part in (")", "]", "}"))
        arguments[-1] += part
    return [argument.strip() for argument in arguments]


def plain(text):
    """A text without strace's escapes, a character for each byte."""
    names = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "f": "\f"}

    def one(found):
        return chr(int(found[1], 8)) if found[1][0].isdigit() else names.get(found[1], found[1])

    return re.sub(r"\\([0-7]{1,3}|.)", one, text)


def descriptor(text):
    """(number, path) of `5</path>` or `AT_FDCWD</path>`."""
    found = re.match(r"(AT_FDCWD|\d+)<([^>]*)>", text)
    return (found[1], plain(found[2]).removesuffix("(deleted)")) if found else (None, None)


def string(text):
    found = re.search(r'"((?:[^"\\]|\\.)*)"', text)
    return plain(found[1]) if found else None


class Process:
    """The state of one process, shared by its threads, while its calls are read."""

    def __init__(self):
        self.ours = False
        self.arguments, self.environment = [], {}
        self.uid = None
        self.descriptors = {}  # number -> Opened
        self.last = {}  # path -> Opened, the last time it was held
        self.pidfds = {}  # number -> (pid, place in `seen`)
        self.seen = []  # what was read of processes: (pid, content)
        self.children, self.waited = set(), set()
        self.accepted = {}  # socket -> (line, path)
        self.parent = None
        self.opens = False  # a master has been started, recognised as the user's by its peer's id

    def child(self):
        born = Process()
        born.parent = self
        born.ours, born.arguments, born.environment, born.uid = self.ours, self.arguments, self.environment, self.uid
        born.descriptors, born.last = dict(self.descriptors), dict(self.last)
        return born

    @property
    def command(self):
        """The subcommand. `run` executes the applet."""
        words = [word for word in self.arguments[1:] if word in COMMANDS]
        return words[0] if words and not self.arguments[0].endswith("-applet") else "run"

    @property
    def cleans(self):
        only_looks = "--dry-run" in self.arguments or self.command == "doctor" and "--fix" not in self.arguments
        return self.command in CLEANING and not only_looks

    def directories(self):
        """The directories of muxtray's own files."""
        home = self.environment.get("HOME", "/nonexistent")
        config = self.environment.get("XDG_CONFIG_HOME") or home + "/.config"
        runtime = self.environment.get("XDG_RUNTIME_DIR") or "/nonexistent"
        temporary = self.environment.get("TMPDIR") or "/tmp"
        cache = self.environment.get("XDG_CACHE_HOME") or home + "/.cache"
        state = self.environment.get("XDG_STATE_HOME") or home + "/.local/state"
        return [
            config + "/muxtray", config + "/autostart", cache + "/muxtray", state + "/muxtray",
            runtime + "/muxtray", temporary + "/muxtray-",
        ]

    def is_own(self, path):
        """A file of muxtray's own, or the one named by --config with its temporary files."""
        for word, following in zip(self.arguments, self.arguments[1:]):
            if word == "--config":
                beside = os.path.join(os.path.dirname(following), "." + os.path.basename(following) + ".")
                if path == following or path.startswith(beside):
                    return True
        return any(
            path.startswith(own) if own.endswith("-") else path == own or path.startswith(own + "/")
            for own in self.directories()
        )

    def is_toolkits(self, path):
        """A file of the tray's libraries: fonts, shaders, settings, shared memory."""
        home = self.environment.get("HOME", "/nonexistent")
        cache = self.environment.get("XDG_CACHE_HOME") or home + "/.cache"
        runtime = self.environment.get("XDG_RUNTIME_DIR") or "/nonexistent"
        below = [cache + "/fontconfig", cache + "/mesa_shader_cache", cache + "/dconf", runtime + "/dconf", "/dev/shm"]
        return self.command == "run" and any(path == it or path.startswith(it + "/") for it in below)


class Opened:
    """A file held by a descriptor, and the facts learnt about it."""

    def __init__(self, path, flags):
        self.path, self.flags = path, flags
        self.kind = self.uid = self.answer = None

    def is_held(self):
        return "O_NOFOLLOW" in self.flags and ("O_PATH" in self.flags or "O_DIRECTORY" in self.flags)


class Judge:
    def __init__(self):
        self.done = Counter()
        self.violations = []
        self.runs = Counter()
        self.processes = {}

    def read(self, text, name):
        """Judges one trace."""
        self.processes = processes = {}
        for pid, line in whole_lines(text):
            process = processes.setdefault(pid, Process())
            found = re.match(r"(\w+)\((.*)", line)
            if not found:
                continue
            call, rest = found[1], found[2]
            rest, _, result = rest.rpartition(" = ") if " = " in rest else (rest, "", "?")
            arguments = split(rest.rstrip().removesuffix(")"))
            result = result.strip()
            if call == "execve":
                if result == "0":
                    self.executed(process, arguments)
            elif call in ("fork", "vfork", "clone", "clone3"):
                born = int(result.split()[0]) if result[:1].isdigit() else 0
                if born and "CLONE_THREAD" in rest:
                    processes[born] = process
                elif born:
                    processes[born] = process.child()
                    process.children.add(born)
                    process.waited.discard(born)
            elif process.ours:
                self.call(process, call, arguments, result, f"{name}: {pid} {line}")
        for process in {id(it): it for it in processes.values()}.values():
            for line, path in process.accepted.values():
                if not process.opens:
                    self.violation("connected to a listener without a word", line)

    def executed(self, process, arguments):
        program = os.path.basename(string(arguments[0]) or "")
        words = [string(word) or "" for word in split(arguments[1][1:-1])]
        variables = [string(word) or "" for word in split(arguments[2][1:-1])]
        if process.ours and process.parent and program == "ssh" and OPENS <= set(words):
            process.parent.opens = True
        fresh = Process()
        fresh.ours, fresh.arguments = program in PROGRAMS, words
        fresh.environment = dict(variable.split("=", 1) for variable in variables if "=" in variable)
        process.__dict__.update(fresh.__dict__, children=process.children, waited=process.waited)
        if process.ours:
            self.runs[process.command] += 1

    def violation(self, why, line):
        self.violations.append((why, line))

    def allow(self, what, call):
        self.done[call, what] += 1

    def paths(self, process, arguments):
        """The files that the arguments name, absolute, each through the descriptor before it."""
        base, found = None, []
        for argument in arguments:
            _, leads_to = descriptor(argument)
            if leads_to is not None:
                base = leads_to
                continue
            if not argument.startswith('"'):
                continue
            name = string(argument)
            link = re.match(r"/proc/self/fd/(\d+)/?(.*)", name)
            if link:
                opened = process.descriptors.get(link[1])
                name = os.path.join(opened.path if opened else "?", link[2]).rstrip("/")
            found.append(os.path.join(base or "", name))
        return found

    def call(self, process, call, arguments, result, line):
        """Records the result of the call, and checks it if it changes or reaches anything."""
        # A call that did not return because its process ended has no result.
        failed = result.startswith(("-1 ", "?"))
        if call == "geteuid":
            process.uid = result.split()[0]
        elif call == "getresuid":
            process.uid = arguments[1].strip("[]")
        elif call in OPEN:
            self.opened(process, call, arguments, result, line)
        elif call in ("statx", "fstat", "newfstatat"):
            number, _ = descriptor(arguments[0])
            opened = process.descriptors.get(number)
            if opened and not failed and (call == "fstat" or arguments[1:2] == ['""']):
                kind = re.search(r"st[x_]*_mode=(S_IF\w+)", line)
                uid = re.search(r"st[x_]*_uid=(\d+)", line)
                opened.kind, opened.uid = kind and kind[1], uid and uid[1]
        elif call == "pidfd_open":
            if not failed:
                process.pidfds[re.match(r"\d+", result)[0]] = (arguments[0], len(process.seen))
        elif call in ("readlink", "readlinkat"):
            link = re.search(r"/proc/(\d+)/fd/", line) or re.search(r"</proc/(\d+)/fd>", line)
            if link and '"socket:[' in line:
                process.seen.append((link[1], "socket"))
        elif call in ("wait4", "waitid"):
            ended = re.search(r"si_pid=(\d+)", line) if call == "waitid" else re.match(r"(\d+)", result)
            if ended and "WNOWAIT" not in line:
                process.waited.add(int(ended[1]))
        elif call == "sendto":
            process.accepted.pop(descriptor(arguments[0])[1], None)
        elif call == "socket":
            self.socket(process, arguments[0], line)
        elif call == "connect":
            self.connect(process, arguments, result, line)
        elif call in REMOVE | RENAME | MAKE | MODE | CHANGE | {"bind"}:
            if not result.startswith("-1 ENOENT"):
                self.change(process, call, arguments, line)
        elif call in SIGNAL:
            self.signal(process, call, arguments, line)
        else:
            self.violation("a call that no rule knows", line)

    def opened(self, process, call, arguments, result, line):
        flags = " ".join(arguments[1:]) if call != "openat" else arguments[2]
        number, path = descriptor(result)
        if number is not None:
            opened = Opened(path, flags)
            process.descriptors[number] = opened
            if opened.is_held():
                process.last[path] = opened
        environ = re.search(r'"/proc/(\d+)/environ"', line)
        if environ:
            process.seen.append((environ[1], "environ"))
        if call != "creat" and not re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)", flags):
            return
        path = (self.paths(process, arguments) or ["?"])[0]
        if process.is_own(path):
            self.allow("a file of its own", "opened to write")
        elif re.match(r"/dev/(null|tty|ptmx|pts/\d+)$", path) or process.is_toolkits(path):
            self.allow("a device, or a toolkit's file", "opened to write")
        elif re.search(r"/\.ssh/|^/etc/ssh/|ssh_config", path):
            self.violation("the ssh configuration opened to write", line)
        else:
            self.violation("a file that is not its own opened to write", line)

    def socket(self, process, family, line):
        if family in ("AF_UNIX", "AF_NETLINK"):
            self.allow("local", "socket")
        # Xlib tries the network if there is no socket file of the display.
        elif not process.environment.get("DISPLAY"):
            self.violation("a socket of a network", line)

    def connect(self, process, arguments, result, line):
        socket, address = descriptor(arguments[0])[1], arguments[1]
        if "AF_UNIX" not in address:
            display = re.fullmatch(r"[^/]*:(\d+)(\.\d+)?", process.environment.get("DISPLAY", ""))
            if display and f"htons({6000 + int(display[1])})" in address:
                return self.allow("the display, without a socket file", "connect")
            return self.violation("connected to a network", line)
        path = address.partition("sun_path=")[2]
        path = ("@" if path.startswith("@") else "") + (string(path) or "")
        link = re.match(r"/proc/self/fd/(\d+)$", path)
        if REHEARSAL.search(path) and process.command in REHEARSING:
            return self.allow("its own rehearsal, through the link", "connect")
        if not link:
            if SERVICES.match(path) or path in process.environment.get("DBUS_SESSION_BUS_ADDRESS", "").split("="):
                return self.allow("the session bus, the display or the name service", "connect")
            return self.violation("connected to a name, not to a file that is held", line)
        opened = process.descriptors.get(link[1])
        if not (opened and opened.is_held() and opened.kind):
            return self.violation("connected to a file not held and looked at", line)
        if opened.kind != "S_IFSOCK" or opened.uid is None or opened.uid != process.uid:
            return self.violation("connected to a file that is no socket of the user's", line)
        opened.answer = result
        if result.startswith("-1 ECONNREFUSED"):
            self.allow("refused: nobody listens", "connect")
        elif result.startswith("-1 EACCES"):
            self.allow("not let in", "connect")
        elif process.command not in ASKING:
            self.violation("connected to a listener while only looking", line)
        else:
            self.allow("a master, to ask it", "connect")
            if result == "0":
                process.accepted[socket] = (line, opened.path)

    def is_proven_stale(self, process, path):
        """Whether the last fact learnt about the file is that it is a socket of the user's that refuses."""
        opened = process.last.get(path)
        return bool(opened) and (opened.answer or "").startswith("-1 ECONNREFUSED")

    def change(self, process, call, arguments, line):
        paths = self.paths(process, arguments)
        own = lambda path: process.is_own(path) or process.is_toolkits(path)
        if call in ("fchmod", "fchown"):
            paths = [descriptor(arguments[0])[1] or "?"]
            if not paths[0].startswith("/"):
                return self.allow("a socket without a name", call)
        if call == "bind":
            if "AF_UNIX" not in line:
                return self.allow("netlink", "bind") if "AF_NETLINK" in line else self.violation("bound to a network", line)
            paths = self.paths(process, [arguments[1].partition("sun_path=")[2]])
            if not paths:
                return self.violation("bound to no file", line)
        if paths and all(REHEARSAL.search(path) for path in paths):
            return self.allow("doctor's rehearsal in a directory", call)
        if paths and all(map(own, paths)):
            return self.allow("a file of its own", call)
        names = [(os.path.dirname(path), os.path.basename(path)) for path in paths]
        if call == "unlinkat" and names[0][1].startswith(ASIDE) and arguments[2] == "0":
            if process.cleans and self.is_proven_stale(process, paths[0]):
                return self.allow("a socket proven stale, under its name aside", call)
            return self.violation("removed without proof", line)
        if call == "renameat2" and arguments[4] == "RENAME_NOREPLACE" and names[0][0] == names[1][0]:
            (_, before), (_, after) = names
            if after == ASIDE + before and process.cleans and self.is_proven_stale(process, paths[0]):
                # A taken file has to be looked at again.
                process.last.pop(paths[1], None)
                return self.allow("a socket proven stale, taken aside", call)
            if before == ASIDE + after:
                return self.allow("put back to its name", call)
        if call in REMOVE | RENAME:
            return self.violation("removed or renamed a file that is not its own", line)
        if call in MAKE and any(own.startswith(paths[0] + "/") for own in process.directories()):
            return self.allow("a directory above its own files", call)
        if call == "mkdirat" and process.command in MENDING and arguments[2] == "0700":
            return self.allow("a remedy: a directory", call)
        if call == "fchmodat" and process.command in MENDING:
            opened = process.last.get(paths[0])
            if opened and opened.kind in ("S_IFSOCK", "S_IFDIR") and opened.uid == process.uid:
                return self.allow("a remedy: a mode", call)
        return self.violation("changed a file that is not its own", line)

    def signal(self, process, call, arguments, line):
        if call == "pidfd_send_signal":
            target, since = process.pidfds.get(descriptor(arguments[0])[0], ("?", 0))
            if any(seen == target for seen, _ in process.seen[since:]):
                return self.allow("a master, proven while it was held", call)
            return self.violation("signalled by a pidfd without proof", line)
        target = int(arguments[0])
        if call in ("tkill", "tgkill") and self.processes.get(target) is process:
            return self.allow("itself", call)
        if arguments[1] == "0":
            return self.allow("asked whether it runs", call)
        if abs(target) in process.children and abs(target) not in process.waited:
            return self.allow("a child of its own, not yet waited for", call)
        return self.violation("signalled by an id", line)

    def table(self):
        print("runs:", ", ".join(f"{command} {count}" for command, count in sorted(self.runs.items())))
        for (call, what), count in sorted(self.done.items()):
            print(f"{count:8}  {call:18}  {what}")
        for why, line in self.violations:
            print(f"VIOLATION: {why}\n    {line}")
        print(f"{len(self.violations)} violations")


# Every case begins with this: a run of this command by user 1000, which has looked up its user id.
BEGIN = """1 execve("/usr/bin/muxtray", ["muxtray", {words}], ["HOME=/h", "XDG_CONFIG_HOME=/h/c", "DBUS_SESSION_BUS_ADDRESS=unix:path=/a/bus-of-its-own"]) = 0
1 geteuid() = 1000
"""
# A file is held and looked at: a socket of the user's.
HOLD = """1 openat(4</s>, "{name}", O_RDONLY|O_NOFOLLOW|O_CLOEXEC|O_PATH) = 6</s/{name}>
1 statx(6</s/{name}>, "", AT_EMPTY_PATH, STATX_ALL, {{stx_mode=S_IFSOCK|0600, stx_uid={uid}}}) = 0
"""
CONNECT = """1 connect(3<socket:[7]>, {{sa_family=AF_UNIX, sun_path="/proc/self/fd/6"}}, 110) = {answer}
"""
REFUSED = CONNECT.format(answer="-1 ECONNREFUSED (Connection refused)")
ACCEPTED = CONNECT.format(answer="0")
CHMOD = '1 fchmodat(AT_FDCWD</>, "/proc/self/fd/6", 0700) = 0\n'
WORD = '1 sendto(3<socket:[7]>, "\\0", 12, MSG_NOSIGNAL, NULL, 0) = 12\n'
WEB, OTHERS = HOLD.format(name="web", uid=1000), HOLD.format(name="web", uid=0)
ASIDE_WEB = HOLD.format(name=".muxtray-aside.web", uid=1000)
TAKE = '1 renameat2(4</s>, "web", 4</s>, ".muxtray-aside.web", RENAME_NOREPLACE) = 0\n'
REMOVED = '1 unlinkat(4</s>, ".muxtray-aside.web", 0) = 0\n'
PIDFD = "1 pidfd_open(9, 0) = 8<anon_inode:[pidfd]>\n"
READ = '1 readlink("/proc/9/fd/3", "socket:[7]", 256) = 10\n'
SEND = "1 pidfd_send_signal(8<anon_inode:[pidfd]>, SIGKILL, NULL, 0) = 0\n"
CHILD = "1 vfork( <unfinished ...>\n2 geteuid() = 1000\n1 <... vfork resumed>) = 2\n"
SSH = '2 execve("/usr/bin/ssh", ["ssh", "-f", "-N", "web"], ["HOME=/h"]) = 0\n'
KILL = "1 kill(-2, SIGKILL) = 0\n"
REAP = "1 wait4(2, [], 0, NULL) = 2\n"

# (the command's words, its calls, the expected violation or nothing)
CASES = [
    ("list", WEB + REFUSED, None),
    ("list", WEB + ACCEPTED, "while only looking"),
    ("list", WEB + CONNECT.format(answer="-1 EAGAIN (Resource temporarily unavailable)"), "while only looking"),
    ("check", WEB + ACCEPTED + WORD, None),
    ("check", WEB + ACCEPTED, "without a word"),
    ("run", WEB + ACCEPTED, "without a word"),
    ("open", WEB + ACCEPTED, "without a word"),
    ("open", CHILD + SSH + WEB + ACCEPTED, None),
    ("run", CHILD + SSH + WEB + ACCEPTED, None),
    ("open", CHILD + SSH.replace('"-f", ', "") + WEB + ACCEPTED, "without a word"),
    ("run", SSH + CHILD + WEB + ACCEPTED, "without a word"),
    ("check", OTHERS + ACCEPTED + WORD, "no socket of the user's"),
    ("list", OTHERS + REFUSED, "no socket of the user's"),
    ("list", WEB.splitlines(True)[0] + REFUSED, "not held and looked at"),
    ("list", WEB.replace("|O_PATH", "") + REFUSED, "not held and looked at"),
    ("list", REFUSED.replace("/proc/self/fd/6", "/s/web"), "not to a file that is held"),
    ("clean", "".join(line.replace("web>", "\\74x\\76, (>").replace("web", "<x>, (") for line in
     (WEB + REFUSED + TAKE + ASIDE_WEB + REFUSED + REMOVED).splitlines(True)), None),
    ("list", REFUSED.replace("/proc/self/fd/6", "/run/user/1/bus"), None),
    ("list", REFUSED.replace("/proc/self/fd/6", "/a/bus-of-its-own"), None),
    ("list", "1 connect(3<socket:[7]>, {sa_family=AF_INET, sin_port=htons(1)}, 16) = 0\n", "to a network"),
    ("list", "1 socket(AF_INET6, SOCK_DGRAM, IPPROTO_IP) = 3\n", "a socket of a network"),
    ("clean", WEB + REFUSED + TAKE + ASIDE_WEB + REFUSED + REMOVED, None),
    ("clean", WEB + REFUSED + TAKE + ASIDE_WEB + TAKE.replace('"web"', '"x"').replace(".web", ".x"), "renamed a file"),
    ("clean", WEB + TAKE, "removed or renamed a file"),
    ("check", WEB + REFUSED + TAKE, "removed or renamed a file"),
    ("doctor", WEB + REFUSED + TAKE, "removed or renamed a file"),
    ("clean", WEB + REFUSED + TAKE + ASIDE_WEB + REMOVED, "without proof"),
    ("clean", WEB + REFUSED + TAKE + REMOVED, "without proof"),
    ("clean", WEB + REFUSED + TAKE.replace("RENAME_NOREPLACE", "0"), "removed or renamed a file"),
    ("clean", WEB + REFUSED + '1 unlinkat(4</s>, "web", 0) = 0\n', "removed or renamed a file"),
    ("clean", '1 renameat2(4</s>, ".muxtray-aside.web", 4</s>, "web", RENAME_NOREPLACE) = 0\n', None),
    ("list", '1 rename("/h/c/muxtray/.x.1.0", "/h/c/muxtray/x") = 0\n', None),
    ("list", '1 rename("/h/c/muxtray/.x.1.0", "/h/.ssh/config") = 0\n', "removed or renamed a file"),
    ("list", '1 unlink("/h/x" <unfinished ...>\n5 +++ exited with 0 +++\n1 <... unlink resumed>) = 0\n', "removed or"),
    ("list", '1 statx(6</s/web> <unfinished ...>\n1 +++ killed by SIGKILL +++\n', None),
    ("list", '1 unlink("/h/x" <unfinished ...>\n1 +++ killed by SIGKILL +++\n', "removed or renamed a file"),
    ("list", '1 unlink("/h/x") = -1 ENOENT (No such file or directory)\n', None),
    ("list", '1 rmdir("/h/c/other") = 0\n', "removed or renamed a file"),
    ("exit", PIDFD + READ + SEND, None),
    ("exit", READ + PIDFD + SEND, "without proof"),
    ("exit", PIDFD + READ.replace("/9/", "/10/") + SEND, "without proof"),
    ("exit", "1 kill(9, SIGTERM) = 0\n", "signalled by an id"),
    ("list", CHILD + KILL + REAP, None),
    ("list", CHILD + REAP + KILL, "signalled by an id"),
    ("list", CHILD + '2 execve("/usr/bin/ssh", ["ssh"], []) = 0\n2 unlink("/h/x") = 0\n', None),
    ("list", CHILD + '2 unlink("/h/x") = 0\n', "removed or renamed a file"),
    ("list", '1 clone3({flags=CLONE_THREAD}) = 3\n3 unlink("/h/x") = 0\n', "removed or renamed a file"),
    ("config", '1 openat(AT_FDCWD</>, "/h/c/muxtray/config.toml", O_WRONLY|O_CREAT|O_EXCL, 0600) = 3</x>\n', None),
    ("doctor", '1 openat(AT_FDCWD</h>, ".ssh/config", O_RDWR) = -1 EACCES (Permission denied)\n', "ssh configuration"),
    ("doctor", '1 open("/etc/ssh/ssh_config", O_WRONLY|O_TRUNC) = 3</etc/ssh/ssh_config>\n', "ssh configuration"),
    ("list", '1 openat(AT_FDCWD</h>, "x", O_RDONLY|O_CREAT, 0600) = 3</h/x>\n', "not its own opened"),
    ("doctor", '1 mkdirat(4</h>, "s", 0700) = 0\n', None),
    ("config", '1 mkdir("/h/c", 0700) = 0\n', None),
    ("config", '1 mkdir("/h/c2", 0700) = 0\n', "changed a file that is not its own"),
    ("list", '1 mkdirat(4</h>, "s", 0700) = 0\n', "changed a file that is not its own"),
    ("list", "1 fchmod(4</s>, 0755) = 0\n", "changed a file that is not its own"),
    ("doctor", WEB + CHMOD, None),
    ("doctor", WEB.replace("S_IFSOCK", "S_IFDIR") + CHMOD, None),
    ("doctor", WEB.replace("S_IFSOCK", "S_IFREG") + CHMOD, "changed a file that is not its own"),
    ("doctor", OTHERS + CHMOD, "changed a file that is not its own"),
    ("list", WEB + CHMOD, "changed a file that is not its own"),
    ("doctor", '1 linkat(4</s>, ".muxtray-rehearsal.0000000000000000", 4</s>, "web", 0) = 0\n', "changed a file"),
    ("doctor", '1 connect(3<socket:[7]>, {sa_family=AF_UNIX, sun_path="/proc/self/fd/3/.muxtray-rehearsal.0000000000000001"}, 53) = 0\n', None),
    ("list", '1 connect(3<socket:[7]>, {sa_family=AF_UNIX, sun_path="/proc/self/fd/3/.muxtray-rehearsal.0000000000000001"}, 53) = 0\n', "connected to a name"),
    ("doctor", '1 connect(3<socket:[7]>, {sa_family=AF_UNIX, sun_path="/proc/self/fd/3/web"}, 53) = 0\n', "connected to a name"),
    ("list", "1 io_uring_setup(1, {}) = 3\n", "no rule knows"),
]


def self_test():
    wrong = 0
    for number, (words, calls, expected) in enumerate(CASES):
        judge = Judge()
        judge.read(BEGIN.format(words=f'"{words}"') + calls, f"case {number}")
        found = [why for why, _ in judge.violations]
        if not (len(found) == 1 and expected in found[0] if expected else not found):
            wrong += 1
            print(f"case {number}, {words}: found {found}, expected {expected!r} in\n{calls}")
    print(f"self-test: {len(CASES)} cases, {wrong} wrong")
    return wrong == 0


def is_complete(text):
    """Whether the first process has ended, so that its trace is complete."""
    first = text.split(" ", 1)[0]
    return re.search(rf"^{first} +\+\+\+ ", text, re.MULTILINE) is not None


def judge_all(directory):
    judge = Judge()
    names = sorted(os.listdir(directory))
    deadline = time.monotonic() + 10
    for name in names:
        while True:
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
                text = file.read()
            if is_complete(text) or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        if not text:
            continue
        if not is_complete(text):
            print(f"note: {name} has no end")
        judge.read(text, name)
    print(f"{len(names)} traces")
    judge.table()
    if not judge.runs:
        print("nothing was traced")
    return bool(judge.runs) and not judge.violations


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--calls":
        sys.exit(print(CALLS))
    sys.exit(0 if (self_test() if sys.argv[1] == "--self-test" else judge_all(sys.argv[1])) else 1)
