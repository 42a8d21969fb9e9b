//! Notices that are not shown yet: at most one for each key, oldest first. Pure.
//!
//! Closed notices are removed, so the queue stays small even if a daemon does not answer for long.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::decide::notice::{Notice, NoticeKey};

/// The lifetime of a notice about a user's action. A notice about a problem stays until the problem is over.
pub(super) const ANSWER_LIFETIME: Duration = Duration::from_secs(30);

/// The number of calls for a notice if the calls fail.
const MAX_TRIES: u32 = 2;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueuedNotice {
    pub(super) notice: Notice,
    since: Instant,
    tries: u32,
}

impl QueuedNotice {
    pub(super) fn new(notice: Notice, now: Instant) -> Self {
        Self {
            notice,
            since: now,
            tries: 0,
        }
    }

    /// Returns the notice for another try, or `None` after [`MAX_TRIES`].
    pub(super) fn lost(self) -> Option<Self> {
        let tries = self.tries + 1;
        (tries < MAX_TRIES).then_some(Self { tries, ..self })
    }

    fn is_unexpired(&self, now: Instant) -> bool {
        !self.notice.transient || now.duration_since(self.since) < ANSWER_LIFETIME
    }
}

#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<QueuedNotice>);

impl Queue {
    pub(super) fn put(&mut self, new: QueuedNotice) {
        let place = self
            .0
            .iter_mut()
            .find(|old| old.notice.key == new.notice.key);
        match place {
            Some(old) => *old = new,
            None => self.0.push_back(new),
        }
    }

    /// Returns a notice to the front, unless a newer one has its key.
    pub(super) fn put_back(&mut self, old: QueuedNotice) {
        if !self.0.iter().any(|new| new.notice.key == old.notice.key) {
            self.0.push_front(old);
        }
    }

    /// Removes and returns the oldest notice that has not expired.
    pub(super) fn take(&mut self, now: Instant) -> Option<QueuedNotice> {
        self.0.retain(|queued| queued.is_unexpired(now));
        self.0.pop_front()
    }

    pub(super) fn remove(&mut self, key: &NoticeKey) {
        self.0.retain(|queued| queued.notice.key != *key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::FindingId;

    fn notice(subject: &str, summary: &str) -> Notice {
        let key = NoticeKey::Place(FindingId::Stale, subject.to_owned());
        Notice::new(key, summary.to_owned(), String::new())
    }

    fn summaries(queue: &mut Queue, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| queue.take(now))
            .map(|queued| queued.notice.summary)
            .collect()
    }

    #[test]
    fn keeps_one_notice_per_key_in_order() {
        let now = Instant::now();
        let mut queue = Queue::default();
        for (subject, summary) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")] {
            queue.put(QueuedNotice::new(notice(subject, summary), now));
        }
        queue.remove(&notice("c", "").key);
        assert_eq!(summaries(&mut queue, now), ["3", "2"]);
    }

    #[test]
    fn put_back_is_first_unless_a_newer_notice_has_the_key() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.put(QueuedNotice::new(notice("b", "2"), now));
        queue.put_back(QueuedNotice::new(notice("a", "1"), now));
        queue.put_back(QueuedNotice::new(notice("b", "old"), now));
        assert_eq!(summaries(&mut queue, now), ["1", "2"]);
    }

    #[test]
    fn drops_expired_transient_notice() {
        let now = Instant::now();
        let mut queue = Queue::default();
        let answer = Notice {
            transient: true,
            ..notice("a", "answer")
        };
        queue.put(QueuedNotice::new(answer, now));
        queue.put(QueuedNotice::new(notice("b", "problem"), now));
        assert_eq!(summaries(&mut queue, now + ANSWER_LIFETIME), ["problem"]);
    }

    #[test]
    fn second_failure_gives_up() {
        let queued = QueuedNotice::new(notice("a", "1"), Instant::now());
        assert_eq!(queued.lost().unwrap().lost(), None);
    }
}
