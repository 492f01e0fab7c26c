//! What holds for a plugin, and where each value comes from.
//!
//! ```text
//! documented default ─► [defaults] ─► [plugins.NAME] ─► flags     the last one that says something: what is granted
//!                                        ∧ manifest              what the plugin asks for, if that is less
//!                                        ∧ [ceiling]             never more than this
//! ```

use super::error::{ConfigError, ConfigProblem as Problem};
use super::keys::{ASKED, CEILING, Field, Key, Kind, METHOD, PLUGIN, as_part, leaves};
use super::place::Place;
use super::read::{Setting, Settings};
use super::value::{Order, Value, Width};
use casemate_protocol::policy::{MethodLimits, Policy, PolicyError, PolicySpec};
use std::collections::BTreeSet;
use std::fmt;

/// A section that can say something about a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// `[defaults]`.
    Defaults,
    /// `[plugins.NAME]`.
    Plugin,
    /// The plugin's own manifest.
    Manifest,
    /// `[ceiling]`.
    Ceiling,
}

impl Section {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Defaults => "defaults",
            Self::Plugin => "plugin",
            Self::Manifest => "manifest",
            Self::Ceiling => "ceiling",
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// The documented default.
    Default,
    /// A flag of the command line.
    Flag(&'static str),
    /// A file.
    Written {
        /// Which part of which.
        section: Section,
        /// The key, as in the file.
        path: String,
        /// Where it stands.
        place: Place,
    },
}

impl Origin {
    /// The part of a file, if it is from one.
    pub fn section(&self) -> Option<Section> {
        match self {
            Self::Written { section, .. } => Some(*section),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Flag(flag) => f.write_str(flag),
            Self::Written { path, place, .. } => write!(f, "{path}, {place}"),
        }
    }
}

/// A value that holds.
#[derive(Debug, Clone)]
pub struct EffectiveValue {
    /// Its key: `limits.memory`, `methods.scan.call_timeout`.
    pub path: String,
    /// `None`: no limit, or nothing chosen.
    pub value: Option<Value>,
    /// Where it comes from.
    pub origin: Origin,
    /// What was said too and does not hold, or not wholly.
    pub overruled: Vec<(Value, Origin)>,
    /// What the operator grants, before anybody bounds it.
    pub(super) granted: (Option<Value>, Origin),
    /// What it must stay within.
    pub(super) bounds: Vec<(Value, Origin)>,
    pub(super) key: &'static Key,
}

impl EffectiveValue {
    /// What its values are ordered by.
    pub fn order(&self) -> Order {
        self.key.order()
    }

    /// One line about its key.
    pub fn doc(&self) -> &'static str {
        self.key.doc
    }

    /// Who sees to it.
    pub fn enforced_by(&self) -> &'static str {
        self.key.by
    }

    /// What the operator granted and the ceiling took back.
    pub fn clipped(&self) -> Option<&(Value, Origin)> {
        let granted = |origin: &Origin| !matches!(origin.section(), Some(Section::Manifest));
        let by_ceiling = self.origin.section() == Some(Section::Ceiling);
        self.overruled.iter().rev().find(|(_, origin)| by_ceiling && granted(origin))
    }

    /// Whether a change takes effect only when the plugin is loaded anew.
    pub fn needs_restart(&self) -> bool {
        self.key.restart
    }

    /// Whether this version does not have what it asks for.
    fn is_not_available(&self) -> bool {
        self.value.as_ref().is_some_and(|value| !self.key.has(value))
    }

    /// Takes a value that stands over what is there.
    fn replace(&mut self, value: Value, origin: Origin) {
        if let Some(before) = self.value.replace(value)
            && self.origin != Origin::Default
        {
            self.overruled.push((before, self.origin.clone()));
        }
        self.origin = origin;
    }

    fn new(path: String, key: &'static Key, value: Option<Value>, origin: Origin) -> Self {
        let granted = (value.clone(), origin.clone());
        Self { path, value, origin, overruled: Vec::new(), granted, bounds: Vec::new(), key }
    }

    /// Takes a bound: what both allow holds.
    fn bound(&mut self, bound: &Value, origin: Origin) {
        self.bounds.push((bound.clone(), origin.clone()));
        let order = self.key.order();
        let both = order.both(self.value.as_ref(), bound);
        if order.compare(Some(&both), self.value.as_ref()) == Width::Same {
            if order.compare(Some(bound), self.value.as_ref()) != Width::Same
                && origin.section() == Some(Section::Manifest)
            {
                self.overruled.push((bound.clone(), origin));
            }
            return;
        }
        self.replace(both, origin);
    }
}

/// Values that stand over those of a file, below its ceiling.
#[derive(Debug, Clone, Default)]
pub struct Overrides(pub Vec<(&'static str, &'static str, Value)>);

