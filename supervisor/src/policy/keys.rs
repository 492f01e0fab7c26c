//! Every key of `casemate.toml` and `plugin.toml`: the one table that reading, merging, nearest names, JSON Schema and the
//! reference in `docs/configuration.md` come from.

/// A field of [`PolicySpec`], by its path there.
macro_rules! of_policy {
    ($slot:ident $($path:ident).+) => {
        Field::Policy(|spec| Slot::$slot(&mut spec.$($path).+))
    };
}

mod files;
mod limits;
mod plugin;

pub(super) use files::{DEFAULTS_AND_PLUGINS, MANIFEST, WHOLE};
pub(super) use limits::METHOD;
pub(super) use plugin::PLUGIN;

use super::near::nearest;
use super::order::Order;
use super::slot::Slot;
use super::value::Value;
use casemate_protocol::policy::{MethodLimits, PolicySpec};

/// A key of one table.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What one value of it is for.
    pub(super) scope: &'static str,
    pub(super) field: Field,
    /// One line for people.
    pub(super) doc: &'static str,
    /// Who sees to it.
    pub(super) by: &'static str,
    /// In which sections it may stand.
    pub(super) sections: u8,
    /// Whether more of it allows more.
    pub(super) ordered: bool,
    /// Whether this version has all of it; if not, only its first word and an empty list.
    pub(super) built: bool,
    /// Whether a running plugin comes to another value only by a new version of it.
    pub(super) restart: bool,
    /// Whether a manifest's word holds where the operator says nothing.
    pub(super) suggested: bool,
    /// Whether all but its first word is refused unless the ceiling names it.
    pub(super) named_by_ceiling: bool,
}

/// `[defaults]`.
pub(super) const DEFAULTS: u8 = 1;
/// `[plugins.NAME]`.
pub(super) const PLUGINS: u8 = 2;
/// `[ceiling]`.
pub(super) const CEILING: u8 = 4;
/// A plugin's manifest.
pub(super) const ASKED: u8 = 8;

