//! Notices that the daemon has not been given yet: one for each key, the oldest first. Pure.
//!
//! However long a daemon takes, there are never more than there are things to tell of, and what is over is not told.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::decide::notice::{Notice, NoticeKey};

/// How long the answer to something a person asked for is worth telling. A problem is until it is over.
pub(super) const ANSWER_KEEPS: Duration = Duration::from_secs(30);

/// How often the daemon is asked to show the same notice, where it is lost on the way.
const MOST_TRIES: u32 = 2;

/// A notice on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) notice: Notice,
    since: Instant,
    tries: u32,
}

impl Waiting {
    pub(super) fn new(notice: Notice, now: Instant) -> Self {
        Self {
            notice,
            since: now,
            tries: 0,
        }
    }

    /// The same after it was lost on the way, if that is no reason to give it up.
    pub(super) fn lost(self) -> Option<Self> {
        let tries = self.tries + 1;
        (tries < MOST_TRIES).then_some(Self { tries, ..self })
    }

    fn is_worth_telling(&self, now: Instant) -> bool {
        !self.notice.transient || now.duration_since(self.since) < ANSWER_KEEPS
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Waiting>);

impl Queue {
    /// Adds one, in the place of the one with its key.
    pub(super) fn put(&mut self, new: Waiting) {
        let place = self
            .0
            .iter_mut()
            .find(|old| old.notice.key == new.notice.key);
        match place {
            Some(old) => *old = new,
            None => self.0.push_back(new),
        }
    }

    /// Puts one back that was taken, unless there is a newer one with its key.
    pub(super) fn put_back(&mut self, old: Waiting) {
        if !self.0.iter().any(|new| new.notice.key == old.notice.key) {
            self.0.push_front(old);
        }
    }

    /// Takes the oldest that is worth telling.
    pub(super) fn take(&mut self, now: Instant) -> Option<Waiting> {
        self.0.retain(|waiting| waiting.is_worth_telling(now));
        self.0.pop_front()
    }

    /// Forgets the one with this key.
    pub(super) fn remove(&mut self, key: &NoticeKey) {
        self.0.retain(|waiting| waiting.notice.key != *key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::FindingId;

    fn notice(subject: &str, summary: &str) -> Notice {
        Notice {
            key: NoticeKey::Place(FindingId::Stale, subject.to_owned()),
            summary: summary.to_owned(),
            body: String::new(),
            buttons: Vec::new(),
            transient: false,
        }
    }

    fn summaries(queue: &mut Queue, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| queue.take(now))
            .map(|waiting| waiting.notice.summary)
            .collect()
    }

    #[test]
    fn there_is_one_for_each_key_in_the_order_of_their_coming() {
        let now = Instant::now();
        let mut queue = Queue::default();
        for (subject, summary) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")] {
            queue.put(Waiting::new(notice(subject, summary), now));
        }
        queue.remove(&notice("c", "").key);
        assert_eq!(summaries(&mut queue, now), ["3", "2"]);
    }

    #[test]
    fn one_that_is_put_back_is_first_but_stands_in_no_newer_ones_way() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.put(Waiting::new(notice("b", "2"), now));
        queue.put_back(Waiting::new(notice("a", "1"), now));
        queue.put_back(Waiting::new(notice("b", "old"), now));
        assert_eq!(summaries(&mut queue, now), ["1", "2"]);
    }

    #[test]
    fn an_answer_that_comes_late_is_not_told() {
        let now = Instant::now();
        let mut queue = Queue::default();
        let answer = Notice {
            transient: true,
            ..notice("a", "answer")
        };
        queue.put(Waiting::new(answer, now));
        queue.put(Waiting::new(notice("b", "problem"), now));
        assert_eq!(summaries(&mut queue, now + ANSWER_KEEPS), ["problem"]);
    }

    #[test]
    fn what_is_lost_again_is_given_up() {
        let waiting = Waiting::new(notice("a", "1"), Instant::now());
        assert_eq!(waiting.lost().unwrap().lost(), None);
    }
}
