//! One measurement: its samples, those of its baseline, the wall around it, and what is to be made of it.

use casemate::{Certificate, LayerSet};

/// What a row's numbers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Micros,
    Millis,
    KiB,
    MiB,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Micros => "µs",
            Self::Millis => "ms",
            Self::KiB => "KiB",
            Self::MiB => "MiB",
        }
    }
}

/// What a row should come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// p50 at most this many times the baseline's.
    Ratio(f64),
    /// p50 at most this.
    AtMost(f64),
    /// For comparison only.
    None,
}

/// What it is measured against.
#[derive(Debug)]
pub(crate) struct Baseline {
    pub(crate) what: &'static str,
    pub(crate) samples: Samples,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) unit: Unit,
    pub(crate) samples: Samples,
    pub(crate) baseline: Option<Baseline>,
    pub(crate) target: Target,
    pub(crate) certificate: Certificate,
    /// What the reader should know of it.
    pub(crate) note: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    Met,
    Missed,
    NoTarget,
    /// These walls do not stand, so the numbers are of something else.
    Refused(LayerSet),
}

impl Row {
    /// p50 over the baseline's.
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.baseline.as_ref().map(|baseline| self.samples.percentile(50) / baseline.samples.percentile(50))
    }

    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.verdict(), Verdict::Refused(_))
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let missing = self.certificate.missing(LayerSet::all());
        if !missing.is_empty() {
            return Verdict::Refused(missing);
        }
        let met = match self.target {
            Target::None => return Verdict::NoTarget,
            Target::AtMost(most) => self.samples.percentile(50) <= most,
            Target::Ratio(most) => self.ratio().is_some_and(|ratio| ratio <= most),
        };
        if met { Verdict::Met } else { Verdict::Missed }
    }
}

/// Measured numbers, in the order of their size.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The number that this many of a hundred do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * percent / 100).copied().unwrap_or(f64::NAN)
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self(sorted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numbers_that_were_measured() {
        let samples: Samples = (1..=101).rev().map(f64::from).collect();
        assert_eq!([0, 50, 90, 100].map(|percent| samples.percentile(percent)), [1.0, 51.0, 91.0, 101.0]);
        assert_eq!(Samples::from_iter([7.0]).percentile(90), 7.0);
        assert!(Samples::default().percentile(50).is_nan());
    }
}
