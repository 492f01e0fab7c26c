//! TOML text to a policy.

use super::error::{PolicyFileError, PolicyFileProblem as Problem};
use super::keys::{self, Key, PLUGIN, Rule, SNAPSHOTS, WHOLE_CONFIGURATION, joined};
use casemate_protocol::certificate::{Layer, LayerSet};
use casemate_protocol::policy::units::{self, UnitError};
use casemate_protocol::policy::{Policy, PolicyError, PolicySpec};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// A thousand times a long policy.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Reads a policy file. `file_name` is only for messages.
///
/// What it returns passes [`Policy::new`]: a value out of range is refused here, with its place.
pub fn parse(text: &str, file_name: &str) -> Result<PolicySpec, PolicyFileError> {
    let fail = |mistake: Mistake| {
        let (line, column) = position(text, mistake.at);
        PolicyFileError { file: file_name.to_owned(), line, column, problem: Box::new(mistake.problem) }
    };
    read(text).map_err(fail)
}

/// A problem and the byte where it is.
struct Mistake {
    at: usize,
    problem: Problem,
}

fn read(text: &str) -> Result<PolicySpec, Mistake> {
    if text.len() > FILE_BYTES_MAX {
        return Err(Mistake { at: 0, problem: Problem::TooLong { bytes_max: FILE_BYTES_MAX } });
    }
    let document = DeTable::parse(text).map_err(|error| Mistake {
        at: error.span().map_or(0, |span| span.start),
        problem: Problem::Syntax { message: error.message().replace('\n', ", ") },
    })?;
    let mut draft = Draft::default();
    draft.table(PLUGIN, "", document.get_ref())?;
    draft.finish()
}

/// Line and column of a byte, both counted from 1; the column in characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

#[derive(Default)]
struct Draft {
    spec: PolicySpec,
    /// Where each value stood, for what can only be judged at the end.
    places: Vec<(String, usize)>,
}

/// A value with its full key.
struct Entry<'a> {
    key: String,
    at: usize,
    value: &'a DeValue<'a>,
}

impl Draft {
    fn table(&mut self, known: &'static [Key], prefix: &str, table: &DeTable<'_>) -> Result<(), Mistake> {
        // In the order of the file, so that the first mistake is the one named.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = key.get_ref().as_ref();
            let Some(found) = known.iter().find(|known| known.name == name) else {
                return Err(Mistake { at: key.span().start, problem: unknown(known, prefix, name) });
            };
            let entry = Entry { key: joined(prefix, name), at: value.span().start, value: value.get_ref() };
            self.places.push((entry.key.clone(), entry.at));
            self.entry(&found.rule, &entry).map_err(|problem| match problem {
                Nested::Here(problem) => Mistake { at: entry.at, problem },
                Nested::Within(mistake) => mistake,
            })?;
        }
        Ok(())
    }

    fn entry(&mut self, rule: &Rule, entry: &Entry<'_>) -> Result<(), Nested> {
        let spec = &mut self.spec;
        match rule {
            Rule::Table(known) => self.table(known, &entry.key, entry.table()?)?,
            Rule::Bytes(set) => set(spec, entry.bytes()?).ok_or_else(|| entry.too_large())?,
            Rule::BytesPerSecond(set) => {
                let rate = entry.amount(BYTES_PER_SECOND, units::bytes_per_second)?;
                set(spec, rate).ok_or_else(|| entry.too_large())?;
            }
            Rule::Duration(set) => set(spec, entry.amount(DURATION, units::duration)?),
            Rule::Count(set) => {
                let count = entry.integer("a whole number")?;
                count.and_then(|count| set(spec, count)).ok_or_else(|| entry.too_large())?;
            }
            Rule::HostMethods => spec.host = entry.host_methods()?,
            Rule::Layers => spec.require = entry.layers()?,
            Rule::Snapshot => {
                let word = entry.word()?;
                let found = SNAPSHOTS.iter().find(|(name, _)| *name == word);
                spec.snapshot =
                    found.ok_or_else(|| entry.unknown_word(SNAPSHOTS.iter().map(|(name, _)| *name)))?.1;
            }
            Rule::Elsewhere(instead) => return Err(entry.not_available(instead).into()),
            not_built => entry.is_neutral(not_built)?,
        }
        Ok(())
    }

    /// Judges numbers against their ranges.
    fn finish(self) -> Result<PolicySpec, Mistake> {
        match Policy::new(self.spec.clone()) {
            Ok(_) => Ok(self.spec),
            Err(error) => {
                let key = match &error {
                    PolicyError::Range { key, .. } => *key,
                    PolicyError::HostPattern { .. } => "permissions.host",
                };
                let place = self.places.iter().find(|(known, _)| known == key);
                Err(Mistake { at: place.map_or(0, |(_, at)| *at), problem: error.into() })
            }
        }
    }
}

