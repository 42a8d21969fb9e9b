//! Waits for a future with a deadline, on the calling thread: zbus has no timeouts, and another program may never answer.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Returns the output, or `None` if `limit` is over first. The future is then dropped, which cancels it.
pub(crate) fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let deadline = Instant::now() + limit;
    let (parker, unparker) = parking::pair();
    let waker = Waker::from(unparker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        if !parker.park_deadline(deadline) {
            return None;
        }
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
    fn wake_from_other_thread_ends_wait() {
        let (sender, receiver) = std::sync::mpsc::channel::<Waker>();
        let other = std::thread::spawn(move || receiver.recv().unwrap().wake());
        let mut is_ready = false;
        let future = future::poll_fn(|context| {
            if std::mem::replace(&mut is_ready, true) {
                return Poll::Ready(());
            }
            sender.send(context.waker().clone()).unwrap();
            Poll::Pending
        });
        assert_eq!(within(Duration::from_secs(60), future), Some(()));
        other.join().unwrap();
    }
}
