//! Waits for a future with a deadline, on the calling thread.
//!
//! zbus has no timeouts, and another program may never answer. A [`WakeSignal`] ends the wait if the future is ready,
//! another thread sets it, or the time is over.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// The remaining limit when a wait is stopped: enough for a reply that is already on its way.
const STOP_LIMIT: Duration = Duration::from_millis(300);

/// Wakes the thread that waits for it, from any thread. If set before the wait, the wait returns at once.
///
/// `Thread::unpark` would not do: a library that parks the thread could consume the token.
#[derive(Debug, Default)]
pub(crate) struct WakeSignal {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl WakeSignal {
    pub(crate) fn set(&self) {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    pub(crate) fn wait(&self) {
        let is_set = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_set = self
            .changed
            .wait_while(is_set, |is_set| !*is_set)
            .unwrap_or_else(PoisonError::into_inner);
        *is_set = false;
    }

    /// Waits for at most `limit`.
    pub(crate) fn wait_for(&self, limit: Duration) {
        let is_set = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut is_set, _) = self
            .changed
            .wait_timeout_while(is_set, limit, |is_set| !*is_set)
            .unwrap_or_else(PoisonError::into_inner);
        *is_set = false;
    }
}

impl Wake for WakeSignal {
    fn wake(self: Arc<Self>) {
        self.set();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set();
    }
}

/// Returns the output, or `None` if `limit` is over first. The future is then dropped, which cancels it.
pub(crate) fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let wake_signal = Arc::new(WakeSignal::default());
    within_unless(&wake_signal, &AtomicBool::new(false), limit, future)
}

/// Like [`within`], but if `stop` is set, waits only [`STOP_LIMIT`] longer. Set `wake_signal` after setting `stop`.
///
/// This consumes the wake signal, so check all other sources of events before the next wait.
pub(crate) fn within_unless<F: Future>(
    wake_signal: &Arc<WakeSignal>,
    stop: &AtomicBool,
    limit: Duration,
    future: F,
) -> Option<F::Output> {
    let waker = Waker::from(Arc::clone(wake_signal));
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
            deadline = deadline.min(now + STOP_LIMIT);
        }
        let left = deadline.saturating_duration_since(now);
        if left.is_zero() {
            return None;
        }
        wake_signal.wait_for(left);
    }
}

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
    fn returns_ready_output_without_time() {
        assert_eq!(within(Duration::ZERO, future::ready(7)), Some(7));
    }

    #[test]
    fn pending_future_ends_at_deadline() {
        let limit = Duration::from_millis(20);
        let begun = Instant::now();
        assert_eq!(within(limit, future::pending::<()>()), None);
        assert!(begun.elapsed() >= limit);
    }

    #[test]
    fn stop_shortens_wait() {
        let wake_signal = Arc::default();
        let stop = AtomicBool::new(true);
        let begun = Instant::now();
        let long = Duration::from_secs(60);
        let output = within_unless(&wake_signal, &stop, long, future::pending::<()>());
        assert_eq!(output, None);
        assert!(begun.elapsed() < long / 2);
    }

    #[test]
    fn signal_before_wait_is_kept() {
        let wake_signal = WakeSignal::default();
        wake_signal.set();
        wake_signal.wait();
        assert!(!*wake_signal.is_set.lock().unwrap());
    }

    #[test]
    fn wake_from_other_thread_ends_wait() {
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
