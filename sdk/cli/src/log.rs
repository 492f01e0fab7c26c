//! A plugin's log lines on standard error.

use casemate::LogRecord;
use std::io::Write;

/// Levels from here on are of interest when nobody asked for all: info.
const LEVEL_MIN: u32 = 2;

const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

/// Shows a line: with `verbose` 1 from info on, with 2 all.
pub(crate) fn show(record: &LogRecord, verbose: u8) {
    if verbose == 0 || (verbose == 1 && record.level < LEVEL_MIN) {
        return;
    }
    // A log that cannot be written is no reason to stop.
    let _written = writeln!(std::io::stderr(), "{}", line(record)).is_ok();
}

/// A line as it is shown.
pub(crate) fn line(record: &LogRecord) -> String {
    let level = usize::try_from(record.level).ok().and_then(|level| LEVELS.get(level)).unwrap_or(&"?");
    let dropped = match record.dropped_lines {
        0 => String::new(),
        lines => format!(" ({lines} lines before it were dropped: limits.log)"),
    };
    format!("{} {level}: {}{dropped}", record.plugin, record.message)
}

/// Bytes of the plugin's words.
pub(crate) fn bytes(record: &LogRecord) -> u64 {
    u64::try_from(record.message.len()).unwrap_or(u64::MAX)
}
