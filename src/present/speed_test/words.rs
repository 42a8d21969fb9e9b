//! The verdict of a test in words.

use tr::tr;
use unicode_width::UnicodeWidthStr as _;

use super::{Master, Series, Trial};
use crate::model::text;

impl Trial {
    /// The verdict, for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let host = text::line(&self.host);
        // Translators: the runs of `muxtray test`: connections of their own, and sessions through a master.
        let names = [tr!("fresh:"), tr!("multiplexed:")];
        let width = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let row = |name: &str, series: &Series| {
            let blanks = " ".repeat(width - name.width());
            format!("{name}{blanks}  {}", words(series))
        };
        let [fresh, multiplexed] = &names;
        let mut lines = vec![row(fresh, &self.fresh)];
        if self.multiplexed != Series::default() {
            lines.push(row(multiplexed, &self.multiplexed));
        }
        lines.push(match self.factor() {
            Some(factor) if self.works() && factor >= 1.0 => {
                tr!(
                    "multiplexing works for {host}: {factor} times as fast",
                    host,
                    factor = text::number(format_args!("{factor:.1}"))
                )
            }
            Some(factor) if self.works() => tr!(
                "multiplexing works for {host}, but gains nothing: {factor} times as fast",
                host,
                factor = text::number(format_args!("{factor:.1}"))
            ),
            None if self.works() => tr!("multiplexing works for {host}", host),
            Some(_) | None => tr!("multiplexing does not work for {host}", host),
        });
        for obstacle in &self.obstacles {
            lines.push(format!("    {}", obstacle.evidence));
            lines.extend(
                obstacle
                    .remedy
                    .iter()
                    .map(|remedy| format!("    \u{2192} {remedy}")),
            );
        }
        match &self.master {
            Master::None | Master::Running => {}
            Master::Started => lines.push(tr!(
                "no master ran: one was started for this test, and has ended"
            )),
            Master::Left(why) => lines.push(tr!(
                "the master that was started for this test {why}; it ends a minute after its last session",
                why
            )),
        }
        lines
    }
}

/// `3 runs, median 212.0 ms (208.1 to 230.9 ms)`
fn words(series: &Series) -> String {
    let least_and_most = series.runs.iter().min().zip(series.runs.iter().max());
    let runs = series
        .median()
        .zip(least_and_most)
        .map(|(median, (least, most))| {
            tr!(
                "{n} run, median {median} ms ({least} to {most} ms)"
                    | "{n} runs, median {median} ms ({least} to {most} ms)" % series.runs.len(),
                median = text::millis(median),
                least = text::millis(*least),
                most = text::millis(*most)
            )
        });
    match (runs, &series.failure) {
        (Some(runs), Some(failure)) => tr!("{runs}; then {failure}", runs, failure),
        (Some(words), None) => words,
        (None, failure) => failure
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}
