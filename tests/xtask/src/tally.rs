//! Counts, verdicts and the closing lines.

use std::ops::AddAssign;
use std::time::Duration;

use crate::problem::Problem;

/// How many tests or checks ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Count {
    /// A test that could not run has returned, and so was counted as passed.
    pub(crate) fn skip_one(&mut self) {
        if self.passed > 0 {
            self.passed = self.passed.saturating_sub(1);
            self.skipped = self.skipped.saturating_add(1);
        }
    }

    /// The counts in libtest's closing line, `test result: ok. 5 passed; 0 failed; 1 ignored; …`, if this is one.
    pub(crate) fn in_line(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once("test result: ")?;
        let (_, numbers) = rest.split_once(". ")?;
        let number_of = |word: &str| {
            numbers.split(';').find_map(|part| part.trim().strip_suffix(word)?.trim_end().parse::<u64>().ok())
        };
        Some(Self {
            passed: number_of("passed")?,
            failed: number_of("failed")?,
            skipped: number_of("ignored").unwrap_or_default(),
        })
    }

    /// The counts in pytest's closing line, `== 1 failed, 5 passed, 2 skipped in 0.31s ==`, if this is one.
    pub(crate) fn in_pytest_line(line: &str) -> Option<Self> {
        let line = line.trim_matches(|letter| letter == '=' || letter == ' ');
        let (numbers, time) = line.rsplit_once(" in ")?;
        if !time.starts_with(|letter: char| letter.is_ascii_digit()) {
            return None;
        }
        let mut count = Self::default();
        for part in numbers.split(", ") {
            let (number, word) = part.split_once(' ')?;
            let number = number.parse::<u64>().ok()?;
            match word {
                "passed" => count.passed = number,
                "failed" | "error" | "errors" => count.failed = count.failed.saturating_add(number),
                "skipped" => count.skipped = number,
                _ => {}
            }
        }
        Some(count)
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.skipped = self.skipped.saturating_add(other.skipped);
    }
}

/// How a group ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// One tool was content.
    Passed,
    /// It ran tests; how many ended how.
    Counted(Count),
    /// It could not run here, and that is no fault.
    Skipped(String),
    /// A tool was not content, or could not run.
    Failed(Problem),
    /// It has no tests yet.
    Empty,
}

impl Verdict {
    pub(crate) fn count(&self) -> Count {
        match self {
            Self::Passed => Count { passed: 1, ..Count::default() },
            Self::Counted(count) => *count,
            Self::Skipped(_) => Count { skipped: 1, ..Count::default() },
            Self::Failed(_) => Count { failed: 1, ..Count::default() },
            Self::Empty => Count::default(),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Passed => "passed".to_owned(),
            Self::Counted(Count { passed, failed, skipped }) => {
                let mark = if *failed == 0 { "" } else { "FAILED: " };
                format!("{mark}{passed} passed, {failed} failed, {skipped} skipped")
            }
            Self::Skipped(reason) => format!("skipped: {reason}"),
            Self::Failed(problem) => format!("FAILED: {problem}"),
            Self::Empty => "nothing in this group yet".to_owned(),
        }
    }
}

impl From<Result<(), Problem>> for Verdict {
    fn from(result: Result<(), Problem>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(problem) => Self::Failed(problem),
        }
    }
}

/// The run so far: one row a group, in the order they ran.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rows: Vec<(&'static str, Duration, Option<Verdict>)>,
    notes: Vec<String>,
}

impl Tally {
    pub(crate) fn enter(&mut self, group: &'static str, took: Duration, verdict: Verdict) {
        self.rows.push((group, took, Some(verdict)));
    }

    /// Time that was spent, with nothing to judge.
    pub(crate) fn enter_time(&mut self, what: &'static str, took: Duration) {
        self.rows.push((what, took, None));
    }

    /// A line to be said again at the end.
    pub(crate) fn note(&mut self, line: String) {
        self.notes.push(line);
    }

    /// Prints the table, the notes, and as the very last line the sum; says whether nothing failed.
    pub(crate) fn close(self) -> bool {
        let mut sum = Count::default();
        let mut total = Duration::ZERO;
        println!("\n{:<12} {:>7}", "group", "minutes");
        for (name, took, verdict) in &self.rows {
            total = total.saturating_add(*took);
            if let Some(verdict) = verdict {
                sum += verdict.count();
            }
            let words = verdict.as_ref().map(Verdict::words).unwrap_or_default();
            println!("{name:<12} {:>7.2}  {words}", minutes(*took));
        }
        println!("{:<12} {:>7.2}", "all", minutes(total));
        for note in &self.notes {
            println!("{note}");
        }
        println!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped);
        sum.failed == 0
    }
}

fn minutes(took: Duration) -> f64 {
    took.as_secs_f64() / 60.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_of_libtest_is_understood() {
        let line = "test result: FAILED. 12 passed; 2 failed; 3 ignored; 0 measured; 9 filtered out; finished in 0.01s";
        assert_eq!(Count::in_line(line), Some(Count { passed: 12, failed: 2, skipped: 3 }));
        assert_eq!(Count::in_line("running 12 tests"), None);
        assert_eq!(Count::in_line("test result: ok. many passed; none failed"), None);
    }

    #[test]
    fn the_closing_line_of_pytest_is_understood() {
        let line = "== 2 failed, 12 passed, 3 skipped, 1 error in 75.10s (0:01:15) ==";
        assert_eq!(Count::in_pytest_line(line), Some(Count { passed: 12, failed: 3, skipped: 3 }));
        let all = Count { passed: 375, failed: 0, skipped: 0 };
        assert_eq!(Count::in_pytest_line("375 passed in 20.65s"), Some(all));
        assert_eq!(Count::in_pytest_line("tests/test_golden.py ....... [ 50%]"), None);
        assert_eq!(Count::in_pytest_line("what failed in this"), None);
    }

    #[test]
    fn a_group_counts_as_one_unless_it_counted() {
        let mut sum = Count::default();
        let failed = Verdict::Failed(Problem::new("no"));
        let counted = Verdict::Counted(Count { passed: 5, failed: 0, skipped: 2 });
        for verdict in [Verdict::Passed, failed, Verdict::Skipped("why".into()), counted, Verdict::Empty] {
            sum += verdict.count();
        }
        assert_eq!(sum, Count { passed: 6, failed: 1, skipped: 3 });
    }
}
