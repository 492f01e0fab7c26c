//! An outcome in plain words: which rule, who saw to it, which line, and the smallest safe change.

use super::change::Change;
use super::effective::{Effective, EffectiveValue};
use super::keys::Kind;
use super::value::Value;
use casemate_protocol::feed::PUBLISH;
use casemate_protocol::policy::{Policy, PolicySpec, Rate, millis};
use serde_json::Value as Json;
use std::time::Duration;

/// Why something ended as it did.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The stable dotted code of the outcome.
    pub code: String,
    /// What happened.
    pub what: String,
    /// The key whose value decided, if one did.
    pub key: Option<String>,
    /// Who saw to it.
    pub layer: String,
    /// What to write so that the same passes; nothing where no change is safe.
    pub changes: Vec<Change>,
    /// What else to know, or to do instead.
    pub advice: String,
}

/// What happens to a host call.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTrial {
    /// The method.
    pub method: String,
    /// The pattern that allows it.
    pub allowed_by: Option<String>,
    /// What to write so that it is allowed.
    pub changes: Vec<Change>,
}

const HOST: &str = "permissions.host";

impl Effective {
    /// What would happen if the plugin made a host call.
    pub fn try_host(&self, method: &str) -> HostTrial {
        let is_allowed = |pattern: &&String| allows(pattern, method);
        let allowed_by = match self.get(HOST).and_then(|value| value.value.as_ref()) {
            Some(Value::List(patterns)) => patterns.iter().find(is_allowed).cloned(),
            _ => None,
        };
        let changes = match (&allowed_by, self.get(HOST)) {
            (None, Some(value)) if is_method(method) => {
                self.widened(value, &Value::List(vec![method.to_owned()]))
            }
            _ => Vec::new(),
        };
        HostTrial { method: method.to_owned(), allowed_by, changes }
    }

    /// Explains the outcome of a call or a load: the JSON that `casemate run --json` prints. `None`: it is no such JSON.
    pub fn explain(&self, outcome: &Json) -> Option<Explanation> {
        if outcome.get("ok")?.as_bool()? {
            let what = "the call was answered; nothing stood in its way".to_owned();
            let (layer, advice) = (String::new(), String::new());
            return Some(Explanation {
                code: "ok".into(),
                what,
                key: None,
                layer,
                changes: Vec::new(),
                advice,
            });
        }
        let code = outcome.get("code")?.as_str()?;
        let what = outcome.get("message").and_then(Json::as_str).unwrap_or_default().to_owned();
        if let Some((method, own_words)) = denied(outcome, code) {
            return Some(self.denied(code, what, method, own_words));
        }
        let explained = match code {
            _ if outcome.get("limit").is_some() => self.limit(outcome.get("limit")?),
            "timeout.soft" | "timeout.hard" => self.timeout(outcome.get("timeout")?),
            "trap.stack_overflow" => self.doubled("limits.stack"),
            "guest.error" if was_too_often(outcome) => self.rate(),
            "layers.missing" => self.get("require.layers").map(|value| {
                (
                    value,
                    Vec::new(),
                    "make the layer stand: `casemate doctor` says how. Not to demand it makes the wall lower",
                )
            }),
            _ => None,
        };
        if let Some((value, changes, advice)) = explained {
            let (key, layer) = (Some(value.path.clone()), value.enforced_by().to_owned());
            return Some(Explanation {
                code: code.to_owned(),
                what,
                key,
                layer,
                changes,
                advice: advice.to_owned(),
            });
        }
        let (layer, advice) = no_rule(code);
        let (layer, advice) = (layer.to_owned(), advice.to_owned());
        Some(Explanation { code: code.to_owned(), what, key: None, layer, changes: Vec::new(), advice })
    }

    fn denied(&self, code: &str, what: String, method: &str, own_words: bool) -> Explanation {
        if method == PUBLISH {
            let (key, layer) = ("permissions.publish".to_owned(), "the supervisor, before anybody gets it");
            let advice = "grant the topic that its message names only if the plugin ought to publish it";
            let (code, changes) = (code.to_owned(), Vec::new());
            return Explanation {
                code,
                what,
                key: Some(key),
                layer: layer.into(),
                changes,
                advice: advice.into(),
            };
        }
        let HostTrial { allowed_by, changes, .. } = self.try_host(method);
        let advice = match (allowed_by, own_words) {
            (Some(pattern), _) => format!("{pattern:?} allows {method} by now"),
            (None, true) => format!(
                "that {method} was denied is the plugin's own word: look whether it ought to call that before it may"
            ),
            (None, false) => {
                format!("grant {method} only if the plugin ought to call it; the change allows just that")
            }
        };
        let layer = "the supervisor, before the handler".to_owned();
        Explanation { code: code.to_owned(), what, key: Some(HOST.to_owned()), layer, changes, advice }
    }

    fn limit(&self, limit: &Json) -> Option<(&EffectiveValue, Vec<Change>, &'static str)> {
        let value = self.get(&format!("limits.{}", limit.get("name")?.as_str()?))?;
        let number = |name: &str| limit.get(name).and_then(Json::as_u64);
        let observed = number("observed")?;
        // A limit that was met exactly says nothing about how much more would do.
        let configured = number("configured").unwrap_or(observed);
        let enough = if observed > configured { observed } else { configured.saturating_mul(2) };
        let wanted = match value.key.kind {
            Kind::Bytes => Value::Bytes(rounded(enough)),
            Kind::Time => Value::Time(Duration::from_millis(configured.saturating_mul(2))),
            _ => Value::Count(enough),
        };
        Some((
            value,
            self.within_range(value, &wanted),
            "it is what was wanted then; the next call may want more",
        ))
    }

