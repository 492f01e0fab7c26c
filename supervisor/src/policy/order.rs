//! Which of two values of a key allows more.

use super::value::{Value, layers, number};
use casemate_protocol::policy::{Rate, common_topics, covers_topics};

/// What one value allows, next to another of the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// The same.
    Same,
    /// More.
    Wider,
    /// Less.
    Narrower,
    /// More of one and less of another, or not to be compared.
    Other,
}

impl Width {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Wider => "wider",
            Self::Narrower => "narrower",
            Self::Other => "different",
        }
    }

    fn of<T: Ord>(new: &T, old: &T) -> Self {
        match new.cmp(old) {
            std::cmp::Ordering::Less => Self::Narrower,
            std::cmp::Ordering::Equal => Self::Same,
            std::cmp::Ordering::Greater => Self::Wider,
        }
    }

    fn of_sets(gained: bool, lost: bool) -> Self {
        match (gained, lost) {
            (false, false) => Self::Same,
            (true, false) => Self::Wider,
            (false, true) => Self::Narrower,
            (true, true) => Self::Other,
        }
    }
}

/// How values of a key are put into an order.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// Less allows less; none at all is no limit.
    Less,
    /// Earlier words allow less.
    Words(&'static [&'static str]),
    /// Host methods: literal, or a prefix that ends in `*`.
    Patterns,
    /// Topics: parts between dots, where `*` is any part and a final `**` any parts.
    Topics,
    /// Texts that are granted by the very same text.
    Texts,
    /// Layers: more demanded allows less.
    Layers,
    /// Not a matter of more and less.
    None,
}

impl Order {
    /// What a new value allows next to an old one; `None` is no limit, where there can be none.
    pub fn compare(self, new: Option<&Value>, old: Option<&Value>) -> Width {
        let (new, old) = match (new, old) {
            (None, None) => return Width::Same,
            (None, Some(_)) => return Width::Wider,
            (Some(_), None) => return Width::Narrower,
            (Some(new), Some(old)) => (new, old),
        };
        if new == old {
            return Width::Same;
        }
        match (self, new, old) {
            (Self::Less, Value::Rate(new), Value::Rate(old)) => {
                Width::of(&frequency(*new, *old), &frequency(*old, *new))
            }
            (Self::Less, Value::Time(new), Value::Time(old)) => Width::of(new, old),
            (Self::Less, new, old) => match (number(new), number(old)) {
                (Some(new), Some(old)) => Width::of(&new, &old),
                _ => Width::Other,
            },
            (Self::Words(words), Value::Text(new), Value::Text(old)) => {
                let rank = |word: &String| words.iter().position(|known| known == word);
                Width::of(&rank(new), &rank(old))
            }
            (Self::Layers, Value::List(new), Value::List(old)) => {
                let (new, old) = (layers(new), layers(old));
                Width::of_sets(!old.minus(new).is_empty(), !new.minus(old).is_empty())
            }
            (Self::Patterns | Self::Topics | Self::Texts, Value::List(new), Value::List(old)) => {
                let beyond = |some: &[String], others: &[String]| {
                    some.iter().any(|text| !others.iter().any(|other| self.covers(other, text)))
                };
                Width::of_sets(beyond(new, old), beyond(old, new))
            }
            _ => Width::Other,
        }
    }

    /// What both allow.
    pub(super) fn both(self, granted: Option<&Value>, bound: &Value) -> Value {
        let Some(granted) = granted else { return bound.clone() };
        match (self, granted, bound) {
            (Self::Layers, Value::List(one), Value::List(other)) => {
                let union = layers(one).union(layers(other));
                Value::List(union.iter().map(|layer| layer.name().to_owned()).collect())
            }
            (Self::Patterns | Self::Topics | Self::Texts, Value::List(granted), Value::List(asked)) => {
                Value::List(self.common(granted, asked))
            }
            _ if self.compare(Some(bound), Some(granted)) == Width::Narrower => bound.clone(),
            _ => granted.clone(),
        }
    }

