//! One value of a file, as a value of its key.

use super::error::ConfigProblem as Problem;
use super::keys::{Kind, Texts};
use super::near::nearest;
use super::value::Value;
use casemate_protocol::certificate::{Layer, LayerSet};
use casemate_protocol::ids::PluginName;
use casemate_protocol::policy::units::{self, UnitError};
use casemate_protocol::policy::{Folder, Policy, PolicySpec, Rate, Variable, is_topic_pattern};
use std::collections::BTreeMap;
use std::time::Duration;
use toml::de::{DeInteger, DeValue};

/// A value with its full key.
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    pub(super) at: usize,
    pub(super) value: &'a DeValue<'a>,
}

/// A problem, and the byte where it is.
pub(super) type Mistake = (usize, Problem);

const BYTES: &str = "an amount of memory, as in \"64MiB\"";
const BYTES_PER_SECOND: &str = "an amount of memory per second, as in \"64KiB/s\"";
const DURATION: &str = "a duration, as in \"30s\"";
const RATE: &str = "so many in a time, as in \"100/s\", \"1000/min\" or \"10/h\"";
const PERCENT: &str = "hundredths of one core, as in \"50%\"";
const HUNDREDTHS: &str = "a number with at most two digits after the point, as in 0.25";
const COUNT: &str = "a whole number";
const TEXT: &str = "a text in quotes";
const LIST: &str = "a list of texts, as in [\"a\", \"b\"]";

impl<'a> Entry<'a> {
    /// Its value, if it is of this kind.
    pub(super) fn read(&self, kind: &Kind) -> Result<Value, Mistake> {
        let here = |problem| (self.at, problem);
        match kind {
            Kind::Bytes => self.bytes().map(Value::Bytes).map_err(here),
            Kind::BytesPerSecond => self
                .amount(BYTES_PER_SECOND, units::bytes_per_second)
                .map(Value::BytesPerSecond)
                .map_err(here),
            Kind::Time => self.amount(DURATION, units::duration).map(Value::Time).map_err(here),
            Kind::Count => self.integer(COUNT).map(Value::Count).map_err(here),
            Kind::Percent => self.shaped(PERCENT, percent).map(Value::Percent).map_err(here),
            Kind::Hundredths => self.hundredths().map(Value::Hundredths).map_err(here),
            Kind::Rate => self.shaped(RATE, rate).map(Value::Rate).map_err(here),
            Kind::Flag => match self.value {
                DeValue::Boolean(flag) => Ok(Value::Flag(*flag)),
                _ => Err(here(self.wrong_type("true or false"))),
            },
            Kind::Word(words) => self.word(words).map(Value::Text).map_err(here),
            Kind::Text => self.text().map(|text| Value::Text(text.to_owned())).map_err(here),
            Kind::Texts(texts) => self.texts(*texts).map(Value::List),
            Kind::Options => self.options().map(Value::Options),
            Kind::Schema => self.schema().map(Value::Json).map_err(here),
            Kind::Json => Ok(Value::Json(json(self.value))),
            Kind::Table(_) | Kind::Named(_) => Err(here(self.wrong_type("a table"))),
            Kind::Many(_) => Err(here(self.wrong_type("a list of tables"))),
        }
    }

