//! The announced problems: every problem that begins is announced once, alone or in a summary, and the notification is
//! closed when the problem is over.
//!
//! The number of notifications depends on how the events of a batch fall into muxtray's scans, which cannot be known:
//! the problems of one scan make one summary. Therefore the problems are counted: a notification about one problem
//! counts as one, "7 problems with control sockets" as seven.

use std::collections::{BTreeMap, BTreeSet};

use super::daemon::{Daemon, Shown};
use super::truth::{Kind, Problem};

/// How a problem was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announced {
    /// By this notification.
    Alone(u32),
    /// In a summary.
    InSummary,
    /// To a daemon that has ended since.
    Lost,
}

/// Whether this problem may be over before it is announced.
type Fleeting = BTreeSet<(Kind, String)>;

#[derive(Debug, Default)]
pub(crate) struct Announcements {
    announced: BTreeMap<Problem, Announced>,
    /// The last summary, unless its daemon has ended.
    summary: Option<u32>,
    /// The expected announcements.
    awaited: Awaited,
    /// The problems that began, and those that were announced.
    pub(crate) expected: u64,
    pub(crate) seen: u64,
    /// Notifications of problems that were over within a moment; they are optional.
    pub(crate) fleeting: u64,
    /// Notifications of any kind, each replacement included.
    pub(crate) shown: u64,
    /// Answers to clicks.
    pub(crate) answers: Vec<String>,
}

#[derive(Debug, Default)]
struct Awaited {
    began: BTreeSet<Problem>,
    fleeting: Fleeting,
    alone: BTreeMap<(Kind, String), u32>,
    in_summaries: usize,
}

impl Announcements {
    /// Expects these to be announced, and the notifications of those that are over to be closed. Fleeting problems may
    /// be announced or not.
    pub(crate) fn expect(
        &mut self,
        began: BTreeSet<Problem>,
        over: &BTreeSet<Problem>,
        fleeting: Fleeting,
    ) {
        self.announced.retain(|problem, _| !over.contains(problem));
        self.expected += began.len() as u64;
        self.awaited = Awaited {
            began,
            fleeting,
            ..Awaited::default()
        };
    }

    /// The daemon has ended, with all its notifications.
    pub(crate) fn forget_daemon(&mut self) {
        self.summary = None;
        for announced in self.announced.values_mut() {
            if matches!(announced, Announced::Alone(_)) {
                *announced = Announced::Lost;
            }
        }
    }

    /// Why the expectation is not met yet; panics if too much was announced.
    pub(crate) fn differs_from(&mut self, daemon: &Daemon) -> Option<String> {
        for shown in daemon.take_shown() {
            self.take(&shown);
        }
        let awaited = &self.awaited;
        let announced = awaited.alone.len() + awaited.in_summaries;
        let (began, fleeting) = (awaited.began.len(), awaited.fleeting.len());
        assert!(
            announced <= began + fleeting,
            "announced {announced} problems, but {began} began and {fleeting} may have: {awaited:#?}"
        );
        // Among fleeting problems a count proves nothing; a lasting one has to be announced alone then.
        let missing = if fleeting > 0 {
            let is_announced = |problem: &&Problem| {
                let subject = (problem.kind, problem.subject.clone());
                awaited.alone.contains_key(&subject)
            };
            began - awaited.began.iter().filter(is_announced).count()
        } else {
            began - announced
        };
        if missing > 0 {
            return Some(format!(
                "{missing} of {began} problems are not announced: {awaited:?}"
            ));
        }
        let open: BTreeMap<u32, Shown> = daemon.open();
        let open: BTreeMap<u32, &str> = open
            .iter()
            .filter(|(_, shown)| !shown.is_transient)
            .map(|(id, shown)| (*id, shown.summary.as_str()))
            .collect();
        let expected = self.expected_open();
        (!open.keys().eq(&expected))
            .then(|| format!("open are {open:?}, which should be {expected:?}"))
    }

    /// Ends the expectation, which is met.
    pub(crate) fn close(&mut self) {
        let awaited = std::mem::take(&mut self.awaited);
        let announced = (awaited.alone.len() + awaited.in_summaries) as u64;
        let began = awaited.began.len() as u64;
        self.seen += announced.min(began);
        self.fleeting += announced.saturating_sub(began);
        self.announced.extend(awaited.announced());
    }

    fn expected_open(&self) -> BTreeSet<u32> {
        let announced: Vec<Announced> = self
            .announced
            .values()
            .copied()
            .chain(self.awaited.announced().map(|(_, announced)| announced))
            .collect();
        let alone = announced.iter().filter_map(|announced| match announced {
            Announced::Alone(id) => Some(*id),
            Announced::InSummary | Announced::Lost => None,
        });
        let summary = self
            .summary
            .filter(|_| announced.contains(&Announced::InSummary));
        alone.chain(summary).collect()
    }

    fn take(&mut self, shown: &Shown) {
        self.shown += 1;
        if shown.is_transient {
            self.answers.push(shown.summary.clone());
            return;
        }
        let several = shown.summary.strip_suffix(" problems with control sockets");
        if let Some(number) = several {
            self.summary = Some(shown.id);
            self.awaited.in_summaries += number.parse::<usize>().unwrap();
            return;
        }
        let is_titled = |kind: &Kind| {
            let headline = kind.headline();
            let title = &shown.summary;
            title.ends_with(&format!(": {headline}")) || title.eq_ignore_ascii_case(headline)
        };
        let kind = Kind::ALL.into_iter().find(is_titled);
        let kind = kind.unwrap_or_else(|| panic!("unknown notification: {shown:?}"));
        let subject = shown.body.lines().nth(1).unwrap_or_default().to_owned();
        let subject = (kind, subject);
        let is_awaited = self.awaited.fleeting.contains(&subject)
            || self
                .awaited
                .began
                .iter()
                .any(|problem| problem.kind == kind && problem.subject == subject.1);
        assert!(
            is_awaited,
            "announced a problem that did not begin: {shown:?}, where {:#?}",
            self.awaited
        );
        let before = self.awaited.alone.insert(subject, shown.id);
        assert_eq!(before, None, "announced twice: {shown:?}");
    }
}

impl Awaited {
    fn announced(&self) -> impl Iterator<Item = (Problem, Announced)> {
        self.began.iter().map(|problem| {
            let subject = (problem.kind, problem.subject.clone());
            let announced = match self.alone.get(&subject) {
                Some(id) => Announced::Alone(*id),
                None => Announced::InSummary,
            };
            (problem.clone(), announced)
        })
    }
}