impl Overrides {
    /// A flag and the key that it sets.
    #[must_use]
    pub fn with(mut self, flag: &'static str, path: &'static str, value: Value) -> Self {
        self.0.push((flag, path, value));
        self
    }
}

/// What is said about one plugin, by whom.
pub(super) struct Sayings<'a> {
    pub(super) file: &'a str,
    /// `plugins.NAME`, as in the file.
    pub(super) plugin_path: String,
    pub(super) defaults: &'a Settings,
    pub(super) plugin: Option<&'a Settings>,
    pub(super) overrides: &'a Overrides,
    /// With the place of its beginning, for what it does not say.
    pub(super) manifest: Option<(&'a Settings, Place)>,
    pub(super) ceiling: &'a Settings,
}

/// All that holds for a plugin.
#[derive(Debug, Clone)]
pub struct Effective {
    file: String,
    plugin_path: String,
    values: Vec<EffectiveValue>,
    policy: Policy,
}

impl Effective {
    /// Every value, in the order of the reference.
    pub fn values(&self) -> &[EffectiveValue] {
        &self.values
    }

    /// One value.
    pub fn get(&self, path: &str) -> Option<&EffectiveValue> {
        self.values.iter().find(|value| value.path == path)
    }

    /// The file that was read.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The plugin's own table: `plugins.NAME`.
    pub fn table(&self) -> &str {
        &self.plugin_path
    }

    /// The policy, also of what this version does not have.
    pub fn limits(&self) -> &Policy {
        &self.policy
    }

    /// The policy to load the plugin with; an error where it is turned off or needs what this version does not have.
    pub fn policy(&self) -> Result<&Policy, ConfigError> {
        if let Some(enabled) = self.get("enabled")
            && enabled.value == Some(Value::Flag(false))
        {
            return Err(self.error(enabled, Problem::Disabled { key: self.shown(enabled) }));
        }
        match self.not_available().next() {
            Some(error) => Err(error),
            None => Ok(&self.policy),
        }
    }

    /// What it asks for and this version does not have.
    pub fn not_available(&self) -> impl Iterator<Item = ConfigError> {
        self.values.iter().filter(|value| value.is_not_available()).map(|value| {
            let instead = match value.key.kind {
                Kind::Word([first, ..]) => format!("write {first:?} or leave it out"),
                _ if value.path == "external" => "leave it out".to_owned(),
                _ => "write [] or leave it out".to_owned(),
            };
            let found = value.value.as_ref().map(ToString::to_string).unwrap_or_default();
            self.error(value, Problem::NotAvailable { key: self.shown(value), found, instead })
        })
    }

    fn shown(&self, value: &EffectiveValue) -> String {
        match &value.origin {
            Origin::Written { path, .. } => path.clone(),
            _ => value.path.clone(),
        }
    }

    fn error(&self, value: &EffectiveValue, problem: Problem) -> ConfigError {
        error(&self.file, Some(&value.origin), problem)
    }
}

fn error(file: &str, origin: Option<&Origin>, problem: Problem) -> ConfigError {
    match origin {
        Some(Origin::Written { place, .. }) => ConfigError::at(place, problem),
        Some(Origin::Flag(flag)) => ConfigError::of_file(flag, problem),
        _ => ConfigError::of_file(file, problem),
    }
}

