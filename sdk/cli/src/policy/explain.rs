//! `policy explain`: an outcome in plain words.

use super::{change, origin_json};
use crate::args::PolicyExplain;
use crate::exit::Exit;
use crate::grant;
use crate::input::{self, Input};
use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use casemate::config::{EffectiveValue, Explanation};
use casemate::outcome::escape;
use casemate::{Configuration, Effective};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::Path;

pub(super) fn perform(
    configuration: &Configuration,
    order: &PolicyExplain,
    screen: &mut Screen,
) -> Result<Exit, Problem> {
    let name = match &order.plugin {
        Some(name) => name.as_str(),
        None => only(configuration)?,
    };
    let effective = grant::effective(configuration, name, order.manifest.as_deref())?;
    let text = read(order.file.as_deref())?;
    let not_one = || Problem::input("this is no outcome: pass on what `casemate run --json` printed");
    let outcome: Value = serde_json::from_slice(&text).or(Err(not_one()))?;
    let explanation = effective.explain(&outcome).ok_or_else(not_one)?;
    if screen.json() {
        screen.value(&to_json(&explanation, &effective))?;
        return Ok(Exit::Done);
    }
    for line in lines(&explanation, &effective, screen) {
        screen.line(line)?;
    }
    Ok(Exit::Done)
}

/// A file, or standard input.
fn read(file: Option<&Path>) -> Result<Vec<u8>, Problem> {
    match file.filter(|file| *file != Path::new("-")) {
        Some(file) => std::fs::read(file).map_err(|error| {
            let file = escape(&file.display().to_string(), 512);
            Problem::not_found(format!("{file} cannot be read: {error}"))
        }),
        None => match input::resolve(Some(OsStr::new("-")), true, std::io::stdin())? {
            Input::Raw(bytes) | Input::Json(bytes) => Ok(bytes),
        },
    }
}

/// The plugin that is meant where nobody says which.
fn only(configuration: &Configuration) -> Result<&str, Problem> {
    let names: Vec<&str> = configuration.plugins().collect();
    match names.as_slice() {
        [only] => Ok(only),
        [] => Err(Problem::usage("the configuration has no plugins")),
        several => Err(Problem::usage(format!("say --plugin {}", several.join("|")))),
    }
}

fn rule<'a>(explanation: &Explanation, effective: &'a Effective) -> Option<&'a EffectiveValue> {
    effective.get(explanation.key.as_deref()?)
}

fn lines(explanation: &Explanation, effective: &Effective, screen: &Screen) -> Vec<String> {
    let mut lines = Vec::new();
    let mut row = |name: &str, words: String| {
        lines.push(format!("{} {words}", screen.paint(Tone::Bold, format!("{name:6}"))));
    };
    row("what", format!("{} [{}]", escape(&explanation.what, 2048), escape(&explanation.code, 100)));
    if let Some(value) = rule(explanation, effective) {
        let shown = value.value.as_ref().map_or("no limit".to_owned(), ToString::to_string);
        row("rule", format!("{} = {}: {}", escape(&value.path, 300), escape(&shown, 2048), value.doc()));
        row("line", escape(&value.origin.to_string(), 1024));
    }
    if !explanation.layer.is_empty() {
        row("layer", explanation.layer.clone());
    }
    for wanted in &explanation.changes {
        row("change", change::line(wanted, screen));
    }
    if !explanation.advice.is_empty() {
        row("but", escape(&explanation.advice, 1024));
    }
    lines
}

fn to_json(explanation: &Explanation, effective: &Effective) -> Value {
    let rule = rule(explanation, effective).map(|value| {
        json!({
            "key": value.path,
            "value": value.value.as_ref().map(casemate::config::Value::to_json),
            "origin": origin_json(&value.origin),
        })
    });
    json!({
        "ok": true,
        "code": explanation.code,
        "what": explanation.what,
        "rule": rule,
        "layer": explanation.layer,
        "changes": explanation.changes.iter().map(change::to_json).collect::<Vec<_>>(),
        "advice": explanation.advice,
    })
}
