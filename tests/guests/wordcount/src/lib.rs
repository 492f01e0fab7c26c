//! Counts the words of a text by a regular expression: a guest of real size, for it carries the Unicode tables.

use std::cmp::Reverse;
use std::collections::HashMap;

use casemate_plugin::{Error, plugin};
use regex::Regex;
use serde::{Deserialize, Serialize};

/// What a word is when the caller does not say.
const DEFAULT_PATTERN: &str = r"\w+";
/// How many of the most frequent words are listed when the caller does not say.
const DEFAULT_TOP: usize = 10;

/// What `count` answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    words: u64,
    unique: usize,
    /// The most frequent first; those that are equally frequent in the order of the alphabet.
    top: Vec<Frequency>,
}

/// One word, in lower case, and how often it occurs.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Frequency {
    word: String,
    count: u64,
}

/// The plugin; it keeps the last expression, which takes longer to build than to use.
#[derive(Debug, Default)]
pub struct WordCount {
    compiled: Option<Regex>,
}

#[plugin]
impl WordCount {
    /// Counts what the pattern matches, upper and lower case being the same; an empty match is no word.
    pub fn count(
        &mut self,
        text: String,
        pattern: Option<String>,
        top: Option<usize>,
    ) -> Result<Counts, Error> {
        let regex = self.regex(pattern.as_deref().unwrap_or(DEFAULT_PATTERN))?;
        let mut words = 0;
        let mut frequencies: HashMap<String, u64> = HashMap::new();
        for found in regex.find_iter(&text).filter(|found| !found.is_empty()) {
            words += 1;
            *frequencies.entry(found.as_str().to_lowercase()).or_default() += 1;
        }
        let unique = frequencies.len();
        let mut sorted: Vec<Frequency> =
            frequencies.into_iter().map(|(word, count)| Frequency { word, count }).collect();
        sorted.sort_unstable_by(|a, b| (Reverse(a.count), &a.word).cmp(&(Reverse(b.count), &b.word)));
        sorted.truncate(top.unwrap_or(DEFAULT_TOP));
        Ok(Counts { words, unique, top: sorted })
    }

    /// The same bytes with `a` to `z` in upper case.
    #[raw]
    fn upper(&self, body: &[u8]) -> Vec<u8> {
        body.to_ascii_uppercase()
    }

    fn regex(&mut self, pattern: &str) -> Result<&Regex, Error> {
        let known = self.compiled.take().filter(|regex| regex.as_str() == pattern);
        let regex = match known {
            Some(regex) => regex,
            None => Regex::new(pattern).map_err(|error| Error::new("bad_pattern", error.to_string()))?,
        };
        Ok(self.compiled.insert(regex))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casemate_plugin::testing;
    use serde_json::{Value, json};

    fn count(input: Value) -> Result<Value, Error> {
        testing::call(&mut WordCount::default(), "count", &input)
    }

    #[test]
    fn words_are_counted_without_regard_to_case() {
        let counts = count(json!({"text": "The cat, the dog; a Cat! naïve", "top": 2})).unwrap();
        let top = json!([{"word": "cat", "count": 2}, {"word": "the", "count": 2}]);
        assert_eq!(counts, json!({"words": 7, "unique": 5, "top": top}));
    }

    #[test]
    fn the_pattern_says_what_a_word_is() {
        let counts = count(json!({"text": "a1 b22 c", "pattern": r"\d*"})).unwrap();
        assert_eq!(counts["words"], 2);
        assert_eq!(count(json!({"text": "", "pattern": "("})).unwrap_err().code, "bad_pattern");
        assert_eq!(count(json!({"pattern": "x"})).unwrap_err().code, "bad_input");
    }

    #[test]
    fn a_real_text_is_counted() {
        let input: Value = serde_json::from_str(include_str!("../../data/alice.json")).unwrap();
        assert_eq!(input["text"], include_str!("../../data/alice.txt"));
        let counts = count(input).unwrap();
        assert_eq!((&counts["words"], &counts["unique"]), (&json!(8870), &json!(1398)));
        assert_eq!(counts["top"][0], json!({"word": "the", "count": 416}));
    }

    #[test]
    fn upper_leaves_other_bytes_alone() {
        let reply = testing::call_raw(&mut WordCount::default(), "upper", b"aZ\xffz").unwrap();
        assert_eq!(reply, b"AZ\xffZ");
    }
}