impl Sayings<'_> {
    /// Merges what everybody says.
    pub(super) fn merge(&self) -> Result<Effective, ConfigError> {
        let mut values: Vec<EffectiveValue> =
            leaves(PLUGIN).into_iter().map(|(path, key)| self.value(path, key)).collect();
        for name in self.methods() {
            for key in METHOD {
                let path = format!("methods.{}.{}", as_part(name), key.name);
                let limit = format!("limits.{}", key.name);
                let base = values.iter().find(|value| value.path == limit);
                values.extend(self.method(path, key, base));
            }
        }
        let spec = self.spec(&values)?;
        let policy = Policy::new(spec).map_err(|refused| self.place(&values, refused))?;
        Ok(Effective { file: self.file.to_owned(), plugin_path: self.plugin_path.clone(), values, policy })
    }

    fn value(&self, path: String, key: &'static Key) -> EffectiveValue {
        let mut value = EffectiveValue::new(path, key, key.default(), Origin::Default);
        for (section, settings) in [(Section::Defaults, Some(self.defaults)), (Section::Plugin, self.plugin)]
        {
            if let Some(setting) = settings.and_then(|settings| settings.get(&value.path)) {
                value.replace(setting.value.clone(), self.written(section, setting));
            }
        }
        for (flag, path, given) in &self.overrides.0 {
            match key.order() {
                _ if *path != value.path => {}
                // Who demands layers never means fewer of them.
                Order::Layers => value.bound(given, Origin::Flag(flag)),
                _ => value.replace(given.clone(), Origin::Flag(flag)),
            }
        }
        value.granted = (value.value.clone(), value.origin.clone());
        self.bounds(&mut value, None);
        value
    }

    /// The plugin's value bounds that of a method, as do those that ask for less and the ceiling.
    fn method(
        &self,
        path: String,
        key: &'static Key,
        base: Option<&EffectiveValue>,
    ) -> Option<EffectiveValue> {
        let own = self.plugin.and_then(|plugin| plugin.get(&path));
        let asked = self.manifest.as_ref().and_then(|(manifest, _)| manifest.get(&path));
        let mut value = match (own, asked) {
            (Some(own), _) => {
                EffectiveValue::new(path, key, Some(own.value.clone()), self.written(Section::Plugin, own))
            }
            (None, Some(_)) => EffectiveValue::new(path, key, base?.value.clone(), base?.origin.clone()),
            (None, None) => return None,
        };
        self.bounds(&mut value, Some(&format!("limits.{}", key.name)));
        Some(value)
    }

    fn bounds(&self, value: &mut EffectiveValue, instead: Option<&str>) {
        let said = |settings: &Settings, path: &str| -> Option<Setting> {
            settings.get(path).or_else(|| settings.get(instead?)).cloned()
        };
        if let Some((manifest, beginning)) = &self.manifest
            && value.key.sections & ASKED != 0
        {
            match said(manifest, &value.path) {
                Some(setting) => value.bound(&setting.value, self.written(Section::Manifest, &setting)),
                // What a manifest does not ask for, it does not want.
                None if value.path.starts_with("permissions.") => {
                    let (section, place) = (Section::Manifest, beginning.clone());
                    let origin = Origin::Written { section, path: format!("no {}", value.path), place };
                    value.bound(&Value::List(Vec::new()), origin);
                }
                None => {}
            }
        }
        if (value.key.sections & CEILING != 0 || instead.is_some())
            && let Some(setting) = said(self.ceiling, &value.path)
        {
            value.bound(&setting.value, self.written(Section::Ceiling, &setting));
        }
    }

    fn written(&self, section: Section, setting: &Setting) -> Origin {
        let path = match section {
            Section::Defaults => format!("defaults.{}", setting.path),
            Section::Plugin => format!("{}.{}", self.plugin_path, setting.path),
            Section::Manifest => setting.path.clone(),
            Section::Ceiling => format!("ceiling.{}", setting.path),
        };
        Origin::Written { section, path, place: setting.place.clone() }
    }

    fn methods(&self) -> BTreeSet<&str> {
        let asked = self.manifest.as_ref().map(|(manifest, _)| *manifest);
        self.plugin
            .into_iter()
            .chain(asked)
            .flat_map(|settings| settings.groups("methods"))
            .map(|(name, _)| name)
            .collect()
    }

    fn spec(&self, values: &[EffectiveValue]) -> Result<PolicySpec, ConfigError> {
        let mut spec = PolicySpec::default();
        for value in values {
            let (Some(wanted), Field::Policy(field)) = (&value.value, &value.key.field) else { continue };
            if field(&mut spec).set(wanted).is_none() {
                let problem = Problem::TooLarge { key: value.path.clone(), found: wanted.to_string() };
                return Err(error(self.file, Some(&value.origin), problem));
            }
        }
        for name in self.methods() {
            let mut limits = MethodLimits::default();
            for key in METHOD {
                let path = format!("methods.{}.{}", as_part(name), key.name);
                let value =
                    values.iter().find(|value| value.path == path).and_then(|value| value.value.as_ref());
                if let (Some(value), Field::Method(field)) = (value, &key.field) {
                    // Of the kind that its key has, and so of its field's.
                    let _set = field(&mut limits).set(value);
                }
            }
            spec.methods.insert(name.to_owned(), limits);
        }
        Ok(spec)
    }

    /// Finds the place of a value that was refused; where it is a default, that of a neighbour which does not go with it.
    fn place(&self, values: &[EffectiveValue], refused: PolicyError) -> ConfigError {
        let key = match &refused {
            PolicyError::Range { key, .. } => *key,
            PolicyError::HostPattern { .. } => "permissions.host",
        };
        let parent =
            |path: &str| path.rsplit_once('.').map_or(String::new(), |(parent, _)| parent.to_owned());
        let of_method = key.strip_prefix("methods.*");
        let is_it = |value: &&EffectiveValue| match of_method {
            Some(end) => value.path.starts_with("methods.") && value.path.ends_with(end),
            None => value.path == key,
        };
        let is_near =
            |value: &&EffectiveValue| parent(&value.path) == parent(key) && value.origin != Origin::Default;
        let found = values.iter().find(is_it).filter(|value| value.origin != Origin::Default);
        let found = found.or_else(|| values.iter().find(is_near));
        error(self.file, found.map(|value| &value.origin), refused.into())
    }
}
