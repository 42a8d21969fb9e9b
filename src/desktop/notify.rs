//! Notifications: one thread that shows, replaces and closes them, and tells which button was pressed.
//!
//! Knows no problem and no socket: a [`Notice`] says everything, its key says what it replaces. Without a daemon or
//! a bus, or with a daemon that does not answer, the thread says so once in the log; what is still true is shown when
//! there is one that does. Whoever shows or closes a notice never waits.

mod compose;
mod daemon;
mod queue;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;
use std::time::Duration;

use crate::decide::intent::Intent;
use crate::decide::notice::{Notice, NoticeKey};

use super::block_on::Bell;
use daemon::Desk;

/// How long [`Notifier::end`] waits for the last notifications to be closed.
const END_LIMIT: Duration = Duration::from_secs(2);

/// A handle to the thread. Clones speak to the same one.
#[derive(Debug, Clone)]
pub struct Notifier {
    commands: Sender<Command>,
    bell: Arc<Bell>,
    ending: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Command {
    Show(Notice),
    Close(NoticeKey),
    TryAgain,
    End(Sender<()>),
}

impl Notifier {
    /// Starts the thread. Nothing is asked of the bus before the first notice.
    ///
    /// `send` gets the intent of a pressed button, on that thread.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(send: impl Fn(Intent) + Send + 'static) -> io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let bell = Arc::new(Bell::default());
        let ending = Arc::new(AtomicBool::new(false));
        thread::Builder::new().name("notify".to_owned()).spawn({
            let (bell, ending) = (Arc::clone(&bell), Arc::clone(&ending));
            move || run(&inbox, Desk::new(send, bell, ending))
        })?;
        Ok(Self {
            commands,
            bell,
            ending,
        })
    }

    /// Shows the notice, in the place of the one with the same key. Returns at once.
    pub fn show(&self, notice: Notice) {
        self.tell(Command::Show(notice));
    }

    /// Closes the notice with this key, if it is open. Returns at once.
    pub fn close(&self, key: NoticeKey) {
        self.tell(Command::Close(key));
    }

    /// Tries again what nobody was there to show: the session has a bus again. Returns at once.
    pub fn try_again(&self) {
        self.tell(Command::TryAgain);
    }

    /// Closes what is open and ends the thread; waits two seconds for it at most.
    pub fn end(self) {
        let (done, wait) = mpsc::channel();
        // Whatever the thread waits for now, a daemon that does not answer shall not hold up the end.
        self.ending.store(true, Ordering::Release);
        self.tell(Command::End(done));
        let _ = wait.recv_timeout(END_LIMIT);
    }

    fn tell(&self, command: Command) {
        // The thread is gone only after its end; nothing is to be shown then.
        let _ = self.commands.send(command);
        self.bell.ring();
    }
}

/// Shows a notification of a program that is about to end by a crash, and waits two seconds for that at most. It asks
/// nothing of the rest of the program, whatever state that is in. Without a bus or a daemon it returns at once.
pub fn last_words(summary: &str, body: &str) {
    let notice = Notice {
        key: NoticeKey::Summary,
        summary: summary.to_owned(),
        body: body.to_owned(),
        buttons: Vec::new(),
        transient: false,
    };
    let (done, wait) = mpsc::channel();
    let show = move || {
        Desk::new(drop, Arc::default(), Arc::default()).show_now(notice);
        let _ = done.send(());
    };
    if thread::Builder::new()
        .name("last words".to_owned())
        .spawn(show)
        .is_ok()
    {
        let _ = wait.recv_timeout(END_LIMIT);
    }
}

/// Serves commands first, then looks at what the daemon said, then sleeps until either has something new.
fn run(inbox: &Receiver<Command>, mut desk: Desk<impl Fn(Intent)>) {
    loop {
        match inbox.try_recv() {
            Ok(Command::Show(notice)) => desk.show(notice),
            Ok(Command::Close(key)) => desk.close(&key),
            Ok(Command::TryAgain) => desk.try_again(),
            Ok(Command::End(done)) => {
                desk.close_all();
                let _ = done.send(());
                return;
            }
            Err(TryRecvError::Empty) => {
                if !desk.go_on() {
                    desk.wait();
                }
            }
            Err(TryRecvError::Disconnected) => return desk.close_all(),
        }
    }
}