/// What a key's value may be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Bytes,
    BytesPerSecond,
    Time,
    Count,
    Percent,
    Hundredths,
    Rate,
    Flag,
    /// One of these; those that allow less come first.
    Word(&'static [&'static str]),
    Text,
    Texts(Texts),
    /// Texts by names that the file chooses; what a manifest has stands under what the operator writes.
    Options,
    /// A JSON Schema: a table, or JSON as text.
    Schema,
    /// Any value.
    Json,
    /// More keys.
    Table(&'static [Key]),
    /// Tables with names that the file chooses.
    Named(&'static [Key]),
    /// A list of tables.
    Many(&'static [Key]),
}

/// What the texts of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    /// Methods of the host: literal, or a prefix that ends in `*`.
    HostMethods,
    /// The same, in a list that grants nothing.
    Consent,
    /// Names of events: parts between dots, `*` for one part, `**` for all that follow.
    Events,
    /// `read:/host` or `write:/host`, with `=/guest` where the guest's path differs.
    Files,
    /// Names of variables of the environment.
    Variables,
    /// Names of network hosts.
    Hosts,
    /// Layers of the wall.
    Layers,
    /// A program and its arguments.
    Command,
    /// Files and folders below the file's own.
    Paths,
    /// Folders anywhere; relative ones from the file's own.
    Folders,
    /// Names of plugins, or `*` for all.
    Plugins,
    /// What a client of the daemon may do.
    Rights,
}

/// Which field of a policy a key sets.
#[derive(Clone, Copy)]
pub(super) enum Field {
    /// None: the value is kept as it is.
    None,
    /// One of the plugin.
    Policy(fn(&mut PolicySpec) -> Slot<'_>),
    /// One of a method.
    Method(fn(&mut MethodLimits) -> Slot<'_>),
}

impl Key {
    const fn new(
        name: &'static str,
        kind: Kind,
        scope: &'static str,
        field: Field,
        doc: &'static str,
        by: &'static str,
    ) -> Self {
        let sections = DEFAULTS | PLUGINS | CEILING;
        Self {
            name,
            kind,
            scope,
            field,
            doc,
            by,
            sections,
            ordered: true,
            built: true,
            restart: true,
            suggested: false,
            named_by_ceiling: false,
        }
    }

    /// A manifest's word holds where the operator says nothing.
    const fn suggested(self) -> Self {
        Self { suggested: true, ..self }
    }

    /// All but its first word is refused unless the ceiling names it.
    const fn named_by_ceiling(self) -> Self {
        Self { named_by_ceiling: true, ..self }
    }

    const fn table(name: &'static str, keys: &'static [Self], doc: &'static str) -> Self {
        Self::new(name, Kind::Table(keys), "", Field::None, doc, "")
            .within(DEFAULTS | PLUGINS | CEILING | ASKED)
    }

    /// Stands in these sections only.
    const fn within(mut self, sections: u8) -> Self {
        self.sections = sections;
        self
    }

    /// More of it does not allow more: the operator's choice alone.
    const fn choice(mut self) -> Self {
        self.ordered = false;
        self.within(DEFAULTS | PLUGINS)
    }

    /// The next call has the new value already.
    const fn at_once(mut self) -> Self {
        self.restart = false;
        self
    }

    /// This version has only the first word of it, or the empty list.
    const fn later(mut self) -> Self {
        self.built = false;
        self
    }

    /// How its values compare.
    pub(super) fn order(&self) -> Order {
        match self.kind {
            _ if !self.ordered => Order::None,
            Kind::Bytes
            | Kind::BytesPerSecond
            | Kind::Time
            | Kind::Count
            | Kind::Percent
            | Kind::Hundredths
            | Kind::Rate => Order::Less,
            Kind::Word(words) => Order::Words(words),
            Kind::Texts(Texts::HostMethods) => Order::Patterns,
            Kind::Texts(Texts::Events) => Order::Topics,
            Kind::Texts(Texts::Layers) => Order::Layers,
            Kind::Texts(_) => Order::Texts,
            _ => Order::None,
        }
    }

    /// What it is where nobody says anything.
    pub(super) fn default(&self) -> Option<Value> {
        match (&self.field, &self.kind) {
            (Field::Policy(field), kind) => field(&mut PolicySpec::default()).get(kind),
            (Field::Method(_), _) => None,
            (Field::None, Kind::Texts(_)) if self.ordered => Some(Value::List(Vec::new())),
            (Field::None, Kind::Word([first, ..])) if !self.built => Some(Value::Text((*first).to_owned())),
            (Field::None, Kind::Flag) => Some(Value::Flag(true)),
            _ => None,
        }
    }

    /// Whether this version can do what the value asks for.
    pub(super) fn has(&self, value: &Value) -> bool {
        match (value, &self.kind) {
            _ if self.built => true,
            (Value::Text(word), Kind::Word(words)) => words.first() == Some(&word.as_str()),
            (Value::List(texts), _) => texts.is_empty(),
            _ => false,
        }
    }

    /// Whether a value fits into its field.
    pub(super) fn takes(&self, value: &Value) -> bool {
        match self.field {
            Field::None => true,
            Field::Policy(field) => field(&mut PolicySpec::default()).set(value).is_some(),
            Field::Method(field) => field(&mut MethodLimits::default()).set(value).is_some(),
        }
    }
}

/// Each key with a value in a table and those within it, with its path; not those under names that a file chooses.
pub(super) fn leaves(table: &'static [Key]) -> Vec<(String, &'static Key)> {
    let mut found = Vec::new();
    for key in table {
        match key.kind {
            Kind::Table(inner) => {
                found.extend(leaves(inner).into_iter().map(|(path, leaf)| (joined(key.name, &path), leaf)));
            }
            Kind::Named(_) | Kind::Many(_) => {}
            _ => found.push((key.name.to_owned(), key)),
        }
    }
    found
}

/// The key that was probably meant: a similar one of the same table, or the same one of another of the section.
pub(super) fn nearest_key(
    table: &[Key],
    prefix: &str,
    section: (&[Key], &str),
    wrong: &str,
) -> Option<String> {
    match nearest(wrong, table.iter().map(|key| key.name)) {
        Some(name) => Some(joined(prefix, name)),
        None => find(section.1, section.0, wrong),
    }
}

fn find(prefix: &str, table: &[Key], wrong: &str) -> Option<String> {
    table.iter().find_map(|key| {
        let path = joined(prefix, key.name);
        match key.kind {
            _ if key.name == wrong => Some(path),
            Kind::Table(inner) => find(&path, inner, wrong),
            _ => None,
        }
    })
}

/// `table.key`, or the key alone at the top.
pub(super) fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// A name as it stands in a path of TOML: quoted, unless it needs no quotes.
pub(super) fn as_part(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(plain) { name.to_owned() } else { super::value::quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found_near_or_elsewhere() {
        let near = |wrong| nearest_key(PLUGIN, "plugins.a", (PLUGIN, "plugins.a"), wrong);
        assert_eq!(near("memory").as_deref(), Some("plugins.a.limits.memory"));
        assert_eq!(near("limit").as_deref(), Some("plugins.a.limits"));
        assert_eq!(near("permission").as_deref(), Some("plugins.a.permissions"));
        assert_eq!(near("xyzzy"), None);
        assert_eq!(near(&"m".repeat(100_000)), None);
    }

    #[test]
    fn every_key_says_what_it_does_and_who_sees_to_it() {
        for (path, key) in leaves(WHOLE).into_iter().chain(leaves(PLUGIN)).chain(leaves(MANIFEST)) {
            assert!(!key.doc.is_empty() && !key.by.is_empty() && !key.scope.is_empty(), "{path}");
            assert!(!key.doc.contains('|') && !key.doc.ends_with('.'), "{path}");
        }
    }

    #[test]
    fn every_default_fits_its_field() {
        for (path, key) in leaves(PLUGIN) {
            if let Some(value) = key.default() {
                assert!(key.takes(&value) && key.has(&value), "{path} = {value}");
            }
        }
    }
}
