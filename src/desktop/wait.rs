//! Waiting for a future with a deadline, on the thread that asks.
//!
//! zbus offers no clock of its own, and a call to another program may never be answered. A thread that parks can
//! have both: the future's waker unparks it, and so does the deadline.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Unparks a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker that unparks the calling thread.
pub(crate) fn unparking_waker() -> Waker {
    Waker::from(Arc::new(Unpark(std::thread::current())))
}

/// The future's output, or `None` when `limit` is over first. The future is dropped then, which cancels it.
pub(crate) fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    within_unless(&AtomicBool::new(false), limit, future)
}

/// Like [`within`], and `None` at once when `stop` is set; who sets it unparks this thread.
///
/// A wake-up that was meant for something else on this thread may be consumed here: after a wait, look at
/// everything again before parking.
pub(crate) fn within_unless<F: Future>(
    stop: &AtomicBool,
    limit: Duration,
    future: F,
) -> Option<F::Output> {
    let waker = unparking_waker();
    let deadline = Instant::now() + limit;
    let mut future = pin!(future);
    loop {
        if let Some(output) = poll_once(future.as_mut(), &waker) {
            return Some(output);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stop.load(Ordering::Acquire) {
            return None;
        }
        std::thread::park_timeout(left);
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
    fn a_stop_ends_the_wait() {
        let stop = AtomicBool::new(true);
        let output = within_unless(&stop, Duration::from_secs(60), future::pending::<()>());
        assert_eq!(output, None);
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
