//! Waiting for a future with a deadline, on the thread that asks.
//!
//! zbus offers no clock of its own, and a call to another program may never be answered. A [`Bell`] has both: the
//! future's waker rings it, and so does whoever else wants this thread's attention.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// What is left of a wait once it is to stop: enough for an answer that is on its way.
const LAST_MOMENT: Duration = Duration::from_millis(300);

/// Wakes the thread that waits for it, from any thread; a ring before the wait ends the wait at once.
///
/// Not `Thread::unpark`: whatever parks in between, deep inside a library, would swallow that.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// Ends the wait, or the next one.
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Waits for the next ring.
    pub(crate) fn wait(&self) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rung = self
            .changed
            .wait_while(rung, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }

    /// The same, for so long at most.
    pub(crate) fn wait_for(&self, limit: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self
            .changed
            .wait_timeout_while(rung, limit, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// The future's output, or `None` when `limit` is over first. The future is dropped then, which cancels it.
pub(crate) fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let bell = Arc::new(Bell::default());
    within_unless(&bell, &AtomicBool::new(false), limit, future)
}

/// Like [`within`], but once `stop` is set only a moment is left; who sets it rings the bell.
///
/// A ring that was meant for something else is consumed here: after this, look at everything again before waiting.
pub(crate) fn within_unless<F: Future>(
    bell: &Arc<Bell>,
    stop: &AtomicBool,
    limit: Duration,
    future: F,
) -> Option<F::Output> {
    let waker = Waker::from(Arc::clone(bell));
    let mut deadline = Instant::now() + limit;
    let mut stopping = false;
    let mut future = pin!(future);
    loop {
        if let Some(output) = poll_once(future.as_mut(), &waker) {
            return Some(output);
        }
        let now = Instant::now();
        if !stopping && stop.load(Ordering::Acquire) {
            stopping = true;
            deadline = deadline.min(now + LAST_MOMENT);
        }
        let left = deadline.saturating_duration_since(now);
        if left.is_zero() {
            return None;
        }
        bell.wait_for(left);
    }
}

/// The output, if the future is ready now.
pub(crate) fn poll_once<F: Future + ?Sized>(
    future: Pin<&mut F>,
    waker: &Waker,
) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future;

    #[test]
    fn what_is_ready_is_returned_even_without_time() {
        assert_eq!(within(Duration::ZERO, future::ready(7)), Some(7));
    }

    #[test]
    fn what_never_comes_ends_at_the_deadline() {
        let limit = Duration::from_millis(20);
        let begun = Instant::now();
        assert_eq!(within(limit, future::pending::<()>()), None);
        assert!(begun.elapsed() >= limit);
    }

    #[test]
    fn a_stop_shortens_the_wait() {
        let bell = Arc::default();
        let stop = AtomicBool::new(true);
        let begun = Instant::now();
        let long = Duration::from_secs(60);
        let output = within_unless(&bell, &stop, long, future::pending::<()>());
        assert_eq!(output, None);
        assert!(begun.elapsed() < long / 2);
    }

    #[test]
    fn a_ring_before_the_wait_is_not_lost() {
        let bell = Bell::default();
        bell.ring();
        bell.wait();
        assert!(!*bell.rung.lock().unwrap());
    }

    #[test]
    fn a_wake_from_another_thread_is_seen() {
        let (sender, receiver) = std::sync::mpsc::channel::<Waker>();
        let done = Arc::new(AtomicBool::new(false));
        let other = std::thread::spawn({
            let done = Arc::clone(&done);
            move || {
                let waker = receiver.recv().unwrap();
                done.store(true, Ordering::Release);
                waker.wake();
            }
        });
        let future = future::poll_fn(|context| {
            let _ = sender.send(context.waker().clone());
            if done.load(Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        assert_eq!(within(Duration::from_secs(60), future), Some(()));
        other.join().unwrap();
    }
}
