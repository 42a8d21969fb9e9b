//! Runs every order in which some processes can take their turns, each from the beginning.
//!
//! The explorer knows nothing of the processes' work. It walks the tree of choices depth first, and checks with two
//! counts, both independent of that walk, that no branch was left out.

use std::collections::BTreeMap;

/// One run: processes that take turns, one at a time.
pub(crate) trait Processes {
    /// The processes that can take a turn, in ascending order. The run is over if there are none.
    fn able(&mut self) -> Vec<usize>;

    /// Lets this process take a turn.
    fn turn(&mut self, process: usize);
}

/// The size of an exploration.
#[derive(Debug)]
pub(crate) struct Explored {
    /// The number of different runs.
    pub(crate) schedules: u64,
    /// The number of words these runs stand for: see [`words_of`].
    words: u128,
    lengths: Vec<usize>,
    /// The sum of each run's share, in units of `1 / WHOLE`.
    share: u128,
}

/// Longer runs cannot be counted. Up to four processes may be able at once, and 12 is a multiple of 1 to 4.
const DEEPEST: u32 = 34;
const WHOLE: u128 = 12_u128.pow(DEEPEST);

impl Explored {
    /// Asserts that this many runs were made, and that these are all.
    ///
    /// If the next process is drawn at random for each turn, each run has a probability, and all of them sum up to one
    /// if and only if no choice was left out.
    #[track_caller]
    pub(crate) fn expect(self, schedules: u64) -> Self {
        assert_eq!(self.share, WHOLE, "branches were left out: {self:?}");
        assert_eq!(self.schedules, schedules, "{self:?}");
        self
    }

    /// Asserts that the runs stand for every word with this many turns of each process: the multinomial coefficient. It
    /// holds if no process ever waits for another.
    #[track_caller]
    pub(crate) fn expect_every_word(&self) {
        assert_eq!(self.words, multinomial(&self.lengths), "{self:?}");
    }
}

/// Makes every run. `begin` returns a new run, always the same; `end` takes each finished run. No process takes more
/// turns than `lengths` allows.
pub(crate) fn explore<P: Processes>(
    lengths: &[usize],
    begin: impl Fn() -> P,
    mut end: impl FnMut(P),
) -> Explored {
    let mut explored = Explored {
        schedules: 0,
        words: 0,
        lengths: lengths.to_vec(),
        share: 0,
    };
    // The able processes at each turn, and the choice made in this run.
    let mut choices: Vec<(Vec<usize>, usize)> = Vec::new();
    loop {
        let mut processes = begin();
        let mut share = WHOLE;
        let mut run = Vec::new();
        loop {
            let able = processes.able();
            if able.is_empty() {
                break;
            }
            let depth = run.len();
            if depth == choices.len() {
                choices.push((able.clone(), 0));
            }
            let (before, chosen) = &choices[depth];
            assert_eq!(*before, able, "the same run went another way: {run:?}");
            let process = able[*chosen];
            processes.turn(process);
            run.push(process);
            share /= able.len() as u128;
        }
        explored.schedules += 1;
        explored.share += share;
        explored.words += words_of(&run, lengths);
        end(processes);
        // Changes the last choice that has an alternative left.
        loop {
            match choices.last_mut() {
                None => return explored,
                Some((able, chosen)) if *chosen + 1 < able.len() => {
                    *chosen += 1;
                    break;
                }
                Some(_) => drop(choices.pop()),
            }
        }
    }
}

/// The number of words that a run stands for. A word has exactly `lengths[process]` letters of each process; it is read
/// as a run in which the letters of a finished process are ignored.
fn words_of(run: &[usize], lengths: &[usize]) -> u128 {
    let mut left = lengths.to_vec();
    let mut done_at = vec![0; lengths.len()];
    for (position, process) in run.iter().enumerate() {
        left[*process] = left[*process].checked_sub(1).unwrap_or_else(|| {
            panic!("process {process} takes more turns than {lengths:?}: {run:?}")
        });
        done_at[*process] = position + 1;
    }
    // For each suffix of the run, from the end: the number of words with this many ignored letters left.
    let mut known_counts = BTreeMap::new();
    count(0, &left, run.len(), &done_at, &mut known_counts)
}

fn count(
    position: usize,
    left: &[usize],
    end: usize,
    done_at: &[usize],
    known_counts: &mut BTreeMap<(usize, Vec<usize>), u128>,
) -> u128 {
    if position == end && left.iter().all(|left| *left == 0) {
        return 1;
    }
    let key = (position, left.to_vec());
    if let Some(known) = known_counts.get(&key) {
        return *known;
    }
    let mut sum = 0;
    if position < end {
        sum += count(position + 1, left, end, done_at, known_counts);
    }
    for process in 0..left.len() {
        if left[process] > 0 && done_at[process] <= position {
            let mut less = left.to_vec();
            less[process] -= 1;
            sum += count(position, &less, end, done_at, known_counts);
        }
    }
    known_counts.insert(key, sum);
    sum
}

/// The number of orders of this many letters of each kind.
fn multinomial(lengths: &[usize]) -> u128 {
    let mut placed = 0;
    let mut orders = 1;
    for length in lengths {
        for nth in 1..=*length as u128 {
            placed += 1;
            // The product of n successive numbers is divisible by n!.
            orders = orders * placed / nth;
        }
    }
    orders
}

/// Processes with a fixed number of turns each. The first one finishes early if it comes before the second.
struct FixedTurns {
    left: Vec<usize>,
    early: bool,
}

impl Processes for FixedTurns {
    fn able(&mut self) -> Vec<usize> {
        (0..self.left.len())
            .filter(|process| self.left[*process] > 0)
            .collect()
    }

    fn turn(&mut self, process: usize) {
        self.left[process] -= 1;
        if self.early && process == 0 && self.left[1] == 2 {
            self.left[0] = 0;
        }
    }
}

#[test]
fn explorer_makes_every_order() {
    let fixed = |early| {
        move || FixedTurns {
            left: vec![3, 2, 2],
            early,
        }
    };
    let all = explore(&[3, 2, 2], fixed(false), drop).expect(210);
    all.expect_every_word();
    // Still 7! / (3! 2! 2!) words, many of which are the same run.
    let some = explore(&[3, 2, 2], fixed(true), drop);
    some.expect_every_word();
    assert!(some.schedules < 210 && some.share == WHOLE);
}