    /// What each two have in common, once each.
    fn common(self, granted: &[String], asked: &[String]) -> Vec<String> {
        let mut common: Vec<String> = Vec::new();
        for ask in asked {
            for grant in granted {
                let both = match self {
                    _ if self.covers(grant, ask) => ask.clone(),
                    _ if self.covers(ask, grant) => grant.clone(),
                    Self::Topics => match common_topics(grant, ask) {
                        Some(both) => both,
                        None => continue,
                    },
                    _ => continue,
                };
                if !common.contains(&both) {
                    common.push(both);
                }
            }
        }
        common
    }

    /// Whether everything that one text allows is allowed by another.
    fn covers(self, wide: &str, narrow: &str) -> bool {
        match (self, wide.strip_suffix('*')) {
            (Self::Patterns, Some(prefix)) => narrow.starts_with(prefix),
            (Self::Topics, _) => covers_topics(wide, narrow),
            _ => wide == narrow,
        }
    }
}

/// How often in the long run, times both windows; of two that are the same the one with the smaller bursts is less.
fn frequency(rate: Rate, other: Rate) -> (u128, u32) {
    (u128::from(rate.count) * other.window.as_millis(), rate.count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::value::tests::{list, rate};

    #[test]
    fn no_limit_is_wider_than_any() {
        let one = Value::Count(1);
        assert_eq!(Order::Less.compare(None, Some(&one)), Width::Wider);
        assert_eq!(Order::Less.compare(Some(&one), None), Width::Narrower);
        assert_eq!(Order::Less.both(None, &one), one);
    }

    #[test]
    fn rates_compare_in_the_long_run() {
        let compare = |new, old| Order::Less.compare(Some(&new), Some(&old));
        assert_eq!(compare(rate(100, 1), rate(1000, 60)), Width::Wider);
        assert_eq!(compare(rate(10, 60), rate(1, 1)), Width::Narrower);
        assert_eq!(compare(rate(1, 1), rate(60, 60)), Width::Narrower, "smaller bursts");
    }

    #[test]
    fn patterns_meet_in_the_narrower() {
        let both =
            |granted: &[&str], asked: &[&str]| Order::Patterns.both(Some(&list(granted)), &list(asked));
        assert_eq!(
            both(&["query:*", "log"], &["query:ai.ocr", "query:db*", "fs"]),
            list(&["query:ai.ocr", "query:db*"])
        );
        assert_eq!(both(&["query:ai.ocr"], &["*"]), list(&["query:ai.ocr"]));
        assert_eq!(both(&[], &["*"]), list(&[]));
        assert_eq!(Order::Texts.both(Some(&list(&["a*"])), &list(&["ab"])), list(&[]));
        let compare =
            |new: &[&str], old: &[&str]| Order::Patterns.compare(Some(&list(new)), Some(&list(old)));
        assert_eq!(compare(&["a*"], &["ab"]), Width::Wider);
        assert_eq!(compare(&["ab", "ac"], &["a*"]), Width::Narrower);
        assert_eq!(compare(&["b"], &["a"]), Width::Other);
    }

    #[test]
    fn topics_meet_in_what_they_have_in_common() {
        let both = |granted: &[&str], asked: &[&str]| Order::Topics.both(Some(&list(granted)), &list(asked));
        assert_eq!(both(&["a.**", "b"], &["*.b", "b", "c"]), list(&["a.b", "b"]));
        let compare = |new: &[&str], old: &[&str]| Order::Topics.compare(Some(&list(new)), Some(&list(old)));
        assert_eq!(compare(&["a.**"], &["a.*"]), Width::Wider);
        assert_eq!(compare(&["a.b"], &["*.b"]), Width::Narrower);
        assert_eq!(compare(&["a.*"], &["*.b"]), Width::Other);
    }

    #[test]
    fn more_layers_allow_less() {
        let (few, many) = (list(&["seccomp"]), list(&["seccomp", "landlock"]));
        assert_eq!(Order::Layers.compare(Some(&many), Some(&few)), Width::Narrower);
        assert_eq!(Order::Layers.both(Some(&few), &list(&["landlock"])), many);
    }
}
