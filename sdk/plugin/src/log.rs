//! Lines for the host's log: `log::info!("{n} items")`. In a native build they go to standard error.
//!
//! The host caps how long a line may be and how many of them it keeps; the plugin does not notice.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::{__debug as debug, __error as error, __info as info, __trace as trace, __warn as warn};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every step.
    Trace,
    /// What the author wants to know.
    Debug,
    /// What the operator may want to know.
    Info,
    /// Something is not as it should be, and the plugin goes on.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// The number that the ABI has for it.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Level::Trace => 0,
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        })
    }
}

/// Writes one line; what the macros call, and of use where the level is not known beforehand.
///
/// ```
/// use casemate_plugin::log::{self, Level};
/// log::write(Level::Warn, format_args!("{} of {} left", 1, 10));
/// ```
pub fn write(level: Level, text: fmt::Arguments<'_>) {
    let text = text.as_str().map_or_else(|| Cow::Owned(text.to_string()), Cow::Borrowed);
    crate::abi::log(level, &text);
}

#[doc(hidden)]
#[macro_export]
macro_rules! __trace {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Trace, ::core::format_args!($($text)+)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __debug {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Debug, ::core::format_args!($($text)+)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __info {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Info, ::core::format_args!($($text)+)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __warn {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Warn, ::core::format_args!($($text)+)) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __error {
    ($($text:tt)+) => { $crate::log::write($crate::log::Level::Error, ::core::format_args!($($text)+)) };
}