    fn timeout(&self, timeout: &Json) -> Option<(&EffectiveValue, Vec<Change>, &'static str)> {
        let limit_ms = timeout.get("limit_ms")?.as_u64()?;
        let is_it = |value: &&EffectiveValue| {
            let is_timeout = value.path.ends_with("call_timeout");
            is_timeout && matches!(value.value, Some(Value::Time(time)) if millis(time) == limit_ms)
        };
        let value = self.values().iter().find(is_it).or_else(|| self.get("limits.call_timeout"))?;
        let wanted = Value::Time(Duration::from_millis(limit_ms.saturating_mul(2)));
        let advice = "it is twice as much: how long the call would have taken nobody knows. A call that never ends needs another plugin";
        Some((value, self.within_range(value, &wanted), advice))
    }

    fn doubled(&self, path: &str) -> Option<(&EffectiveValue, Vec<Change>, &'static str)> {
        let value = self.get(path)?;
        let Some(Value::Bytes(bytes)) = value.value else { return None };
        let wanted = Value::Bytes(bytes.saturating_mul(2));
        let advice = "it is twice as much; recursion without an end needs another plugin";
        Some((value, self.within_range(value, &wanted), advice))
    }

    fn rate(&self) -> Option<(&EffectiveValue, Vec<Change>, &'static str)> {
        let is_it = |value: &&EffectiveValue| value.path.ends_with(".host_calls") && value.value.is_some();
        let value = self.values().iter().find(is_it)?;
        let Some(Value::Rate(rate)) = value.value else { return None };
        let wanted = Value::Rate(Rate { count: rate.count.saturating_mul(2), ..rate });
        let advice = "it is twice as much; a method's own rate may be the one that was met";
        Some((value, self.within_range(value, &wanted), advice))
    }

    /// A change is one only if the result is a policy.
    fn within_range(&self, value: &EffectiveValue, wanted: &Value) -> Vec<Change> {
        let super::keys::Field::Policy(field) = value.key.field else { return self.widened(value, wanted) };
        let mut spec = PolicySpec::default();
        match field(&mut spec).set(wanted) {
            Some(()) if Policy::new(spec).is_ok() => self.widened(value, wanted),
            _ => Vec::new(),
        }
    }
}

/// The host method that was denied, and whether only the plugin says so.
fn denied<'a>(outcome: &'a Json, code: &str) -> Option<(&'a str, bool)> {
    let calls = outcome.get("host_calls").and_then(Json::as_array);
    let was_denied = |call: &&Json| call.get("code").and_then(Json::as_str) == Some("denied");
    if code != "guest.error" {
        return None;
    }
    if let Some(call) = calls.and_then(|calls| calls.iter().rev().find(was_denied)) {
        return Some((call.get("method")?.as_str()?, false));
    }
    let guest = outcome.get("guest")?;
    let message = guest.get("message")?.as_str()?;
    let (_, rest) = message.split_once("host method \"")?;
    let (method, _) = rest.split_once("\" is not granted")?;
    (guest.get("code")?.as_str()? == "denied" && is_method(method)).then_some((method, true))
}

/// Whether the host was asked more often than a rate allows: the supervisor's word, and that of a host call.
fn was_too_often(outcome: &Json) -> bool {
    let calls = outcome.get("host_calls").and_then(Json::as_array);
    let last = calls.and_then(|calls| calls.last()).and_then(|call| call.get("code")?.as_str());
    last == Some("limit.host_calls")
}

/// Whether it can be granted by its very name.
fn is_method(method: &str) -> bool {
    let plain = !method.contains(['*', '"', '\\']) && !method.is_empty();
    plain && Policy::new(PolicySpec { host: vec![method.to_owned()], ..PolicySpec::default() }).is_ok()
}

fn allows(pattern: &str, method: &str) -> bool {
    let spec = PolicySpec { host: vec![pattern.to_owned()], ..PolicySpec::default() };
    Policy::new(spec).is_ok_and(|policy| policy.allows_host(method))
}

/// Up to whole mebibytes, or kibibytes where it is less than one.
fn rounded(bytes: u64) -> u64 {
    let unit = if bytes > 1 << 20 { 1 << 20 } else { 1 << 10 };
    bytes.checked_next_multiple_of(unit).unwrap_or(bytes)
}

/// What no line of a policy decides: the layer, and what to do.
fn no_rule(code: &str) -> (&'static str, &'static str) {
    match code.split('.').next().unwrap_or_default() {
        "guest" if code == "guest.error" => {
            ("the plugin", "it is the plugin's own answer; no rule stood in its way")
        }
        "guest" => ("the worker", "the plugin does not keep to its dialect: its author must mend it"),
        "trap" => {
            ("the engine", "a mistake of the plugin's: its author must mend it; no rule would let it pass")
        }
        "violation" => (
            "the system-call filters and the supervisor's inspection",
            "no policy allows this, and none should: take it for an attempt to break out, keep the certificate and the report",
        ),
        "worker" | "compiler" => {
            ("the supervisor", "the process is gone; if it happens again, look at the machine's memory first")
        }
        "module" => (
            "the compiler process",
            "the module is not accepted as it is: `casemate inspect` says what it is",
        ),
        "spawn" => ("the kernel", "`casemate doctor` says what this machine does not give"),
        "config" => (
            "the plugin",
            "it does not start with the configuration that it is given; no rule of a policy stood in its way",
        ),
        "policy" | "plugin" => ("the configuration", "`casemate policy check` names the line"),
        "call" | "usage" | "file" | "closed" => {
            ("the caller", "the call itself must be another one; no rule stood in its way")
        }
        _ => ("Casemate", "no rule of a policy decided this"),
    }
}
