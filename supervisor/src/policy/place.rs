//! Where in which file something stands.

use std::fmt;
use std::sync::Arc;

/// A file's name and text.
#[derive(Debug)]
pub(super) struct Source {
    /// As the caller named it; only for messages.
    pub(super) name: String,
    pub(super) text: String,
}

/// A place in a file. Lines are counted only when somebody asks.
#[derive(Clone)]
pub struct Place {
    source: Arc<Source>,
    at: usize,
}

impl Place {
    pub(super) fn new(source: &Arc<Source>, at: usize) -> Self {
        Self { source: Arc::clone(source), at }
    }

    /// The file, as the caller named it.
    pub fn file(&self) -> &str {
        &self.source.name
    }

    /// Line and column, both counted from 1; the column in characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.at).unwrap_or(&self.source.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        (line, column)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", shown(self.file()))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.file()) == (other.at, other.file())
    }
}

/// A name with a line end in it must not look like a message of ours.
pub(super) fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
