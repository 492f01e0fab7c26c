//! A foreign manifest, whatever it is written in: values with their keys, so that a mistake says where it is.

use super::PackageError;
use serde_json::Value;
use std::time::Duration;

/// A file that was read.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(super) file: String,
    pub(super) text: String,
    pub(super) value: Value,
}

/// A value in it.
#[derive(Debug, Clone)]
pub(crate) struct Field<'a> {
    pub(super) file: &'a str,
    pub(super) key: String,
    pub(super) value: &'a Value,
}

/// Depth of what a manifest nests.
const DEPTH_MAX: usize = 64;

impl Document {
    /// Reads a file by what its name ends in.
    pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Self, PackageError> {
        let syntax = |message: String| PackageError::Syntax {
            file: file.to_owned(),
            message: casemate_protocol::outcome::escape(&message, 400),
        };
        let text = std::str::from_utf8(bytes).map_err(|error| syntax(error.to_string()))?;
        let value: Value = match file.rsplit_once('.').map(|(_, ending)| ending) {
            Some("toml") => {
                let table: toml::Table =
                    toml::from_str(text).map_err(|error| syntax(placed(text, &error)))?;
                serde_json::to_value(table).map_err(|error| syntax(error.to_string()))?
            }
            Some("yaml" | "yml") => {
                serde_saphyr::from_str(text).map_err(|error| syntax(error.to_string()))?
            }
            _ => serde_json::from_str(text).map_err(|error| syntax(error.to_string()))?,
        };
        if depth(&value) > DEPTH_MAX {
            return Err(syntax(format!("it nests deeper than {DEPTH_MAX}")));
        }
        Ok(Self { file: file.to_owned(), text: text.to_owned(), value })
    }

    pub(super) fn top(&self) -> Field<'_> {
        Field { file: &self.file, key: String::new(), value: &self.value }
    }

    /// Whether it has a key at the top.
    pub(super) fn has(&self, key: &str) -> bool {
        self.value.get(key).is_some_and(|value| !value.is_null())
    }
}

