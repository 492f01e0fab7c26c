//! Values of keys, written as in the file.

use super::keys::as_part;
use casemate_protocol::certificate::LayerSet;
use casemate_protocol::policy::Rate;
use std::collections::BTreeMap;
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
    /// Texts by name.
    Options(BTreeMap<String, String>),
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
            Self::Options(options) => {
                let pair = |(name, text): (&String, &String)| format!("{} = {}", as_part(name), quoted(text));
                let pairs: Vec<String> = options.iter().map(pair).collect();
                match pairs.is_empty() {
                    true => f.write_str("{}"),
                    false => write!(f, "{{ {} }}", pairs.join(", ")),
                }
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
            Self::Options(options) => json!(options),
            Self::Json(value) => value.clone(),
            quoted => json!(quoted.to_string().trim_matches('"')),
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
pub(super) mod tests {
    use super::*;

    pub(in crate::policy) fn list(texts: &[&str]) -> Value {
        Value::List(texts.iter().map(|&text| text.to_owned()).collect())
    }

    pub(in crate::policy) fn rate(count: u32, seconds: u64) -> Value {
        Value::Rate(Rate { count, window: Duration::from_secs(seconds) })
    }

    fn owned((name, text): (&str, &str)) -> (String, String) {
        (name.to_owned(), text.to_owned())
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
            (Value::Options(BTreeMap::new()), "{}"),
            (
                Value::Options(BTreeMap::from([("a.b", "x\""), ("id", "1")].map(owned))),
                "{ \"a.b\" = \"x\\\"\", id = \"1\" }",
            ),
        ] {
            assert_eq!(value.to_string(), text);
        }
    }
}