    fn text(&self) -> Result<&'a str, Problem> {
        match self.value {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong_type(TEXT)),
        }
    }

    fn word(&self, words: &[&str]) -> Result<String, Problem> {
        let word = self.text()?;
        if words.contains(&word) {
            return Ok(word.to_owned());
        }
        Err(Problem::UnknownWord {
            key: self.key.to_owned(),
            found: word.chars().take(40).collect(),
            known: words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", "),
            nearest: nearest(word, words.iter().copied()).map(str::to_owned),
        })
    }

    fn integer(&self, wanted: &'static str) -> Result<u64, Problem> {
        match self.value {
            DeValue::Integer(number) if !number.as_str().starts_with('-') => {
                whole(number).ok_or_else(|| self.too_large())
            }
            DeValue::Integer(_) => {
                Err(Problem::WrongType { key: self.key.to_owned(), wanted, found: "a negative number" })
            }
            _ => Err(self.wrong_type(wanted)),
        }
    }

    /// A text with a unit, or a plain number of bytes.
    fn bytes(&self) -> Result<u64, Problem> {
        match self.value {
            DeValue::Integer(_) => self.integer(BYTES),
            _ => self.amount(BYTES, units::bytes),
        }
    }

    fn amount<T>(&self, wanted: &'static str, read: fn(&str) -> Result<T, UnitError>) -> Result<T, Problem> {
        let DeValue::String(text) = self.value else { return Err(self.wrong_type(wanted)) };
        read(text).map_err(|source| Problem::Amount { key: self.key.to_owned(), source })
    }

    fn shaped<T>(&self, wanted: &'static str, read: fn(&str) -> Option<T>) -> Result<T, Problem> {
        let DeValue::String(text) = self.value else { return Err(self.wrong_type(wanted)) };
        read(text.trim()).ok_or_else(|| {
            let found = text.chars().take(40).collect();
            Problem::Amount { key: self.key.to_owned(), source: UnitError::Shape { text: found, wanted } }
        })
    }

    fn hundredths(&self) -> Result<u32, Problem> {
        let text = match self.value {
            DeValue::Integer(number) => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return Err(self.wrong_type(HUNDREDTHS)),
        };
        hundredths(text).ok_or_else(|| self.wrong_type(HUNDREDTHS))
    }

    /// Each is judged alone, so that a mistake has the place of the text.
    fn texts(&self, kind: Texts) -> Result<Vec<String>, Mistake> {
        let DeValue::Array(list) = self.value else { return Err((self.at, self.wrong_type(LIST))) };
        let mut texts = Vec::new();
        for item in list.iter() {
            let at = item.span().start;
            let DeValue::String(text) = item.get_ref() else {
                let (key, found) = (self.key.to_owned(), "a list with something else than texts");
                return Err((at, Problem::WrongType { key, wanted: LIST, found }));
            };
            self.judge(kind, text).map_err(|problem| (at, problem))?;
            texts.push(text.as_ref().to_owned());
        }
        if texts.is_empty()
            && let Some(instead) = never_empty(kind)
        {
            return Err((self.at, Problem::Empty { key: self.key.to_owned(), instead }));
        }
        Ok(texts)
    }

    /// Names with texts; what names and texts may be, the policy says.
    fn options(&self) -> Result<BTreeMap<String, String>, Mistake> {
        let wanted = "a table of texts, as in { id = \"a\" }";
        let wrong = |at, found| (at, Problem::WrongType { key: self.key.to_owned(), wanted, found });
        let DeValue::Table(table) = self.value else { return Err(wrong(self.at, found(self.value))) };
        let mut options = BTreeMap::new();
        for (name, value) in super::read::in_order(table) {
            let DeValue::String(text) = value.get_ref() else {
                return Err(wrong(value.span().start, "a table with something else than texts"));
            };
            options.insert(name.get_ref().as_ref().to_owned(), text.as_ref().to_owned());
        }
        let spec = PolicySpec { options, ..PolicySpec::default() };
        let checked = Policy::new(spec).map_err(|error| (self.at, Problem::from(error)))?;
        Ok(checked.options().clone())
    }

    fn judge(&self, kind: Texts, text: &str) -> Result<(), Problem> {
        let plain = !text.is_empty() && !text.chars().any(char::is_control);
        let (right, wanted) = match kind {
            Texts::HostMethods => {
                let spec = PolicySpec { host: vec![text.to_owned()], ..PolicySpec::default() };
                return Policy::new(spec).map(drop).map_err(Problem::from);
            }
            Texts::Consent => {
                let spec = PolicySpec { host: vec![text.to_owned()], ..PolicySpec::default() };
                (
                    Policy::new(spec).is_ok(),
                    "write a host method of 1 to 256 bytes, or a prefix ending in one *",
                )
            }
            Texts::Layers => {
                return LayerSet::named(text).map(drop).map_err(|source| {
                    let nearest = nearest(text, Layer::all().map(Layer::name).chain(["namespaces", "all"]));
                    Problem::Layer { key: self.key.to_owned(), source, nearest }
                });
            }
            Texts::Rights => return self.right(text),
            Texts::Plugins => {
                (text == "*" || PluginName::new(text).is_ok(), "write the name of a plugin, or * for all")
            }
            Texts::Events => (
                plain && is_topic_pattern(text),
                "write parts with dots between; a part may be *, the last one **",
            ),
            Texts::Files => (
                plain && Folder::parse(text).is_ok(),
                "write read:/host or write:/host, absolute, with =/guest where the guest's path differs",
            ),
            Texts::Variables => (
                Variable::parse(text).is_ok(),
                "write letters, digits and _, and no digit first, and =VALUE for another value than the host's",
            ),
            Texts::Hosts => (plain && !text.contains(char::is_whitespace), "write the name of a host"),
            Texts::Command => (!text.contains('\0'), "a program's argument has no zero byte"),
            Texts::Folders => (plain, "write the path of a folder"),
            Texts::Paths => (is_below(text), "write a path below the file's folder, without .."),
        };
        match right {
            true => Ok(()),
            false => Err(Problem::Shape {
                key: self.key.to_owned(),
                found: text.chars().take(80).collect(),
                wanted,
            }),
        }
    }

    fn right(&self, text: &str) -> Result<(), Problem> {
        let text = DeValue::String(text.into());
        Entry { key: self.key, at: self.at, value: &text }.word(&["call", "serve", "admin"]).map(drop)
    }

    fn schema(&self) -> Result<serde_json::Value, Problem> {
        let fail = |message: String| Problem::Schema { key: self.key.to_owned(), message };
        let schema = match self.value {
            DeValue::String(text) => serde_json::from_str(text).map_err(|error| fail(error.to_string()))?,
            DeValue::Table(_) | DeValue::Boolean(_) => json(self.value),
            _ => return Err(self.wrong_type("a JSON Schema: a table, or JSON as a text")),
        };
        super::schema::validator(&schema).map_err(fail)?;
        Ok(schema)
    }

    pub(super) fn too_large(&self) -> Problem {
        let found: String = match self.value {
            DeValue::Integer(number) => number.to_string(),
            DeValue::String(text) => format!("{text:?}"),
            _ => String::new(),
        };
        Problem::TooLarge { key: self.key.to_owned(), found: found.chars().take(40).collect() }
    }

    fn wrong_type(&self, wanted: &'static str) -> Problem {
        Problem::WrongType { key: self.key.to_owned(), wanted, found: found(self.value) }
    }
}

