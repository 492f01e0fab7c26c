//! Words that a module's author chose, made fit for a log, a terminal and a JSON string.

use super::limits::{MESSAGE_BYTES_MAX, NAME_BYTES_MAX};
use crate::outcome::escape;
use std::fmt;

/// Bytes of the mark that shows where a text was cut.
const CUT_MARK_BYTES: usize = '…'.len_utf8();

/// A text of at most `BYTES_MAX` bytes without control, bidirectional or other invisible characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<const BYTES_MAX: usize>(String);

/// A name or a type.
pub type Name = Text<NAME_BYTES_MAX>;

/// A sentence.
pub type Message = Text<MESSAGE_BYTES_MAX>;

impl<const BYTES_MAX: usize> Text<BYTES_MAX> {
    /// Takes any text: what cannot be shown becomes escapes, what is too much is cut and ends in `…`.
    pub fn escaped(raw: &str) -> Self {
        let whole = escape(raw, BYTES_MAX);
        if whole.len() <= BYTES_MAX {
            return Self(whole);
        }
        Self(escape(raw, BYTES_MAX.saturating_sub(CUT_MARK_BYTES)))
    }

    /// Takes a text that is one already; `None` for any other.
    pub fn checked(text: &str) -> Option<Self> {
        let fits = text.len() <= BYTES_MAX;
        (fits && escape(text, BYTES_MAX) == text).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const BYTES_MAX: usize> fmt::Display for Text<BYTES_MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const BYTES_MAX: usize> PartialEq<str> for Text<BYTES_MAX> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl<const BYTES_MAX: usize> PartialEq<&str> for Text<BYTES_MAX> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_fits_stays_and_what_does_not_is_marked() {
        assert_eq!(Text::<4>::escaped("abcd"), "abcd");
        assert_eq!(Text::<4>::escaped("abcde"), "a…");
        assert_eq!(Text::<8>::escaped("a\u{7}"), "a\\u{7}");
        assert_eq!(Text::<4>::checked("abcde"), None);
        assert_eq!(Text::<8>::checked("a\u{7}"), None);
    }

    proptest! {
        #[test]
        fn escaped_texts_are_bounded_and_accepted(raw in any::<String>()) {
            let text = Text::<20>::escaped(&raw);
            prop_assert!(text.as_str().len() <= 20);
            prop_assert_eq!(Text::<20>::checked(text.as_str()), Some(text.clone()));
        }
    }
}
