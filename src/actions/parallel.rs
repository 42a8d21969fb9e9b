//! One thing done to many, several at a time: a wedged master costs its own deadline, not everybody's.

use std::thread;

/// How many at a time.
const AT_A_TIME: usize = 8;

/// What `act` returns for each, in order.
pub fn parallel_map<T: Sync, R: Send>(all: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let mut results = Vec::with_capacity(all.len());
    for some in all.chunks(AT_A_TIME) {
        thread::scope(|scope| {
            let act = &act;
            let start = |one| thread::Builder::new().spawn_scoped(scope, move || act(one));
            let at_work: Vec<_> = some.iter().map(|one| (one, start(one))).collect();
            results.extend(at_work.into_iter().map(|(one, thread)| match thread {
                Ok(thread) => match thread.join() {
                    Ok(result) => result,
                    Err(panic) => std::panic::resume_unwind(panic),
                },
                // The system has no thread left: one after the other then.
                Err(_) => act(one),
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
            parallel_map(&numbers, |number| number * 2),
            numbers.iter().map(|n| n * 2).collect::<Vec<_>>()
        );
    }
}
