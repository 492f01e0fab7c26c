//! What a plugin may call, and how often.

use super::{PolicyError, count, in_range, millis, show_ms};
use crate::link::METHOD_BYTES_MAX;
use std::fmt;
use std::time::Duration;

/// A granted host method: literal, or a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostPattern {
    Literal(String),
    Prefix(String),
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(method) => f.write_str(method),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
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

    /// Whether there is a method that both match.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (any, Self::Literal(literal)) | (Self::Literal(literal), any) => any.allows(literal),
            (Self::Prefix(one), Self::Prefix(other)) => {
                one.starts_with(other.as_str()) || other.starts_with(one.as_str())
            }
        }
    }

    pub(super) fn allows(&self, method: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == method,
            Self::Prefix(prefix) => method.starts_with(prefix.as_str()),
        }
    }
}

/// Whether a text is what a pattern says: literally, or with a final `*` whatever begins with the rest.
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix),
        None => pattern == text,
    }
}

/// Whether a topic is what a pattern says: part by part between dots, where `*` is any part and a final `**` any parts, also
/// none.
pub fn matches_topic(pattern: &str, topic: &str) -> bool {
    let mut parts = topic.split('.');
    let mut wanted = pattern.split('.').peekable();
    while let Some(want) = wanted.next() {
        if want == "**" && wanted.peek().is_none() {
            return true;
        }
        match parts.next() {
            Some(part) if want == "*" || want == part => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

/// What two patterns of topics have in common, which is one pattern too; `None`: nothing.
pub fn common_topics(one: &str, other: &str) -> Option<String> {
    let (mut ones, mut others) = (one.split('.').peekable(), other.split('.').peekable());
    let mut common = Vec::new();
    loop {
        match (ones.peek().copied(), others.peek().copied()) {
            (None, None) | (Some("**"), None) | (None, Some("**")) => break,
            // Whatever the other one says from here on.
            (Some("**"), _) => {
                common.extend(others);
                break;
            }
            (_, Some("**")) => {
                common.extend(ones);
                break;
            }
            (Some(one), Some(other)) if one == other || other == "*" => common.push(one),
            (Some("*"), Some(other)) => common.push(other),
            _ => return None,
        }
        ones.next();
        others.next();
    }
    Some(common.join("."))
}

/// Whether a pattern matches every topic that another one matches.
pub fn covers_topics(wide: &str, narrow: &str) -> bool {
    common_topics(wide, narrow).is_some_and(|common| common == narrow)
}

/// Whether a text can be a topic: parts with dots between, none empty, and nothing that a pattern gives a meaning to.
pub fn is_topic(text: &str) -> bool {
    text.len() <= METHOD_BYTES_MAX && text.split('.').all(is_topic_part)
}

/// Whether a text can be a pattern of topics.
pub fn is_topic_pattern(text: &str) -> bool {
    let (first, last) = text.rsplit_once('.').map_or((None, text), |(first, last)| (Some(first), last));
    let is_part = |part: &str| part == "*" || is_topic_part(part);
    let first_is_one = first.is_none_or(|first| first.split('.').all(is_part));
    text.len() <= METHOD_BYTES_MAX && first_is_one && (last == "**" || is_part(last))
}

fn is_topic_part(part: &str) -> bool {
    !part.is_empty() && !part.contains('*') && !part.chars().any(char::is_control)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_match_part_by_part() {
        for (pattern, topic, matches) in [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("*.b", "a.b", true),
            ("a.**", "a", true),
            ("a.**", "a.b.c", true),
            ("**", "anything.at.all", true),
            ("a.**", "ab", false),
        ] {
            assert_eq!(matches_topic(pattern, topic), matches, "{pattern} {topic}");
            assert!(is_topic_pattern(pattern) && is_topic(topic), "{pattern} {topic}");
        }
    }

    #[test]
    fn patterns_meet_part_by_part() {
        for (one, other, common) in [
            ("a.b", "a.b", Some("a.b")),
            ("a.*", "*.b", Some("a.b")),
            ("a.*", "a.*", Some("a.*")),
            ("a.**", "a", Some("a")),
            ("a.**", "a.*.c", Some("a.*.c")),
            ("a.**", "**", Some("a.**")),
            ("*.**", "a.**", Some("a.**")),
            ("a.b.**", "*", None),
            ("a", "b", None),
            ("a.b", "a", None),
            ("a.*", "a.b.**", Some("a.b")),
        ] {
            assert_eq!(common_topics(one, other).as_deref(), common, "{one} {other}");
            assert_eq!(common_topics(other, one).as_deref(), common, "{other} {one}");
        }
        for (wide, narrow, covers) in [
            ("a.**", "a", true),
            ("a.**", "a.*", true),
            ("a.*", "a.**", false),
            ("a.*", "a.b.**", false),
            ("*.b", "a.b", true),
            ("*.b", "a.*", false),
        ] {
            assert_eq!(covers_topics(wide, narrow), covers, "{wide} {narrow}");
        }
    }

    #[test]
    fn what_is_no_topic_is_not_taken_for_one() {
        for text in ["", ".", "a.", ".a", "a..b", "a.*", "a\n", &"x".repeat(257)] {
            assert!(!is_topic(text), "{text:?}");
        }
        for text in ["", ".**", "a.**.b", "a*", "a.b*", "***", "a..**"] {
            assert!(!is_topic_pattern(text), "{text:?}");
        }
    }
}