/// What to do about an empty list of a kind that is of no use without texts.
fn never_empty(kind: Texts) -> Option<&'static str> {
    match kind {
        Texts::Plugins => Some("name plugins, write [\"*\"] for all, or leave the client out"),
        Texts::Rights => Some("name rights, or leave the client out"),
        Texts::Command => Some("name a program"),
        Texts::Paths => Some("name files or folders, or leave it out: it is the whole folder then"),
        _ => None,
    }
}

fn whole(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str().trim_start_matches('+'), number.radix()).ok()
}

fn percent(text: &str) -> Option<u32> {
    text.strip_suffix('%')?.trim_end().parse().ok()
}

fn rate(text: &str) -> Option<Rate> {
    let (count, unit) = text.split_once('/')?;
    let seconds = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        _ => return None,
    };
    Some(Rate { count: count.trim().parse().ok()?, window: Duration::from_secs(seconds) })
}

fn hundredths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 2 || !part.bytes().chain(whole.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u32 = format!("{part:0<2}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(part)
}

/// A path that leads nowhere but into the folder it starts from.
fn is_below(text: &str) -> bool {
    let plain = !text.is_empty() && !text.chars().any(char::is_control);
    plain && !text.starts_with('/') && !text.split('/').any(|part| part == "..")
}

/// TOML as JSON.
fn json(value: &DeValue<'_>) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        DeValue::String(text) => Json::from(text.as_ref()),
        DeValue::Integer(number) => {
            let text = number.as_str();
            i64::from_str_radix(text, number.radix()).map_or_else(|_| Json::from(text), Json::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Json::Null, Json::from),
        DeValue::Boolean(flag) => Json::from(*flag),
        DeValue::Datetime(time) => Json::from(time.to_string()),
        DeValue::Array(list) => list.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let members = table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())));
            Json::Object(members.collect())
        }
    }
}

fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
