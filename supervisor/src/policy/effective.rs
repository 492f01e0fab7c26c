//! What holds for a plugin, and where each value comes from.

use super::error::{ConfigError, ConfigProblem as Problem};
use super::keys::{Key, Kind};
use super::order::{Order, Width};
use super::place::Place;
use super::value::Value;
use casemate_protocol::policy::Policy;
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

    /// What the plugin's manifest asks for, where that is more than holds.
    pub fn asked_more(&self) -> Option<&Value> {
        let by_manifest = |origin: &Origin| origin.section() == Some(Section::Manifest);
        let (asked, _) = self.bounds.iter().find(|(_, origin)| by_manifest(origin))?;
        let width = self.key.order().compare(Some(asked), self.value.as_ref());
        matches!(width, Width::Wider | Width::Other).then_some(asked)
    }

    /// Whether a running plugin comes to another value only by a new version of it.
    pub fn needs_restart(&self) -> bool {
        self.key.restart
    }

    /// Whether this version does not have what it asks for.
    fn is_not_available(&self) -> bool {
        self.value.as_ref().is_some_and(|value| !self.key.has(value))
    }

    /// What was granted and only holds where the ceiling names it, which it does not.
    pub(super) fn not_named_by_ceiling(&self) -> Option<&Value> {
        let Kind::Word([first, ..]) = self.key.kind else { return None };
        let (wanted, _) = &self.granted;
        let wanted = wanted.as_ref().filter(|_| self.key.named_by_ceiling)?;
        let of_ceiling = |origin: &Origin| origin.section() == Some(Section::Ceiling);
        let is_named = self.bounds.iter().any(|(bound, origin)| bound == wanted && of_ceiling(origin));
        // What a manifest made less of is no matter of the ceiling.
        let would_hold = self.value.as_ref() == Some(wanted) || of_ceiling(&self.origin);
        (*wanted != Value::Text((*first).to_owned()) && would_hold && !is_named).then_some(wanted)
    }

    /// Takes a value that stands over what is there.
    pub(super) fn replace(&mut self, value: Value, origin: Origin) {
        if let Some(before) = self.value.replace(value)
            && self.origin != Origin::Default
        {
            self.overruled.push((before, self.origin.clone()));
        }
        self.origin = origin;
    }

    pub(super) fn new(path: String, key: &'static Key, value: Option<Value>, origin: Origin) -> Self {
        let granted = (value.clone(), origin.clone());
        Self { path, value, origin, overruled: Vec::new(), granted, bounds: Vec::new(), key }
    }

    /// Takes what stands where nothing was said: options by other names.
    pub(super) fn complete(&mut self, with: &Value, origin: Origin) {
        let (Some(Value::Options(options)), Value::Options(with)) = (&mut self.value, with) else { return };
        let before = options.len();
        for (name, text) in with {
            options.entry(name.clone()).or_insert_with(|| text.clone());
        }
        if options.len() > before && self.origin == Origin::Default {
            self.origin = origin;
        }
    }

    /// Takes a bound: what both allow holds.
    pub(super) fn bound(&mut self, bound: &Value, origin: Origin) {
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

/// All that holds for a plugin.
#[derive(Debug, Clone)]
pub struct Effective {
    pub(super) file: String,
    pub(super) plugin_path: String,
    pub(super) values: Vec<EffectiveValue>,
    pub(super) policy: Policy,
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
        self.policy_when(None)
    }

    /// The same for a plugin that was enabled or disabled at run time: to have been enabled goes before the file.
    pub(crate) fn policy_when(&self, enabled_since: Option<bool>) -> Result<&Policy, ConfigError> {
        if let Some(enabled) = self.get("enabled")
            && enabled_since != Some(true)
            && enabled.value == Some(Value::Flag(false))
        {
            return Err(self.error(enabled, Problem::Disabled { key: shown(&enabled.path, &enabled.origin) }));
        }
        match self.not_available().next() {
            Some(error) => Err(error),
            None => Ok(&self.policy),
        }
    }

    /// Host methods for which its operator says yes in a person's place.
    pub fn consent(&self) -> &[String] {
        match self.get("consent").and_then(|consent| consent.value.as_ref()) {
            Some(Value::List(given)) => given,
            _ => &[],
        }
    }

    /// What its manifest asks for and it does not get, in sentences.
    pub fn asked_in_vain(&self) -> impl Iterator<Item = String> {
        self.values.iter().filter_map(|value| {
            let asked = value.asked_more()?;
            let holds = value.value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
            let why = match value.origin.section() {
                Some(Section::Manifest) | None => String::new(),
                Some(_) => format!(" ({})", value.origin),
            };
            let hint = match value.path.as_str() {
                "permissions.network" => ": the network is denied to all in this version",
                _ => "",
            };
            Some(format!("it asks for {} = {asked} and is granted {holds}{why}{hint}", value.path))
        })
    }

    /// What it asks for and this version does not have, or the ceiling does not name.
    pub fn not_available(&self) -> impl Iterator<Item = ConfigError> {
        let above = self.values.iter().filter_map(|value| {
            let word = value.not_named_by_ceiling()?;
            let (_, origin) = &value.granted;
            let (key, name) = (shown(&value.path, origin), value.path.clone());
            let problem = Problem::NotNamed { key, name, word: word.to_string() };
            Some(error(&self.file, Some(origin), problem))
        });
        let wanting = self.values.iter().filter(|value| value.is_not_available()).map(|value| {
            let instead = match value.key.kind {
                Kind::Word([first, ..]) => format!("write {first:?} or leave it out"),
                _ => "write [] or leave it out".to_owned(),
            };
            let found = value.value.as_ref().map(ToString::to_string).unwrap_or_default();
            self.error(
                value,
                Problem::NotAvailable { key: shown(&value.path, &value.origin), found, instead },
            )
        });
        above.chain(wanting)
    }

    fn error(&self, value: &EffectiveValue, problem: Problem) -> ConfigError {
        error(&self.file, Some(&value.origin), problem)
    }
}

/// A value's key, as it is written where it comes from.
fn shown(path: &str, origin: &Origin) -> String {
    match origin {
        Origin::Written { path, .. } => path.clone(),
        _ => path.to_owned(),
    }
}

pub(super) fn error(file: &str, origin: Option<&Origin>, problem: Problem) -> ConfigError {
    match origin {
        Some(Origin::Written { place, .. }) => ConfigError::at(place, problem),
        Some(Origin::Flag(flag)) => ConfigError::of_file(flag, problem),
        _ => ConfigError::of_file(file, problem),
    }
}
