//! Which processes are signalled and which are not.

mod orders;

use std::cell::{Cell, RefCell};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal::SIGKILL;

use super::*;
use crate::actions::held_socket::tests::target_of;
use crate::actions::kernel::LiveKernel;
use crate::model::socket::{Cookie, MasterPid};
use crate::tests::skip;

/// Sleeps. Killed when dropped.
pub(in super::super) struct Sleeper(Child);

impl Sleeper {
    pub(in super::super) fn start() -> Self {
        let mut command = Command::new("sleep");
        command.arg("3600").stdin(Stdio::null());
        Self(command.spawn().unwrap())
    }

    pub(in super::super) fn pid(&self) -> MasterPid {
        MasterPid(self.0.id().cast_signed())
    }

    pub(in super::super) fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    fn ended_by(&mut self) -> Option<i32> {
        self.0.wait().unwrap().signal()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A kernel with one answer for each question, and then no listener.
struct Answers<F> {
    answers: Vec<Option<ListenerFound>>,
    /// Called before each answer, with the number of answers so far.
    before: F,
    given: Cell<usize>,
}

impl<F: Fn(usize)> Kernel for Answers<F> {
    fn listener(&self, _: &Target) -> Option<ListenerFound> {
        let given = self.given.replace(self.given.get() + 1);
        (self.before)(given);
        self.answers.get(given).cloned().flatten()
    }
}

fn kernel_with<F: Fn(usize)>(answers: &[Option<ListenerFound>], before: F) -> Answers<F> {
    Answers {
        answers: answers.to_vec(),
        before,
        given: Cell::new(0),
    }
}

fn orphan(pid: MasterPid, sessions: u32) -> ListenerFound {
    ListenerFound {
        cookie: None,
        holder: Holder::Ssh(process(pid, "ssh")),
        carried: Some(Carried::sessions(sessions)),
        sessions: None,
        place: AtPath::Empty,
    }
}

pub(in super::super) fn process(pid: MasterPid, name: &str) -> Process {
    Process {
        pid,
        name: name.to_owned(),
        started: None,
        stopped: false,
        own_session: false,
        arguments: None,
        starter: None,
    }
}

fn target() -> Target {
    Target {
        path: ControlPath::new("/nowhere/u@h-22").unwrap(),
        id: None,
        cookie: Some(Cookie(7)),
    }
}

#[test]
fn orphan_gets_only_sigkill() {
    let mut master = Sleeper::start();
    let found = Some(orphan(master.pid(), 2));
    let kernel = kernel_with(&[found.clone(), found], |_| {});
    let ended = end_process(
        &kernel,
        &target(),
        SessionConsent::UpTo(Carried::sessions(2)),
    )
    .unwrap();
    assert_eq!(master.ended_by(), Some(SIGKILL as i32));
    let text = format!(
        "process {} ended (SIGKILL), closing 2 sessions",
        master.pid().0
    );
    assert_eq!(ended, text);
}

#[test]
fn process_not_proven_twice_gets_no_signal() {
    let mut master = Sleeper::start();
    let pid = master.pid();
    let found = |sessions| Some(orphan(pid, sessions));
    let other = Some(orphan(MasterPid(std::process::id().cast_signed()), 0));
    let by = |holder| {
        Some(ListenerFound {
            holder,
            ..orphan(pid, 0)
        })
    };
    let program = by(Holder::Other(process(pid, "sleep")));
    let no_cookie = Target {
        cookie: None,
        ..target()
    };
    for (target, answers, error) in [
        (target(), vec![None], "no longer exists"),
        (target(), vec![found(0), None], "no longer exists"),
        (target(), vec![found(0), other], "has just moved"),
        (target(), vec![program.clone()], "held by sleep"),
        (target(), vec![found(0), program], "held by sleep"),
        (target(), vec![by(Holder::Unknown)], "cannot be determined"),
        (target(), vec![found(0), found(1)], "1 session open"),
        (target(), vec![found(3)], "3 sessions open"),
        (
            no_cookie,
            vec![found(0), found(0)],
            "cannot be ended safely",
        ),
    ] {
        let kernel = kernel_with(&answers, |_| {});
        let ended = end_process(&kernel, &target, SessionConsent::NONE);
        let text = ended.unwrap_err().to_string();
        assert!(text.contains(error), "{text}");
        assert!(master.is_running(), "{error}");
    }
}

/// Starts processes until one of them has this id, which must be free; `None` if the kernel does not permit it.
fn process_with_the_id(pid: MasterPid) -> Option<Sleeper> {
    const LAST: &str = "/proc/sys/kernel/ns_last_pid";
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        fs::write(LAST, (pid.0 - 1).to_string()).ok()?;
        let next = Sleeper::start();
        if next.pid() == pid {
            return Some(next);
        }
    }
    None
}

#[test]
fn process_with_reused_id_gets_no_signal() {
    let master = Sleeper::start();
    let found = Some(orphan(master.pid(), 0));
    let (master, next) = (Cell::new(Some(master)), Cell::new(None));
    // At the second lookup the pidfd is open; the process ends right after that.
    let system = kernel_with(&[found.clone(), found], |given| {
        if given == 1 {
            let pid = master.take().map(|master| master.pid());
            next.set(pid.and_then(process_with_the_id));
        }
    });
    let ended = end_process(&system, &target(), SessionConsent::NONE).unwrap();
    let Some(mut next) = next.take() else {
        return skip(
            "process_with_reused_id_gets_no_signal",
            "process ids cannot be chosen here",
        );
    };
    assert!(ended.contains("(SIGTERM)"), "{ended}");
    assert!(next.is_running());
}

#[test]
fn live_kernel_finds_listener_by_cookie() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("u@h-22");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let table = crate::observe::sock_diag::dump().unwrap();
    let listener = table.listeners().find(|listener| listener.name == path);
    let mut target = target_of(&path);
    target.cookie = listener.unwrap().cookie;
    let found = LiveKernel.listener(&target).unwrap();
    assert_eq!(
        (found.place, found.carried),
        (AtPath::Own, Some(Carried::NONE))
    );
    // This process is no ssh, even if another one holds a copy of the listener at this moment.
    assert!(matches!(
        end_process(&LiveKernel, &target, SessionConsent::NONE),
        Err(ActionError::Refused(_) | ActionError::Unknown(_))
    ));
    target.cookie = Some(Cookie(u64::MAX));
    assert_eq!(LiveKernel.listener(&target), None);
    target.cookie = None;
    assert_eq!(LiveKernel.listener(&target), None);
}