/// A problem with the value at hand, or a mistake somewhere inside it.
enum Nested {
    Here(Problem),
    Within(Mistake),
}

impl From<Problem> for Nested {
    fn from(problem: Problem) -> Self {
        Self::Here(problem)
    }
}

impl From<Mistake> for Nested {
    fn from(mistake: Mistake) -> Self {
        Self::Within(mistake)
    }
}

const BYTES: &str = "an amount of memory, as in \"64MiB\"";
const BYTES_PER_SECOND: &str = "an amount of memory per second, as in \"64KiB/s\"";
const DURATION: &str = "a duration, as in \"30s\"";
const LIST: &str = "a list of texts, as in [\"a\", \"b\"]";

impl<'a> Entry<'a> {
    fn table(&self) -> Result<&'a DeTable<'a>, Problem> {
        match self.value {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong_type("a table")),
        }
    }

    fn word(&self) -> Result<&'a str, Problem> {
        match self.value {
            DeValue::String(word) => Ok(word),
            _ => Err(self.wrong_type("a text in quotes")),
        }
    }

    fn list(&self) -> Result<impl Iterator<Item = Result<(&'a str, usize), Mistake>>, Problem> {
        let DeValue::Array(list) = self.value else { return Err(self.wrong_type(LIST)) };
        let text = |item: &'a Spanned<DeValue<'a>>| match item.get_ref() {
            DeValue::String(text) => Ok((text.as_ref(), item.span().start)),
            other => {
                let problem =
                    Problem::WrongType { key: self.key.clone(), wanted: LIST, found: mixed_list(other) };
                Err(Mistake { at: item.span().start, problem })
            }
        };
        Ok(list.iter().map(text))
    }

    /// `None`: it is a number, and too large.
    fn integer(&self, wanted: &'static str) -> Result<Option<u64>, Problem> {
        match self.value {
            DeValue::Integer(number) if !number.as_str().starts_with('-') => Ok(whole(number)),
            DeValue::Integer(_) => {
                Err(Problem::WrongType { key: self.key.clone(), wanted, found: "a negative number" })
            }
            _ => Err(self.wrong_type(wanted)),
        }
    }

    /// A text with a unit, or a plain number of bytes.
    fn bytes(&self) -> Result<u64, Problem> {
        match self.value {
            DeValue::Integer(_) => self.integer(BYTES)?.ok_or_else(|| self.too_large()),
            _ => self.amount(BYTES, units::bytes),
        }
    }

    fn amount<T>(&self, wanted: &'static str, read: fn(&str) -> Result<T, UnitError>) -> Result<T, Problem> {
        let DeValue::String(text) = self.value else { return Err(self.wrong_type(wanted)) };
        read(text).map_err(|source| Problem::Amount { key: self.key.clone(), source })
    }

    /// Each is judged alone, so that a mistake has the place of the text.
    fn host_methods(&self) -> Result<Vec<String>, Nested> {
        let mut methods = Vec::new();
        for item in self.list()? {
            let (method, at) = item?;
            let alone = PolicySpec { host: vec![method.to_owned()], ..PolicySpec::default() };
            Policy::new(alone).map_err(|error| Mistake { at, problem: error.into() })?;
            methods.push(method.to_owned());
        }
        Ok(methods)
    }

    fn layers(&self) -> Result<LayerSet, Nested> {
        let mut layers = LayerSet::EMPTY;
        for item in self.list()? {
            let (name, at) = item?;
            let named = LayerSet::named(name).map_err(|source| {
                let names = Layer::all().map(Layer::name).chain(["namespaces", "all"]);
                let nearest = keys::nearest(name, names);
                Mistake { at, problem: Problem::Layer { key: self.key.clone(), source, nearest } }
            })?;
            layers = layers.union(named);
        }
        Ok(layers)
    }

    /// Keys that nothing is built for may ask for what is the case without them.
    fn is_neutral(&self, rule: &Rule) -> Result<(), Problem> {
        match (rule, self.value) {
            (Rule::OnlyFirst(words), DeValue::String(word)) => {
                let first = words.first().copied().unwrap_or_default();
                if word == first {
                    return Ok(());
                }
                if words.len() > 1 && !words.contains(&word.as_ref()) {
                    return Err(self.unknown_word(words.iter().copied()));
                }
                Err(self.not_available(&format!("write {first:?} or leave it out")))
            }
            (Rule::OnlyTrue, DeValue::Boolean(true)) => Ok(()),
            (Rule::OnlyZero, DeValue::Integer(number)) if whole(number) == Some(0) => Ok(()),
            (Rule::OnlyEmptyList, DeValue::Array(list)) if list.is_empty() => Ok(()),
            (Rule::OnlyEmptyTable, DeValue::Table(table)) if table.is_empty() => Ok(()),
            (Rule::OnlyFirst(_), _) => Err(self.wrong_type("a text in quotes")),
            (Rule::OnlyTrue, DeValue::Boolean(false)) => {
                Err(self.not_available("write true or leave it out, and do not load the plugin"))
            }
            (Rule::OnlyTrue, _) => Err(self.wrong_type("true or false")),
            (Rule::OnlyZero, _) => Err(self.not_available("write 0 or leave it out")),
            (Rule::OnlyEmptyList, _) => Err(self.not_available("write [] or leave it out")),
            _ => Err(self.not_available("leave it out")),
        }
    }

    fn not_available(&self, instead: &str) -> Problem {
        Problem::NotAvailable { key: self.key.clone(), instead: instead.to_owned() }
    }

    fn unknown_word(&self, known: impl Iterator<Item = &'static str>) -> Problem {
        let found = self.value.as_str().unwrap_or_default().chars().take(40).collect();
        let known = known.map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        Problem::UnknownWord { key: self.key.clone(), found, known }
    }

    fn too_large(&self) -> Problem {
        let found: String = match self.value {
            DeValue::Integer(number) => number.to_string(),
            DeValue::String(text) => format!("{text:?}"),
            _ => String::new(),
        };
        Problem::TooLarge { key: self.key.clone(), found: found.chars().take(40).collect() }
    }

    fn wrong_type(&self, wanted: &'static str) -> Problem {
        Problem::WrongType { key: self.key.clone(), wanted, found: kind(self.value) }
    }
}

fn unknown(known: &[Key], prefix: &str, name: &str) -> Problem {
    // Quoted keys can hold anything.
    let shown: String = name.chars().take(40).flat_map(char::escape_debug).collect();
    if prefix.is_empty() && WHOLE_CONFIGURATION.contains(&name) {
        return Problem::WholeConfiguration { key: shown };
    }
    Problem::UnknownKey { key: joined(prefix, &shown), nearest: keys::nearest_key(known, prefix, name) }
}

fn whole(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(number.as_str().trim_start_matches('+'), number.radix()).ok()
}

fn kind(value: &DeValue<'_>) -> &'static str {
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

fn mixed_list(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Array(_) | DeValue::Table(_) => "a list with a list or table in it",
        _ => "a list with something else than texts",
    }
}

#[cfg(test)]
mod tests;
