//! What plugins log: escaped, bounded, and no more of it than the policy allows.

use casemate_protocol::feed::LogRecord;
use casemate_protocol::outcome::escape;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of one escaped line.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// Takes log records.
pub type LogSink = Arc<dyn Fn(LogRecord) + Send + Sync>;

/// The sink of a host that has set none.
pub(crate) fn to_tracing(record: LogRecord) {
    let LogRecord { plugin, instance, level, message, dropped_lines } = record;
    match level {
        0 => tracing::trace!(target: "casemate::plugin", %plugin, %instance, dropped_lines, "{message}"),
        1 => tracing::debug!(target: "casemate::plugin", %plugin, %instance, dropped_lines, "{message}"),
        2 => tracing::info!(target: "casemate::plugin", %plugin, %instance, dropped_lines, "{message}"),
        3 => tracing::warn!(target: "casemate::plugin", %plugin, %instance, dropped_lines, "{message}"),
        _ => tracing::error!(target: "casemate::plugin", %plugin, %instance, dropped_lines, "{message}"),
    }
}

/// One line, safe to print.
pub(crate) fn line(bytes: &[u8], cut_bytes: u64) -> String {
    let mut text = escape(&String::from_utf8_lossy(bytes), LINE_BYTES_MAX);
    if cut_bytes > 0 {
        text.push_str(&format!(" [{cut_bytes} bytes cut]"));
    }
    text
}

/// A bucket that fills with the policy's rate and holds one second of it.
#[derive(Debug)]
pub(crate) struct Volume {
    bytes_per_second: u64,
    available: u64,
    filled_at: Instant,
    dropped: u64,
}

impl Volume {
    pub(crate) fn new(bytes_per_second: u64, now: Instant) -> Self {
        Self { bytes_per_second, available: bytes_per_second, filled_at: now, dropped: 0 }
    }

    /// Bytes a second.
    pub(crate) fn rate(&self) -> u64 {
        self.bytes_per_second
    }

    /// From here on so many bytes a second pass.
    pub(crate) fn set_rate(&mut self, bytes_per_second: u64) {
        if bytes_per_second != self.bytes_per_second {
            self.bytes_per_second = bytes_per_second;
            self.available = self.available.min(bytes_per_second);
        }
    }

    /// Whether a line of this size passes; if so, how many did not since the last that did.
    pub(crate) fn admit(&mut self, bytes: usize, now: Instant) -> Option<u64> {
        // A line longer than a second's worth costs all of that, or it would never pass.
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).min(self.bytes_per_second).max(1);
        let elapsed = now.saturating_duration_since(self.filled_at).min(Duration::from_secs(1));
        let filled = u128::from(self.bytes_per_second) * elapsed.as_micros() / 1_000_000;
        if filled > 0 {
            let filled = u64::try_from(filled).unwrap_or(u64::MAX);
            self.available = self.available.saturating_add(filled).min(self.bytes_per_second);
            self.filled_at = now;
        }
        if bytes > self.available {
            self.dropped += 1;
            return None;
        }
        self.available -= bytes;
        Some(self.take_dropped())
    }

    /// How many lines did not pass since this was last asked, or told with one that did.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_the_rate_passes_at_once_and_no_more() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut volume = Volume::new(1000, start);
        assert_eq!(volume.admit(1000, at(0)), Some(0));
        assert_eq!(volume.admit(1, at(0)), None);
        assert_eq!(volume.admit(501, at(500)), None);
        assert_eq!(volume.admit(500, at(500)), Some(2));
        assert_eq!(volume.admit(1000, at(60_000)), Some(0), "it never holds more than a second");
        assert_eq!(volume.admit(1, at(60_000)), None);
    }

    #[test]
    fn a_line_longer_than_the_rate_passes_alone() {
        let start = Instant::now();
        let mut volume = Volume::new(100, start);
        assert_eq!(volume.admit(5000, start), Some(0));
        assert_eq!(volume.admit(1, start), None);
        assert_eq!(Volume::new(0, start).admit(1, start), None, "a rate of nothing lets nothing through");
    }

    #[test]
    fn lines_are_one_line() {
        assert_eq!(line(b"a\n\xff\x1b[2J", 3), "a\\u{a}\u{fffd}\\u{1b}[2J [3 bytes cut]");
    }
}
