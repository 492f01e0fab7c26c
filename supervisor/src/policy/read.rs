//! From a table of TOML to settings: every value checked alone, with its place.

use super::entry::Entry;
use super::error::{ConfigError, ConfigProblem as Problem};
use super::keys::{self, DEFAULTS_AND_PLUGINS, Key, Kind, PLUGIN, PLUGINS, as_part, joined};
use super::place::{Place, Source};
use super::value::Value;
use casemate_protocol::link::METHOD_BYTES_MAX;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A thousand times a long configuration.
pub(super) const FILE_BYTES_MAX: usize = 1 << 20;

/// Tables of many in one section: a manifest may come from anybody, and each is looked for among all.
const GROUPS_MAX: usize = 1000;

/// A value of a section.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// Within its section: `limits.memory`, `methods.scan.call_timeout`.
    pub(super) path: String,
    pub(super) value: Value,
    pub(super) place: Place,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What one section of a file says.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    /// In the order of the file.
    pub(super) list: Vec<Setting>,
    /// Tables of many that are there, also empty ones: their key, their name and where.
    pub(super) groups: Vec<(&'static str, String, Place)>,
}

impl Settings {
    pub(super) fn get(&self, path: &str) -> Option<&Setting> {
        self.list.iter().find(|setting| setting.path == path)
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        match &self.get(path)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn texts(&self, path: &str) -> Option<Vec<String>> {
        match &self.get(path)?.value {
            Value::List(texts) => Some(texts.clone()),
            _ => None,
        }
    }

    /// The tables of many under one key.
    pub(super) fn groups(&self, key: &str) -> impl Iterator<Item = (&str, &Place)> {
        self.groups.iter().filter(move |(of, ..)| *of == key).map(|(_, name, place)| (name.as_str(), place))
    }
}

/// Reads a file's text.
pub(super) fn file(path: &Path) -> Result<String, ConfigError> {
    let name = path.display().to_string();
    let unreadable = |message: String| ConfigError::of_file(&name, Problem::Unreadable { message });
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unreadable("it is not a regular file".to_owned()));
    }
    if metadata.len() > FILE_BYTES_MAX as u64 {
        return Err(ConfigError::of_file(&name, Problem::TooLong { bytes_max: FILE_BYTES_MAX }));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes)
        .map_err(|error| ConfigError::of_file(&name, Problem::Syntax { message: error.to_string() }))
}

/// A file's text as TOML.
pub(super) fn document(source: &Arc<Source>, bytes_max: usize) -> Result<Spanned<DeTable<'_>>, ConfigError> {
    if source.text.len() > bytes_max {
        return Err(ConfigError::of_file(&source.name, Problem::TooLong { bytes_max }));
    }
    DeTable::parse(&source.text).map_err(|error| {
        let place = Place::new(source, error.span().map_or(0, |span| span.start));
        ConfigError::at(&place, Problem::Syntax { message: error.message().replace('\n', ", ") })
    })
}

/// Reads one section.
pub(super) struct Reader<'a> {
    pub(super) source: &'a Arc<Source>,
    /// Which section: a key may stand in some only.
    pub(super) section: u8,
    pub(super) keys: &'static [Key],
    /// How the section is called in messages; nothing for a whole file.
    pub(super) name: String,
}

