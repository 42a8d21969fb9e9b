use std::thread;

const AT_A_TIME: usize = 8;

/// Calls `act` for several items at a time, so that one that runs into its deadline does not delay all others. Returns
/// the results in the order of the items.
pub fn parallel_map<T: Sync, R: Send>(items: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let mut results = Vec::with_capacity(items.len());
    for chunk in items.chunks(AT_A_TIME) {
        thread::scope(|scope| {
            let act = &act;
            let start = |item| thread::Builder::new().spawn_scoped(scope, move || act(item));
            let threads: Vec<_> = chunk.iter().map(|item| (item, start(item))).collect();
            results.extend(threads.into_iter().map(|(item, thread)| match thread {
                Ok(thread) => match thread.join() {
                    Ok(result) => result,
                    Err(panic) => std::panic::resume_unwind(panic),
                },
                // No more threads can be created.
                Err(_) => act(item),
            }));
        });
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_results_in_order() {
        let numbers: Vec<usize> = (0..AT_A_TIME * 2 + 3).collect();
        assert_eq!(
            parallel_map(&numbers, |number| number * 2),
            numbers.iter().map(|n| n * 2).collect::<Vec<_>>()
        );
    }
}
