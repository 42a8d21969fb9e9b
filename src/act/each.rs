//! One thing done to many, several at a time: a wedged master costs its own deadline, not everybody's.

use std::thread;

/// How many at a time.
const AT_A_TIME: usize = 8;

/// What `act` returns for each, in order.
pub fn each<T: Sync, R: Send>(all: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let mut results = Vec::with_capacity(all.len());
    for some in all.chunks(AT_A_TIME) {
        thread::scope(|scope| {
            let at_work: Vec<_> = some.iter().map(|one| scope.spawn(|| act(one))).collect();
            results.extend(at_work.into_iter().map(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }));
        });
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_come_in_order() {
        let numbers: Vec<usize> = (0..AT_A_TIME * 2 + 3).collect();
        assert_eq!(
            each(&numbers, |number| number * 2),
            numbers.iter().map(|n| n * 2).collect::<Vec<_>>()
        );
    }
}
