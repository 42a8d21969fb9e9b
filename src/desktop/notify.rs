//! Shows, replaces and closes notifications on one thread, which also reports pressed buttons.
//!
//! A [`Notice`] replaces the one with the same key. If there is no bus or no daemon, or the daemon does not answer, the
//! thread logs this once, and shows the current notices when a daemon answers. Callers never wait.

mod compose;
mod daemon;
mod queue;

use std::io;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;
use std::time::Duration;

use parking::{Parker, Unparker};

use crate::decide::intent::Intent;
use crate::decide::notice::{Notice, NoticeKey};
use crate::desktop::block_on::within;
use daemon::DaemonClient;

/// The limit of [`Notifier::end`] to close the last notifications.
const END_LIMIT: Duration = Duration::from_secs(2);

/// A handle to the thread. Clones share it.
#[derive(Debug, Clone)]
pub struct Notifier {
    commands: Sender<Command>,
    unparker: Unparker,
}

#[derive(Debug)]
enum Command {
    Show(Notice),
    Close(NoticeKey),
    TryAgain,
    End(Sender<()>),
}

impl Notifier {
    /// Starts the thread. It connects to the bus at the first notice.
    ///
    /// Calls `send` on that thread with the intent of a pressed button.
    pub fn start(send: impl Fn(Intent) + Send + 'static) -> io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let parker = Parker::new();
        let unparker = parker.unparker();
        thread::Builder::new()
            .name("notify".to_owned())
            .spawn(move || run(&inbox, DaemonClient::new(send, parker)))?;
        Ok(Self { commands, unparker })
    }

    /// Replaces the notice with the same key. Returns at once.
    pub fn show(&self, notice: Notice) {
        self.send(Command::Show(notice));
    }

    /// Returns at once, also if the notice is not shown.
    pub fn close(&self, key: NoticeKey) {
        self.send(Command::Close(key));
    }

    /// Retries notices that could not be shown, after the bus is back. Returns at once.
    pub fn try_again(&self) {
        self.send(Command::TryAgain);
    }

    /// Closes all notifications and ends the thread; waits two seconds at most.
    pub fn end(self) {
        let (done, wait) = mpsc::channel();
        self.send(Command::End(done));
        let _ = wait.recv_timeout(END_LIMIT);
    }

    fn send(&self, command: Command) {
        // The thread ends only in `end`; later commands are ignored.
        let _ = self.commands.send(command);
        self.unparker.unpark();
    }
}

/// Shows a notification before a crash, and waits two seconds at most. It shares no state with the rest of the program.
/// Returns at once if there is no bus or no daemon.
pub fn show_and_wait(summary: &str, body: &str) {
    let notice = Notice::new(NoticeKey::Summary, summary.to_owned(), body.to_owned());
    let (done, wait) = mpsc::channel();
    let show = move || {
        within(END_LIMIT, daemon::show_now(notice));
        let _ = done.send(());
    };
    // A thread of its own, because the one that crashes may hold a lock of the bus library.
    let thread = thread::Builder::new().name("crash notice".to_owned());
    if thread.spawn(show).is_ok() {
        let _ = wait.recv_timeout(END_LIMIT);
    }
}

/// Runs commands first, then handles replies and signals of the daemon, then waits for either.
fn run(inbox: &Receiver<Command>, mut client: DaemonClient<impl Fn(Intent)>) {
    loop {
        match inbox.try_recv() {
            Ok(Command::Show(notice)) => client.show(notice),
            Ok(Command::Close(key)) => client.close(&key),
            Ok(Command::TryAgain) => client.try_again(),
            Ok(Command::End(done)) => {
                client.close_all();
                let _ = done.send(());
                return;
            }
            Err(TryRecvError::Empty) => {
                if !client.process() {
                    client.wait();
                }
            }
            Err(TryRecvError::Disconnected) => return client.close_all(),
        }
    }
}
