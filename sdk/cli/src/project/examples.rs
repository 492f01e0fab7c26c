//! The examples of a manifest: what each is to end in, and what it ended in.

use crate::input::Input;
use crate::json;
use crate::problem::Problem;
use crate::reply::{self, Reply};
use crate::screen::{Screen, Tone};
use casemate::config::Example;
use casemate::outcome::escape;
use casemate::{Cause, Failure, Manifest, Plugin};
use serde_json::{Value, json};

/// Bytes of a value that a line shows.
const SHOWN_BYTES_MAX: usize = 2000;

/// What became of one example.
#[derive(Debug)]
pub(super) struct Tried {
    method: String,
    description: Option<String>,
    expected: Option<String>,
    found: String,
    /// Why it is not as it should be.
    wrong: Option<String>,
}

/// What became of all of them.
#[derive(Debug)]
pub(super) struct Report {
    tried: Vec<Tried>,
}

/// Runs them, one after the other, in the order of the file.
pub(super) async fn run(plugin: &Plugin, manifest: &Manifest, screen: &Screen) -> Report {
    let mut tried = Vec::new();
    for (example, number) in manifest.examples.iter().zip(1..) {
        let working = screen.working(&format!("{number}/{}: {}", manifest.examples.len(), title(example)));
        let input = example.input.as_ref().unwrap_or(&Value::Null).to_string().into_bytes();
        let ended = reply::call(plugin, &example.method, &Input::Json(input)).await;
        drop(working);
        tried.push(judge(example, &ended, manifest));
    }
    Report { tried }
}

fn title(example: &Example) -> String {
    match &example.description {
        Some(description) => format!("{}: {}", example.method, escape(description, 200)),
        None => example.method.clone(),
    }
}

fn judge(example: &Example, ended: &Result<Reply, Failure>, manifest: &Manifest) -> Tried {
    let expected = match (&example.output, &example.error) {
        (Some(output), _) => Some(output.to_string()),
        (None, Some(code)) => Some(format!("the error {code}")),
        (None, None) => None,
    };
    let (found, wrong) = match (ended, &example.error) {
        (Ok(reply), Some(_)) => (shown(reply), Some("it answered".to_owned())),
        (Ok(reply), None) => {
            let value = value(reply);
            let misfit = match &example.output {
                Some(output) if !same(output, &value) => Some("it answered something else".to_owned()),
                _ => manifest.check_output(&example.method, &value).err(),
            };
            (shown(reply), misfit)
        }
        (Err(failure), Some(code)) => match &failure.cause {
            Cause::GuestError { code: found, .. } if found == code => (failure.cause.to_string(), None),
            _ => (failure.cause.to_string(), Some("it ended otherwise".to_owned())),
        },
        (Err(failure), None) => (failure.cause.to_string(), Some(failure.code())),
    };
    let (method, description) = (example.method.clone(), example.description.clone());
    Tried { method, description, expected, found, wrong }
}

/// What it answered; bytes that are a text are that text.
fn value(reply: &Reply) -> Value {
    let parsed = reply.is_json.then(|| serde_json::from_slice(&reply.body).ok()).flatten();
    parsed.unwrap_or_else(|| json!(String::from_utf8_lossy(&reply.body)))
}

fn shown(reply: &Reply) -> String {
    let text = json::text(&reply.body).filter(|_| reply.is_json).map(str::to_owned);
    escape(&text.unwrap_or_else(|| String::from_utf8_lossy(&reply.body).into_owned()), SHOWN_BYTES_MAX)
}

/// JSON has one kind of number: 6 is 6.0, whatever a language writes. The order of members is no matter.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right
                || (left.is_f64() || right.is_f64())
                    && left.as_f64().zip(right.as_f64()).is_some_and(|(left, right)| left == right)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| same(left, right)))
        }
        (left, right) => left == right,
    }
}

impl Report {
    pub(super) fn failed(&self) -> usize {
        self.tried.iter().filter(|tried| tried.wrong.is_some()).count()
    }

    /// A line for each, and one that counts.
    pub(super) fn show(&self, plugin: &str, screen: &mut Screen) -> Result<(), Problem> {
        if screen.json() {
            return screen.value(&self.to_json(plugin));
        }
        for tried in &self.tried {
            let description = tried.description.as_deref().unwrap_or_default();
            let method = screen.paint(Tone::Bold, escape(&tried.method, 256));
            let title = format!("{method} {}", escape(description, 512));
            let Some(wrong) = &tried.wrong else {
                screen.line(format!("{} {}", screen.paint(Tone::Good, "✓"), title.trim_end()))?;
                continue;
            };
            screen.line(format!("{} {}", screen.paint(Tone::Bad, "✗"), title.trim_end()))?;
            screen.line(format!("    {}", escape(wrong, SHOWN_BYTES_MAX)))?;
            if let Some(expected) = &tried.expected {
                screen.line(format!("    expected {}", escape(expected, SHOWN_BYTES_MAX)))?;
            }
            screen.line(format!("    found    {}", escape(&tried.found, SHOWN_BYTES_MAX)))?;
        }
        let failed = self.failed();
        let tone = if failed == 0 { Tone::Good } else { Tone::Bad };
        let passed = self.tried.len().saturating_sub(failed);
        screen.line(screen.paint(tone, format!("{plugin}: {passed} passed, {failed} failed")))
    }

    pub(super) fn to_json(&self, plugin: &str) -> Value {
        let examples: Vec<Value> = self
            .tried
            .iter()
            .map(|tried| {
                json!({
                    "method": tried.method, "description": tried.description, "ok": tried.wrong.is_none(),
                    "expected": tried.expected, "found": tried.found, "why": tried.wrong,
                })
            })
            .collect();
        json!({"ok": self.failed() == 0, "plugin": plugin, "examples": examples})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        let same = |left: &str, right: &str| {
            same(&serde_json::from_str(left).unwrap(), &serde_json::from_str(right).unwrap())
        };
        assert!(same("6", "6.0") && same("[1e2]", "[100]") && same("-0.0", "0"));
        assert!(same(r#"{"a":1,"b":2}"#, r#"{"b":2.0,"a":1}"#));
        assert!(!same("6", "7") && !same("6", "\"6\"") && !same("[1]", "[1,2]"));
        assert!(!same(r#"{"a":1}"#, r#"{"b":1}"#) && !same(r#"{"a":1}"#, r#"{"a":1,"b":1}"#));
        assert!(!same("18446744073709551615", "18446744073709551614"));
    }
}