/// What is wrong, and where; the other parsers say that themselves.
fn placed(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            format!("{} at line {line} column {column}", error.message())
        }
        None => error.message().to_owned(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

impl<'a> Field<'a> {
    /// A member that may be there; null is as if it were not.
    pub(super) fn get(&self, name: &str) -> Result<Option<Field<'a>>, PackageError> {
        let Value::Object(members) = self.value else { return Err(self.wrong("a table")) };
        let found = members.get(name).filter(|value| !value.is_null());
        Ok(found.map(|value| Field { file: self.file, key: self.key_of(name), value }))
    }

    /// A member that must be there.
    pub(super) fn must(&self, name: &str) -> Result<Field<'a>, PackageError> {
        self.get(name)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn missing(&self, name: &str) -> PackageError {
        PackageError::Missing { file: self.file.to_owned(), key: self.key_of(name) }
    }

    /// The text of a member that may be there.
    pub(super) fn text_of(&self, name: &str) -> Result<Option<&'a str>, PackageError> {
        self.get(name)?.map(|field| field.text()).transpose()
    }

    /// The texts of a member that may be there.
    pub(super) fn texts_of(&self, name: &str) -> Result<Vec<String>, PackageError> {
        self.get(name)?.map_or_else(|| Ok(Vec::new()), |field| field.texts())
    }

    /// A flag that may be there.
    pub(super) fn flag_of(&self, name: &str) -> Result<Option<bool>, PackageError> {
        let Some(field) = self.get(name)? else { return Ok(None) };
        field.value.as_bool().map(Some).ok_or_else(|| field.wrong("true or false"))
    }

    /// A whole number that may be there.
    pub(super) fn number_of(&self, name: &str) -> Result<Option<u64>, PackageError> {
        let Some(field) = self.get(name)? else { return Ok(None) };
        field.value.as_u64().map(Some).ok_or_else(|| field.wrong("a whole number"))
    }

    pub(super) fn text(&self) -> Result<&'a str, PackageError> {
        match self.value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong("a text")),
        }
    }

    pub(super) fn list(&self) -> Result<Vec<Field<'a>>, PackageError> {
        let Value::Array(list) = self.value else { return Err(self.wrong("a list")) };
        let field =
            |(number, value)| Field { file: self.file, key: format!("{}[{number}]", self.key), value };
        Ok(list.iter().enumerate().map(field).collect())
    }

    pub(super) fn texts(&self) -> Result<Vec<String>, PackageError> {
        self.list()?.iter().map(|field| field.text().map(str::to_owned)).collect()
    }

    pub(super) fn members(&self) -> Result<Vec<(&'a str, Field<'a>)>, PackageError> {
        let Value::Object(members) = self.value else { return Err(self.wrong("a table")) };
        let field = |name: &str, value| Field { file: self.file, key: self.key_of(name), value };
        let mut members: Vec<_> =
            members.iter().map(|(name, value)| (name.as_str(), field(name, value))).collect();
        // In what order a document's are kept depends on what else is in the build.
        members.sort_by_key(|(name, _)| *name);
        Ok(members)
    }

    /// An amount of memory: a text with a unit, or bytes.
    pub(super) fn bytes(&self) -> Result<u64, PackageError> {
        if let Some(bytes) = self.value.as_u64() {
            return Ok(bytes);
        }
        casemate_protocol::policy::units::bytes(self.text()?).map_err(|error| self.shape(error.to_string()))
    }

    /// A time: a text with units, such as `500ms`, `5s` or `1m30s`.
    pub(super) fn time(&self) -> Result<Duration, PackageError> {
        let wanted = "write a time such as \"500ms\", \"5s\" or \"1m30s\"";
        time(self.text()?).ok_or_else(|| self.shape(wanted))
    }

    pub(super) fn shape(&self, wanted: impl Into<String>) -> PackageError {
        let found = match self.value {
            Value::String(text) => text.chars().take(80).collect(),
            other => other.to_string().chars().take(80).collect(),
        };
        PackageError::Shape {
            file: self.file.to_owned(),
            key: self.key.clone(),
            found,
            wanted: wanted.into(),
        }
    }

    pub(super) fn wrong(&self, wanted: &'static str) -> PackageError {
        let found = match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "a table",
        };
        let key = if self.key.is_empty() { "the whole".to_owned() } else { self.key.clone() };
        PackageError::WrongType { file: self.file.to_owned(), key, wanted, found }
    }

    fn key_of(&self, name: &str) -> String {
        let name: String = name.chars().take(40).flat_map(char::escape_debug).collect();
        if self.key.is_empty() { name } else { format!("{}.{name}", self.key) }
    }
}

/// As Go and people write times: numbers with units, one after the other.
fn time(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 6] =
        [("ms", 1), ("min", 60_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("us", 0)];
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(end)?;
        let after = after.trim_start();
        let (unit, factor) = UNITS.iter().find(|(unit, _)| {
            let next = after.strip_prefix(unit);
            next.is_some_and(|next| !next.starts_with(|c: char| c.is_ascii_alphabetic()))
        })?;
        let number: u64 = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(*factor).filter(|_| *factor > 0)?)?;
        rest = after.strip_prefix(unit)?.trim_start();
    }
    Some(Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_writes_them() {
        let ms = |text| time(text).map(|time| time.as_millis());
        for (text, wanted) in [
            ("500ms", Some(500)),
            ("5s", Some(5_000)),
            ("1m30s", Some(90_000)),
            ("2min", Some(120_000)),
            ("1h", Some(3_600_000)),
            (" 10 s ", Some(10_000)),
            ("", None),
            ("5", None),
            ("5x", None),
            ("s", None),
            ("5us", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(ms(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_or_refers_to_itself_is_refused() {
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        for (file, text) in [("m.json", deep.as_str()), ("m.yaml", &deep), ("m.json", "{"), ("m.toml", "a")] {
            let error = Document::parse(file, text.as_bytes()).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{file}: this cannot be read")) && !error.contains('\n'),
                "{error}"
            );
        }
        let laughs: String = (1..12)
            .map(|n| {
                let before = format!("*a{}, ", n - 1).repeat(9);
                format!("a{n}: &a{n} [{}]\n", before.trim_end_matches(", "))
            })
            .collect();
        let bomb = format!("a0: &a0 [x]\n{laughs}");
        assert!(Document::parse("m.yaml", bomb.as_bytes()).is_err());
    }
}
