//! Where the daemon's own words go: standard error, a line each.

use crate::args::LogFormat;
use tracing::level_filters::LevelFilter;

/// From here on. A host that has a logger already keeps it.
pub(super) fn start(format: LogFormat, verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(false);
    let _first = match format {
        LogFormat::Text => lines.try_init().is_ok(),
        LogFormat::Json => lines.json().flatten_event(true).try_init().is_ok(),
    };
}
