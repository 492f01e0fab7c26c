//! What a reader makes of a foreign manifest: a `plugin.toml`, key by key, and what there is beside it.

use super::document::Field;
use super::{PackageError, Program};
use crate::policy::nearest;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// A manifest of ours in the making.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// The file that it comes from.
    pub(super) file: String,
    /// The whole text, if it is one of ours already.
    verbatim: Option<String>,
    top: Table,
    tables: BTreeMap<&'static str, Table>,
    pub(super) program: Program,
    pub(super) sha256: Option<String>,
    pub(super) dialects: &'static [&'static str],
    pub(super) files: Vec<String>,
    pub(super) memory_needed: Option<u64>,
    pub(super) notes: Vec<String>,
}

impl Draft {
    pub(super) fn new(file: &str, program: Program) -> Self {
        Self {
            file: file.to_owned(),
            verbatim: None,
            top: Table::new(),
            tables: BTreeMap::new(),
            program,
            sha256: None,
            dialects: &[],
            files: Vec::new(),
            memory_needed: None,
            notes: Vec::new(),
        }
    }

    /// A manifest that is ours as it stands.
    pub(super) fn native(file: &str, program: Program, text: &str) -> Self {
        Self { verbatim: Some(text.to_owned()), ..Self::new(file, program) }
    }

    /// Of a module that has none.
    pub(super) fn of_module(path: &str, name: &str) -> Self {
        let mut draft = Self::new(path, Program::Module { path: path.to_owned() });
        draft.named(name, name, "0.0.0");
        draft.grow("permissions", "host", ["*".to_owned()]);
        draft.grow("permissions", "publish", ["**".to_owned()]);
        draft.grow("permissions", "subscribe", ["**".to_owned()]);
        draft
    }

    /// Its id, which is made to be one; its name for people; its version, which is made to have three numbers.
    pub(super) fn named(&mut self, id: &str, name: &str, version: &str) {
        let id = casemate_protocol::ids::PluginName::from_lossy(id);
        self.put("id", id.as_str());
        self.put("name", name);
        self.put("version", &three_numbers(version));
    }

    /// A text at the top.
    pub(super) fn put(&mut self, key: &str, text: &str) {
        self.top.insert(key.to_owned(), Value::String(text.to_owned()));
    }

    pub(super) fn put_some(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.put(key, text);
        }
    }

    /// A text of a table.
    pub(super) fn put_in(&mut self, table: &'static str, key: &str, text: impl Into<String>) {
        self.table(table).insert(key.to_owned(), Value::String(text.into()));
    }

    pub(super) fn limit_bytes(&mut self, key: &str, bytes: u64) {
        self.put_in("limits", key, format!("{bytes}B"));
    }

    pub(super) fn limit_time(&mut self, key: &str, time: std::time::Duration) {
        self.put_in("limits", key, format!("{}ms", time.as_millis()));
    }

    /// More texts of a table's list, each once.
    pub(super) fn grow(&mut self, table: &'static str, key: &str, texts: impl IntoIterator<Item = String>) {
        grow(self.table(table), key, texts);
    }

    /// More texts of a list at the top, each once.
    pub(super) fn list(&mut self, key: &str, texts: impl IntoIterator<Item = String>) {
        grow(&mut self.top, key, texts);
    }

    /// A JSON Schema, as text: TOML has no null.
    pub(super) fn schema(&mut self, key: &str, schema: &Json) {
        self.put(key, &schema.to_string());
    }

    pub(super) fn method(&mut self, name: &str, description: Option<&str>, input: Option<&Json>) {
        let mut method = Table::new();
        if let Some(text) = description {
            method.insert("description".to_owned(), Value::String(text.to_owned()));
        }
        if let Some(schema) = input {
            method.insert("input".to_owned(), Value::String(schema.to_string()));
        }
        self.table("methods").insert(name.to_owned(), Value::Table(method));
    }

    /// A call to show how; `false`: it has a null, which a manifest cannot say.
    pub(super) fn example(
        &mut self,
        method: &str,
        description: Option<&str>,
        input: &Json,
        output: Option<&Json>,
    ) -> bool {
        let mut example = Table::from_iter([("method".to_owned(), Value::String(method.to_owned()))]);
        if let Some(text) = description {
            example.insert("description".to_owned(), Value::String(text.to_owned()));
        }
        for (key, json) in [("input", Some(input)), ("output", output)] {
            let Some(json) = json else { continue };
            let Some(value) = value_of(json) else { return false };
            example.insert(key.to_owned(), value);
        }
        let list = self.top.entry("examples").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(Value::Table(example));
        }
        true
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Notes each member that is none of these: other readers of the same file may know more than we do.
    pub(super) fn note_others(&mut self, table: &Field<'_>, known: &[&str]) -> Result<(), PackageError> {
        for (name, field) in table.members()? {
            if !known.contains(&name) {
                let near = nearest(name, known.iter().copied());
                let meant = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                self.note(format!("{} is not known here, and changes nothing{meant}", field.key));
            }
        }
        Ok(())
    }

    /// The whole of it, as text.
    pub(super) fn text(&self) -> String {
        if let Some(text) = &self.verbatim {
            return text.clone();
        }
        let tables =
            self.tables.iter().map(|(name, table)| ((*name).to_owned(), Value::Table(table.clone())));
        self.top.clone().into_iter().chain(tables).collect::<Table>().to_string()
    }

    fn table(&mut self, name: &'static str) -> &mut Table {
        self.tables.entry(name).or_default()
    }
}

/// JSON as TOML has it; nothing where there is a null in it, or a number that TOML has not.
fn value_of(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None if number.is_f64() => Value::Float(number.as_f64()?),
            None => return None,
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(list) => Value::Array(list.iter().map(value_of).collect::<Option<_>>()?),
        Json::Object(members) => {
            let pair = |(name, value): (&String, &Json)| Some((name.clone(), value_of(value)?));
            Value::Table(members.iter().map(pair).collect::<Option<_>>()?)
        }
    })
}

/// Options as one document has them, where a dialect takes several at once.
pub(super) fn as_json(map: &BTreeMap<String, String>) -> String {
    serde_json::to_string(map).unwrap_or_default()
}

/// `1` and `1.2` are versions too, to those who write them.
fn three_numbers(version: &str) -> String {
    let version = version.trim().trim_start_matches('v');
    let (numbers, rest) = version.split_at(version.find(['-', '+']).unwrap_or(version.len()));
    match numbers.split('.').count() {
        1 => format!("{numbers}.0.0{rest}"),
        2 => format!("{numbers}.0{rest}"),
        _ => version.to_owned(),
    }
}

fn grow(table: &mut Table, key: &str, texts: impl IntoIterator<Item = String>) {
    let list = table.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(list) = list else { return };
    for text in texts {
        let text = Value::String(text);
        if !list.contains(&text) {
            list.push(text);
        }
    }
}
