//! The summary of a snapshot, the same in menu, table and icon title.

use tr::tr;

use crate::model::finding::Finding;
use crate::model::socket::{Snapshot, Socket};
use crate::model::text;

pub const PROBLEM_MARK: &str = "\u{25b2}";
const MARK: &str = "\u{25cf}";

/// The mark before a socket's name. A problem has another shape, not only another colour.
pub fn mark(socket: &Socket) -> &'static str {
    if socket.is_problem() {
        PROBLEM_MARK
    } else {
        MARK
    }
}

/// "3 masters, 1 problem"
pub fn summary(snapshot: &Snapshot) -> String {
    let masters = snapshot.sockets.iter().filter(|socket| socket.is_running());
    let masters = match masters.count() {
        0 => tr!("no masters"),
        masters => text::masters(masters),
    };
    match problem_count(snapshot) {
        0 => masters,
        problems => tr!(
            "{masters}, {problems}",
            masters,
            problems = text::problems(problems)
        ),
    }
}

/// Returns the number of sockets with a problem and of other findings that are warnings or errors.
pub fn problem_count(snapshot: &Snapshot) -> usize {
    let sockets = snapshot.sockets.iter().filter(|socket| socket.is_problem());
    let is_problem = |finding: &&Finding| finding.severity.is_problem();
    sockets.count() + snapshot.findings.iter().filter(is_problem).count()
}
