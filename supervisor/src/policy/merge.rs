//! Who has the last word about a value.
//!
//! ```text
//! documented default ─► [defaults] ─► [plugins.NAME] ─► flags     the last one that says something: what is granted
//!                                        ∧ manifest              what the plugin asks for, if that is less
//!                                        ∧ [ceiling]             never more than this
//! ```

use super::effective::{Effective, EffectiveValue, Origin, Overrides, Section, error};
use super::error::{ConfigError, ConfigProblem as Problem};
use super::keys::{ASKED, CEILING, Field, Key, METHOD, PLUGIN, as_part, leaves};
use super::order::Order;
use super::place::Place;
use super::read::{Setting, Settings};
use super::value::Value;
use casemate_protocol::policy::{MethodLimits, Policy, PolicyError, PolicySpec};
use std::collections::BTreeSet;

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
        if let Some((manifest, _)) = self.manifest.as_ref().filter(|_| key.suggested)
            && let Some(setting) = manifest.get(&value.path)
        {
            value.replace(setting.value.clone(), self.written(Section::Manifest, setting));
        }
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
                Some(setting) if matches!(setting.value, Value::Options(_)) => {
                    value.complete(&setting.value, self.written(Section::Manifest, &setting));
                }
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
        for value in values.iter().filter(|value| value.not_named_by_ceiling().is_none()) {
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
            PolicyError::TopicPattern { key, .. } => *key,
            PolicyError::Folder { .. } => "permissions.filesystem",
            PolicyError::Variable { .. } => "permissions.env",
            PolicyError::Around => "args",
            PolicyError::Option { .. } => "options",
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
