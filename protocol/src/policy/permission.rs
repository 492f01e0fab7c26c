//! What a plugin may call, and how often.

use super::{PolicyError, count, in_range, millis, show_ms};
use crate::link::METHOD_BYTES_MAX;
use std::time::Duration;

/// A granted host method: literal, or a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostPattern {
    Literal(String),
    Prefix(String),
}

impl HostPattern {
    pub(super) fn parse(text: &str) -> Result<Self, PolicyError> {
        let (body, prefix) = match text.strip_suffix('*') {
            Some(body) => (body, true),
            None => (text, false),
        };
        let plain =
            !body.contains('*') && !body.chars().any(char::is_control) && text.len() <= METHOD_BYTES_MAX;
        match (plain, prefix, body.is_empty()) {
            (true, true, _) => Ok(Self::Prefix(body.to_owned())),
            (true, false, false) => Ok(Self::Literal(body.to_owned())),
            _ => Err(PolicyError::HostPattern { pattern: text.chars().take(80).collect() }),
        }
    }

    pub(super) fn allows(&self, method: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == method,
            Self::Prefix(prefix) => method.starts_with(prefix.as_str()),
        }
    }
}

/// So many of something within any window of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// Within any time of this length.
    pub window: Duration,
}

impl Rate {
    pub(super) fn check(&self, key: &'static str) -> Result<(), PolicyError> {
        in_range(key, self.count.into(), 0, 1_000_000, count)?;
        in_range(key, millis(self.window), 1, 3_600_000, show_ms)
    }
}

/// Limits of one method, beside those of its plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MethodLimits {
    /// Wall time of one call, in place of the plugin's.
    pub call_timeout: Option<Duration>,
    /// Host calls during calls of this method; the plugin's rate counts them too.
    pub host_calls: Option<Rate>,
}

impl MethodLimits {
    pub(super) fn check(&self) -> Result<(), PolicyError> {
        if let Some(time) = self.call_timeout {
            in_range("methods.*.call_timeout", millis(time), 1, 24 * 3_600_000, show_ms)?;
        }
        self.host_calls.map_or(Ok(()), |rate| rate.check("methods.*.host_calls"))
    }
}
