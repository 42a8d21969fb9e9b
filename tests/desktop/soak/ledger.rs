//! Who was told of what: every problem that begins is told once, alone or in a summary; and what is over is open no more.
//!
//! How the events of a batch fall into muxtray's looks is nobody's to say, and with that, how many notifications they
//! make: those of one look are one summary. So what is counted is what they tell of. A notification about one problem
//! counts as one, "7 problems with control sockets" as seven.

use std::collections::{BTreeMap, BTreeSet};

use super::daemon::{Daemon, Shown};
use super::world::{Kind, Problem};

/// How a problem was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// By this notification.
    Alone(u32),
    /// With others.
    InSummary,
    /// To a daemon that has taken its notification with it.
    Lost,
}

/// Whether a problem is told that may be over before anybody looks.
type Fleeting = BTreeSet<(Kind, String)>;

/// What has been told.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    told: BTreeMap<Problem, Told>,
    /// The last summary, unless its daemon is gone.
    summary: Option<u32>,
    /// What is being waited for.
    awaited: Awaited,
    /// Problems that began, and those of them that were told.
    pub(crate) expected: u64,
    pub(crate) seen: u64,
    /// Notifications of problems that were over within a moment: they need not come.
    pub(crate) fleeting: u64,
    /// Notifications of any kind, each replacement included.
    pub(crate) shown: u64,
    /// Answers to what was asked for.
    pub(crate) answers: Vec<String>,
}

#[derive(Debug, Default)]
struct Awaited {
    began: BTreeSet<Problem>,
    fleeting: Fleeting,
    alone: BTreeMap<(Kind, String), u32>,
    in_summaries: usize,
}

impl Ledger {
    /// From now on it is waited for that these are told, and that those which are over are taken back. What is fleeting
    /// may be told or not.
    pub(crate) fn expect(
        &mut self,
        began: BTreeSet<Problem>,
        over: &BTreeSet<Problem>,
        fleeting: Fleeting,
    ) {
        self.told.retain(|problem, _| !over.contains(problem));
        self.expected += began.len() as u64;
        self.awaited = Awaited {
            began,
            fleeting,
            ..Awaited::default()
        };
    }

    /// The daemon is gone, with all that it showed.
    pub(crate) fn lose(&mut self) {
        self.summary = None;
        for told in self.told.values_mut() {
            if matches!(told, Told::Alone(_)) {
                *told = Told::Lost;
            }
        }
    }

    /// Why what is expected has not come about; panics where more has.
    pub(crate) fn differs_from(&mut self, daemon: &Daemon) -> Option<String> {
        for shown in daemon.take_shown() {
            self.take(&shown);
        }
        let awaited = &self.awaited;
        let told = awaited.alone.len() + awaited.in_summaries;
        let (began, fleeting) = (awaited.began.len(), awaited.fleeting.len());
        assert!(
            told <= began + fleeting,
            "told of {told} problems, but {began} began and {fleeting} may have: {awaited:#?}"
        );
        // Among fleeting ones a number says nothing; what began in earnest has to be told alone then.
        let missing = if fleeting > 0 {
            let is_told = |problem: &&Problem| {
                let subject = (problem.kind, problem.subject.clone());
                awaited.alone.contains_key(&subject)
            };
            began - awaited.began.iter().filter(is_told).count()
        } else {
            began - told
        };
        if missing > 0 {
            return Some(format!(
                "{missing} of {began} problems are not told: {awaited:?}"
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

    /// What was waited for has come about.
    pub(crate) fn close(&mut self) {
        let awaited = std::mem::take(&mut self.awaited);
        let told = (awaited.alone.len() + awaited.in_summaries) as u64;
        let began = awaited.began.len() as u64;
        self.seen += told.min(began);
        self.fleeting += told.saturating_sub(began);
        self.told.extend(awaited.told());
    }

    fn expected_open(&self) -> BTreeSet<u32> {
        let told: Vec<Told> = self
            .told
            .values()
            .copied()
            .chain(self.awaited.told().map(|(_, told)| told))
            .collect();
        let alone = told.iter().filter_map(|told| match told {
            Told::Alone(id) => Some(*id),
            Told::InSummary | Told::Lost => None,
        });
        let summary = self.summary.filter(|_| told.contains(&Told::InSummary));
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
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| shown.summary.ends_with(&format!(": {}", kind.headline())));
        let kind = kind.unwrap_or_else(|| panic!("what is this? {shown:?}"));
        let subject = shown.body.lines().next().unwrap_or_default().to_owned();
        let subject = (kind, subject);
        let is_awaited = self.awaited.fleeting.contains(&subject)
            || self
                .awaited
                .began
                .iter()
                .any(|problem| problem.kind == kind && problem.subject == subject.1);
        assert!(
            is_awaited,
            "told of what did not begin: {shown:?}, where {:#?}",
            self.awaited
        );
        let before = self.awaited.alone.insert(subject, shown.id);
        assert_eq!(before, None, "told twice: {shown:?}");
    }
}

impl Awaited {
    fn told(&self) -> impl Iterator<Item = (Problem, Told)> {
        self.began.iter().map(|problem| {
            let subject = (problem.kind, problem.subject.clone());
            let told = match self.alone.get(&subject) {
                Some(id) => Told::Alone(*id),
                None => Told::InSummary,
            };
            (problem.clone(), told)
        })
    }
}
