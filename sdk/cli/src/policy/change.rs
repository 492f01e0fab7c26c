//! A change of a file, for people and programs.

use super::place_json;
use crate::screen::{Screen, Tone};
use casemate::config::Change;
use casemate::outcome::escape;
use serde_json::{Value, json};

/// What to write, and where.
pub(super) fn line(change: &Change, screen: &Screen) -> String {
    let text = screen.paint(Tone::Good, escape(&change.line(), 4096));
    match &change.place {
        Some(place) => {
            let (line, _) = place.line_column();
            format!("{text}  in place of line {line} of {}", escape(place.file(), 1024))
        }
        None if change.table.is_empty() => format!("{text}  at the top of {}", escape(&change.file, 1024)),
        None => format!("{text}  under [{}] of {}", escape(&change.table, 512), escape(&change.file, 1024)),
    }
}

/// `line` is the whole line to write; `place` is null where there is no such key yet.
pub(super) fn to_json(change: &Change) -> Value {
    json!({
        "file": change.file,
        "table": change.table,
        "key": change.key,
        "value": change.value.to_json(),
        "line": change.line(),
        "place": change.place.as_ref().map(place_json),
    })
}
