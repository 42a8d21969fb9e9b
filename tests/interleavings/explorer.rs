//! Every order in which some actors can take their turns, one run from the beginning for each.
//!
//! It knows nothing of what the actors do. It goes through the tree of choices depth first, and counts in two ways
//! that do not depend on how it does so whether a branch was left out.

use std::collections::BTreeMap;

/// One run: actors that take turns, one at a time.
pub(crate) trait Play {
    /// Whose turn it may be now, in ascending order; nobody's: it is over.
    fn able(&mut self) -> Vec<usize>;

    /// Lets this one take a turn.
    fn turn(&mut self, actor: usize);
}

/// What was gone through.
#[derive(Debug)]
pub(crate) struct Explored {
    /// How many different runs there are.
    pub(crate) schedules: u64,
    /// For how many words they stand: see [`words_of`].
    words: u128,
    lengths: Vec<usize>,
    /// The sum of each run's share, in units of `1 / WHOLE`.
    share: u128,
}

/// Longer runs than this cannot be counted. Up to four actors may be able at once, and 12 is a multiple of 1 to 4.
const DEEPEST: u32 = 34;
const WHOLE: u128 = 12_u128.pow(DEEPEST);

impl Explored {
    /// Demands that this many runs were gone through, and that they are all there are.
    ///
    /// A run is as probable as tossing for each turn makes it, and all of them together are certain: so the shares sum
    /// up to one, if and only if no choice was left out.
    #[track_caller]
    pub(crate) fn expect(self, schedules: u64) -> Self {
        assert_eq!(self.share, WHOLE, "branches were left out: {self:?}");
        assert_eq!(self.schedules, schedules, "{self:?}");
        self
    }

    /// Demands that the runs stand for every word there is with so many turns of each actor: the multinomial
    /// coefficient. Holds where nobody ever has to wait for another.
    #[track_caller]
    pub(crate) fn expect_every_word(&self) {
        assert_eq!(self.words, multinomial(&self.lengths), "{self:?}");
    }
}

/// Goes through every run. `begin` makes a new one, always the same; `end` is given each that is over. No actor takes
/// more turns than `lengths` says.
pub(crate) fn explore<P: Play>(
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
    // Who was able at each turn, and whose turn it is in this run.
    let mut choices: Vec<(Vec<usize>, usize)> = Vec::new();
    loop {
        let mut play = begin();
        let mut share = WHOLE;
        let mut run = Vec::new();
        loop {
            let able = play.able();
            if able.is_empty() {
                break;
            }
            let depth = run.len();
            if depth == choices.len() {
                choices.push((able.clone(), 0));
            }
            let (before, chosen) = &choices[depth];
            assert_eq!(*before, able, "the same run went another way: {run:?}");
            let actor = able[*chosen];
            play.turn(actor);
            run.push(actor);
            share /= able.len() as u128;
        }
        explored.schedules += 1;
        explored.share += share;
        explored.words += words_of(&run, lengths);
        end(play);
        // The last choice that has another way becomes it.
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

/// How many words a run stands for. A word has exactly `lengths[actor]` letters of each actor; it is read as a run in
/// which the letters of an actor that is already done mean nothing.
fn words_of(run: &[usize], lengths: &[usize]) -> u128 {
    let mut left = lengths.to_vec();
    let mut done_at = vec![0; lengths.len()];
    for (place, actor) in run.iter().enumerate() {
        left[*actor] = left[*actor]
            .checked_sub(1)
            .unwrap_or_else(|| panic!("actor {actor} takes more turns than {lengths:?}: {run:?}"));
        done_at[*actor] = place + 1;
    }
    // How many words begin with so much of the run and have so many idle letters left: from the end to the beginning.
    let mut memory = BTreeMap::new();
    count(0, &left, run.len(), &done_at, &mut memory)
}

fn count(
    place: usize,
    left: &[usize],
    end: usize,
    done_at: &[usize],
    memory: &mut BTreeMap<(usize, Vec<usize>), u128>,
) -> u128 {
    if place == end && left.iter().all(|left| *left == 0) {
        return 1;
    }
    let key = (place, left.to_vec());
    if let Some(known) = memory.get(&key) {
        return *known;
    }
    let mut sum = 0;
    if place < end {
        sum += count(place + 1, left, end, done_at, memory);
    }
    for actor in 0..left.len() {
        if left[actor] > 0 && done_at[actor] <= place {
            let mut less = left.to_vec();
            less[actor] -= 1;
            sum += count(place, &less, end, done_at, memory);
        }
    }
    memory.insert(key, sum);
    sum
}

/// In how many orders so many letters of each kind can stand.
fn multinomial(lengths: &[usize]) -> u128 {
    let mut placed = 0;
    let mut orders = 1;
    for length in lengths {
        for nth in 1..=*length as u128 {
            placed += 1;
            // The product of so many successive numbers is divisible by so many's factorial.
            orders = orders * placed / nth;
        }
    }
    orders
}

/// Actors that take a fixed number of turns each, the first of which is over early if it comes before the second.
struct Toy {
    left: Vec<usize>,
    early: bool,
}

impl Play for Toy {
    fn able(&mut self) -> Vec<usize> {
        (0..self.left.len())
            .filter(|actor| self.left[*actor] > 0)
            .collect()
    }

    fn turn(&mut self, actor: usize) {
        self.left[actor] -= 1;
        if self.early && actor == 0 && self.left[1] == 2 {
            self.left[0] = 0;
        }
    }
}

#[test]
fn every_order_is_gone_through() {
    let toy = |early| {
        move || Toy {
            left: vec![3, 2, 2],
            early,
        }
    };
    let all = explore(&[3, 2, 2], toy(false), drop).expect(210);
    all.expect_every_word();
    // 7! / (3! 2! 2!) words still, of which many come to the same.
    let some = explore(&[3, 2, 2], toy(true), drop);
    some.expect_every_word();
    assert!(some.schedules < 210 && some.share == WHOLE);
}
