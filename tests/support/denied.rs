//! System calls that the kernel refuses to one process and its children, as in a sandbox or an old kernel.

use std::ffi::OsStr;
use std::process::Command;

use super::lab::Lab;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// `socket(AF_NETLINK, …)` with EPERM: no sock_diag, no news of the network.
    Netlink,
}

impl Denied {
    /// The rule for the script: number of the call, its first argument if only that is refused, and the errno.
    fn rule(self) -> Option<&'static str> {
        Some(match (self, std::env::consts::ARCH) {
            (Self::Netlink, "x86_64") => "41:16=1",
            (Self::Netlink, "aarch64") => "198:16=1",
            _ => return None,
        })
    }
}

/// Installs a seccomp filter (seccomp(2)) with these rules and executes the program that follows.
const SCRIPT: &str = r#"
import ctypes, os, platform, struct, sys
rules = sys.argv[1:sys.argv.index("--")]
program = sys.argv[sys.argv.index("--") + 1:]
load, jump_if_equal, answer = 0x20, 0x15, 0x06
allow, errno = 0x7fff0000, 0x00050000
arch = {"x86_64": 0xc000003e, "aarch64": 0xc00000b7}[platform.machine()]
one = lambda code, value, yes=0, no=0: struct.pack("=HBBI", code, yes, no, value)
code = [one(load, 4), one(jump_if_equal, arch, 1, 0), one(answer, allow)]
for rule in rules:
    what, error = rule.split("=")
    number, _, argument = what.partition(":")
    refuse = [one(answer, errno | int(error))]
    if argument:
        refuse = [one(load, 16), one(jump_if_equal, int(argument), 0, 1)] + refuse
    code += [one(load, 0), one(jump_if_equal, int(number), 0, len(refuse))] + refuse
code.append(one(answer, allow))
filters = ctypes.create_string_buffer(b"".join(code))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filters", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
value = Program(len(code), ctypes.addressof(filters))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(value), 0, 0):
    sys.exit("no seccomp filter: " + os.strerror(ctypes.get_errno()))
os.execv(program[0], program)
"#;

impl Lab {
    /// A command that runs muxtray without these system calls. Returns the reason if their numbers are unknown here.
    pub(crate) fn muxtray_denied<A: AsRef<OsStr>>(
        &self,
        denied: &[Denied],
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Command, String> {
        let rules: Option<Vec<&str>> = denied.iter().map(|denied| denied.rule()).collect();
        let rules = rules.ok_or("the system calls of this processor are not known here")?;
        let wrapper = ["python3", "-c", SCRIPT].into_iter().chain(rules);
        Ok(self.muxtray_behind(wrapper.chain(["--"]), arguments))
    }
}