impl Reader<'_> {
    pub(super) fn read(&self, table: &DeTable<'_>) -> Result<Settings, ConfigError> {
        let mut settings = Settings::default();
        self.table(&mut settings, self.keys, "", table)?;
        Ok(settings)
    }

    fn table(
        &self,
        settings: &mut Settings,
        known: &'static [Key],
        path: &str,
        table: &DeTable<'_>,
    ) -> Result<(), ConfigError> {
        for (name, value) in in_order(table) {
            let at = Place::new(self.source, name.span().start);
            let Some(key) = known.iter().find(|key| key.name == name.get_ref().as_ref()) else {
                return Err(ConfigError::at(&at, self.unknown(known, path, name.get_ref())));
            };
            let path = joined(path, key.name);
            if key.sections & self.section == 0 {
                let instead = "under [plugins.NAME]; it is the operator's choice for each plugin";
                return Err(ConfigError::at(
                    &at,
                    Problem::OutOfPlace { key: joined(&self.name, &path), instead },
                ));
            }
            self.entry(settings, key, &path, value)?;
        }
        Ok(())
    }

    fn entry(
        &self,
        settings: &mut Settings,
        key: &'static Key,
        path: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        match (&key.kind, value.get_ref()) {
            (Kind::Table(inner), DeValue::Table(table)) => self.table(settings, inner, path, table),
            (Kind::Named(inner), DeValue::Table(tables)) => {
                for (name, value) in in_order(tables) {
                    let place = Place::new(self.source, name.span().start);
                    let shown = joined(path, &as_part(name.get_ref()));
                    self.method_name(&shown, name.get_ref(), &place)?;
                    settings.groups.push((key.name, name.get_ref().as_ref().to_owned(), place));
                    self.group(settings, inner, &shown, value)?;
                }
                Ok(())
            }
            (Kind::Many(inner), DeValue::Array(tables)) => {
                for (number, value) in tables.iter().enumerate() {
                    let (shown, number) = (format!("{path}[{number}]"), number.to_string());
                    let place = Place::new(self.source, value.span().start);
                    settings.groups.push((key.name, number, place));
                    self.group(settings, inner, &shown, value)?;
                }
                Ok(())
            }
            (kind, found) => {
                let shown = joined(&self.name, path);
                let entry = Entry { key: &shown, at: value.span().start, value: found };
                let fail = |(at, problem)| ConfigError::at(&Place::new(self.source, at), problem);
                let value = entry.read(kind).map_err(fail)?;
                if !key.takes(&value) {
                    return Err(fail((entry.at, entry.too_large())));
                }
                let place = Place::new(self.source, entry.at);
                settings.list.push(Setting { path: path.to_owned(), value, place });
                Ok(())
            }
        }
    }

    /// A table of many.
    fn group(
        &self,
        settings: &mut Settings,
        known: &'static [Key],
        path: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), ConfigError> {
        if settings.groups.len() > GROUPS_MAX {
            let place = Place::new(self.source, value.span().start);
            let key = joined(&self.name, path.split(['.', '[']).next().unwrap_or_default());
            return Err(ConfigError::at(&place, Problem::TooMany { key, max: GROUPS_MAX }));
        }
        let DeValue::Table(table) = value.get_ref() else {
            let shown = joined(&self.name, path);
            let entry = Entry { key: &shown, at: value.span().start, value: value.get_ref() };
            let wrong = entry.read(&Kind::Table(known)).err();
            let (at, problem) = wrong.unwrap_or_else(|| (entry.at, entry.too_large()));
            return Err(ConfigError::at(&Place::new(self.source, at), problem));
        };
        self.table(settings, known, path, table)
    }

    fn method_name(&self, shown: &str, name: &str, place: &Place) -> Result<(), ConfigError> {
        if (1..=METHOD_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control) {
            return Ok(());
        }
        let problem = Problem::Shape {
            key: joined(&self.name, shown.split('.').next().unwrap_or_default()),
            found: name.chars().take(80).collect(),
            wanted: "the name of a method has 1 to 256 bytes and no control characters",
        };
        Err(ConfigError::at(place, problem))
    }

    fn unknown(&self, known: &'static [Key], path: &str, name: &str) -> Problem {
        // Quoted keys can hold anything.
        let shown: String = name.chars().take(40).flat_map(char::escape_debug).collect();
        let prefix = joined_section(&self.name, path);
        let is_top = self.section == PLUGINS && prefix.is_empty();
        if is_top && PLUGIN.iter().any(|key| key.name == name) {
            return Problem::OutOfPlace { key: shown, instead: DEFAULTS_AND_PLUGINS };
        }
        let nearest = keys::nearest_key(known, &prefix, (self.keys, &self.name), name);
        Problem::UnknownKey { key: joined(&prefix, &shown), nearest }
    }
}

fn joined_section(section: &str, path: &str) -> String {
    if path.is_empty() { section.to_owned() } else { joined(section, path) }
}

/// In the order of the file, so that the first mistake is the one named.
pub(super) fn in_order<'t, 'a>(
    table: &'t DeTable<'a>,
) -> Vec<(&'t Spanned<std::borrow::Cow<'a, str>>, &'t Spanned<DeValue<'a>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}
