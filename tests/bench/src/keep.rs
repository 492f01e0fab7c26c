//! The numbers put where readers find them: a table in the README, and everything as JSON beside it.

use crate::Outcome;
use crate::machine::Machine;
use crate::report;
use crate::row::Row;
use std::path::Path;

/// The table stands between these lines.
const FROM: &str = "<!-- numbers: cargo xtask bench --keep . -->\n";
const TO: &str = "<!-- end of numbers -->\n";

/// Writes both.
pub(crate) fn keep(project: &Path, machine: &Machine, rows: &[Row]) -> Outcome<()> {
    let readme = project.join("README.md");
    let old = std::fs::read_to_string(&readme).map_err(|error| format!("{}: {error}", readme.display()))?;
    let new = replaced(&old, &format!("{machine}\n\n{}\n", report::table(rows)))
        .ok_or_else(|| format!("{} has no place for the table: {FROM}{TO}", readme.display()))?;
    write(&project.join("numbers.json"), &report::json(machine, rows)?)?;
    write(&readme, &new)
}

fn write(path: &Path, text: &str) -> Outcome<()> {
    std::fs::write(path, text).map_err(|error| format!("writing {}: {error}", path.display()).into())
}

/// The text with something else between the two marks.
fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(FROM)?;
    let (_, after) = rest.split_once(TO)?;
    Some(format!("{before}{FROM}{table}{TO}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_changes() {
        let text = |table: &str| format!("before\n{FROM}{table}{TO}after\n");
        assert_eq!(replaced(&text("old\n"), "new\n"), Some(text("new\n")));
        assert_eq!(replaced("no marks", "new\n"), None);
    }
}
