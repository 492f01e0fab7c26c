//! Values of keys: written as in the file, ordered by how much they allow.

use casemate_protocol::certificate::LayerSet;
use casemate_protocol::policy::Rate;
use std::fmt;
use std::time::Duration;

/// A value of a key. Printed, it is TOML.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An amount of memory.
    Bytes(u64),
    /// An amount of memory a second.
    BytesPerSecond(u64),
    /// A time.
    Time(Duration),
    /// A number of things.
    Count(u64),
    /// Hundredths of one processor core.
    Percent(u32),
    /// A number with a point, in hundredths.
    Hundredths(u32),
    /// So many in a time.
    Rate(Rate),
    /// Yes or no.
    Flag(bool),
    /// A word or a text.
    Text(String),
    /// Texts.
    List(Vec<String>),
    /// Anything that JSON has.
    Json(serde_json::Value),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "\"{}\"", bytes_text(*bytes)),
            Self::BytesPerSecond(bytes) => write!(f, "\"{}/s\"", bytes_text(*bytes)),
            Self::Time(time) => write!(f, "\"{}\"", time_text(*time)),
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "\"{percent}%\""),
            Self::Hundredths(number) => f.write_str(&hundredths_text(*number)),
            Self::Rate(rate) => write!(f, "\"{}\"", rate_text(*rate)),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(texts) => {
                write!(f, "[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
            }
            Self::Json(value) => write!(f, "{value}"),
        }
    }
}

impl Value {
    /// In JSON: as in the file, so that it can be written back.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::json;
        match self {
            Self::Count(count) => json!(count),
            Self::Hundredths(number) => json!(f64::from(*number) / 100.0),
            Self::Flag(flag) => json!(flag),
            Self::Text(text) => json!(text),
            Self::List(texts) => json!(texts),
            Self::Json(value) => value.clone(),
            quoted => json!(quoted.to_string().trim_matches('"')),
        }
    }
}

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
            (Self::Patterns | Self::Texts, Value::List(new), Value::List(old)) => {
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
            (Self::Patterns | Self::Texts, Value::List(granted), Value::List(asked)) => {
                Value::List(self.common(granted, asked))
            }
            _ if self.compare(Some(bound), Some(granted)) == Width::Narrower => bound.clone(),
            _ => granted.clone(),
        }
    }

    /// The narrower of each two that have something in common, once each.
    fn common(self, granted: &[String], asked: &[String]) -> Vec<String> {
        let mut common: Vec<String> = Vec::new();
        for ask in asked {
            for grant in granted {
                let narrower = match () {
                    () if self.covers(grant, ask) => ask,
                    () if self.covers(ask, grant) => grant,
                    () => continue,
                };
                if !common.contains(narrower) {
                    common.push(narrower.clone());
                }
            }
        }
        common
    }

    /// Whether everything that one text allows is allowed by another.
    fn covers(self, wide: &str, narrow: &str) -> bool {
        match (self, wide.strip_suffix('*')) {
            (Self::Patterns, Some(prefix)) => narrow.starts_with(prefix),
            _ => wide == narrow,
        }
    }
}

/// The layers of names that were checked when they were read.
pub(super) fn layers(names: &[String]) -> LayerSet {
    names.iter().filter_map(|name| LayerSet::named(name).ok()).fold(LayerSet::EMPTY, LayerSet::union)
}

pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Bytes(number) | Value::BytesPerSecond(number) | Value::Count(number) => Some(*number),
        Value::Percent(number) | Value::Hundredths(number) => Some((*number).into()),
        _ => None,
    }
}

/// How often in the long run, times both windows; of two that are the same the one with the smaller bursts is less.
fn frequency(rate: Rate, other: Rate) -> (u128, u32) {
    (u128::from(rate.count) * other.window.as_millis(), rate.count)
}

/// The largest unit that leaves a whole number; of two such the shorter text.
pub(super) fn bytes_text(bytes: u64) -> String {
    const UNITS: [(&str, u64); 7] = [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("KB", 1_000),
        ("B", 1),
    ];
    if bytes == 0 {
        return "0B".to_owned();
    }
    let fits = UNITS.iter().filter(|(_, factor)| bytes.is_multiple_of(*factor));
    let texts = fits.map(|(unit, factor)| format!("{}{unit}", bytes / factor));
    texts.min_by_key(|text| text.bytes().filter(u8::is_ascii_digit).count()).unwrap_or_default()
}

fn time_text(time: Duration) -> String {
    const UNITS: [(&str, u128); 4] = [("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];
    let ms = time.as_millis();
    let unit = UNITS.iter().find(|(_, factor)| ms > 0 && ms.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{ms}ms"), |(unit, factor)| format!("{}{unit}", ms / factor))
}

fn rate_text(rate: Rate) -> String {
    match rate.window.as_millis() {
        1_000 => format!("{}/s", rate.count),
        60_000 => format!("{}/min", rate.count),
        3_600_000 => format!("{}/h", rate.count),
        _ => format!("{} in {}", rate.count, time_text(rate.window)),
    }
}

fn hundredths_text(number: u32) -> String {
    let (whole, part) = (number / 100, number % 100);
    match part {
        0 => whole.to_string(),
        part if part % 10 == 0 => format!("{whole}.{}", part / 10),
        part => format!("{whole}.{part:02}"),
    }
}

/// A text as TOML has it.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(texts: &[&str]) -> Value {
        Value::List(texts.iter().map(|&text| text.to_owned()).collect())
    }

    fn rate(count: u32, seconds: u64) -> Value {
        Value::Rate(Rate { count, window: Duration::from_secs(seconds) })
    }

    #[test]
    fn values_are_written_as_people_write_them() {
        for (value, text) in [
            (Value::Bytes(100_000_000), "\"100MB\""),
            (Value::Bytes(64 << 20), "\"64MiB\""),
            (Value::Bytes(1001), "\"1001B\""),
            (Value::Bytes(0), "\"0B\""),
            (Value::BytesPerSecond(65536), "\"64KiB/s\""),
            (Value::Time(Duration::from_secs(90)), "\"90s\""),
            (Value::Time(Duration::ZERO), "\"0ms\""),
            (Value::Percent(50), "\"50%\""),
            (Value::Hundredths(20), "0.2"),
            (Value::Hundredths(205), "2.05"),
            (rate(1000, 60), "\"1000/min\""),
            (list(&["a\"b", "c"]), "[\"a\\\"b\", \"c\"]"),
        ] {
            assert_eq!(value.to_string(), text);
        }
    }

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
    fn more_layers_allow_less() {
        let (few, many) = (list(&["seccomp"]), list(&["seccomp", "landlock"]));
        assert_eq!(Order::Layers.compare(Some(&many), Some(&few)), Width::Narrower);
        assert_eq!(Order::Layers.both(Some(&few), &list(&["landlock"])), many);
    }
}
