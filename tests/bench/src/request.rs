//! What was asked for on the command line.

use crate::Outcome;
use std::path::PathBuf;

pub(crate) const HELP: &str = "\
casemate-bench --guests FOLDER [--keep FOLDER] [--quick] [ROW…]
    --guests FOLDER   the built guests
    --keep FOLDER     the project: put the table into its README.md and everything into its numbers.json
    --quick           fewer rounds: for a look, not for numbers to keep
    ROW               only the rows whose name begins so";

/// What to do.
#[derive(Debug)]
pub(crate) enum Request {
    Help,
    Measure(Plan),
}

/// What to measure, and how long.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) guests: PathBuf,
    pub(crate) keep: Option<PathBuf>,
    quick: bool,
    rows: Vec<String>,
}

impl Plan {
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| row.starts_with(wanted.as_str()))
    }

    /// How often to measure what is usually measured `usual` times.
    pub(crate) fn rounds(&self, usual: u32) -> u32 {
        if self.quick { usual.div_ceil(10).max(3) } else { usual }
    }
}

impl Request {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut plan = Plan::default();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} takes a value\n{HELP}"));
            match word.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--guests" => plan.guests = value()?.into(),
                "--keep" => plan.keep = Some(value()?.into()),
                "--quick" => plan.quick = true,
                other if other.starts_with('-') => return Err(format!("no option {other}\n{HELP}").into()),
                row => plan.rows.push(row.to_owned()),
            }
        }
        Ok(Self::Measure(plan))
    }
}
