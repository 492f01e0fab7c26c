//! One row an act.

use crate::screen::{Screen, Tone};
use serde_json::{Value, json};

/// What an act came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// What the guest tried.
    pub(super) tried: &'static str,
    /// The wall or limit that is there for it; empty for what may be done.
    pub(super) stopped_by: &'static str,
    /// `ok`, or the stable code of the failure.
    pub(super) outcome: String,
    /// The answer or the message, for a person, escaped.
    pub(super) detail: String,
    /// The call's time; the load's where it was not loaded. Milliseconds.
    pub(super) ms: u64,
    /// Whether it ended as it must.
    pub(super) as_expected: bool,
}

impl Row {
    /// The documented shape.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "tried": self.tried,
            "stopped_by": if self.stopped_by.is_empty() { Value::Null } else { json!(self.stopped_by) },
            "outcome": self.outcome,
            "detail": self.detail,
            "ms": self.ms,
            "as_expected": self.as_expected,
        })
    }
}

/// The table's head.
pub(super) fn head(screen: &Screen) -> Vec<String> {
    let titles =
        format!("  {:40} {:26} {:>6}  {}", "what the guest did", "how it ended", "ms", "what stopped it");
    vec![screen.paint(Tone::Bold, titles)]
}

/// A row, and for one that did not end as it must a second line that says how it did.
pub(super) fn line(row: &Row, screen: &Screen) -> String {
    let (tone, mark) = if row.as_expected { (Tone::Good, "✓") } else { (Tone::Bad, "✗") };
    let words = match (row.as_expected, row.stopped_by) {
        (true, "") => screen.paint(Tone::Dim, format!("answered {}", row.detail)),
        (true, stopped_by) => stopped_by.to_owned(),
        (false, _) => screen.paint(Tone::Bad, format!("not as expected: {}", row.detail)),
    };
    format!("{} {:40} {:26} {:>6}  {words}", screen.paint(tone, mark), row.tried, row.outcome, row.ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;

    fn row() -> Row {
        Row {
            tried: "divides by zero",
            stopped_by: "a trap",
            outcome: "trap.division_by_zero".to_owned(),
            detail: "the plugin trapped".to_owned(),
            ms: 3,
            as_expected: true,
        }
    }

    #[test]
    fn a_row_says_what_was_tried_and_what_stopped_it() {
        let screen = Screen::new(false, 0, Color::Never);
        let text = line(&row(), &screen);
        for words in ["divides by zero", "a trap", "trap.division_by_zero", "3"] {
            assert!(text.contains(words), "{text}");
        }
        let text = line(&Row { as_expected: false, ..row() }, &screen);
        assert!(text.contains("not as expected: the plugin trapped"), "{text}");
    }

    #[test]
    fn json_has_null_where_nothing_had_to_stop_it() {
        assert_eq!(Row { stopped_by: "", ..row() }.to_json()["stopped_by"], Value::Null);
        assert_eq!(row().to_json()["stopped_by"], "a trap");
    }
}
