//! `policy test`: what would happen.

use super::{change, origin_json};
use crate::args::PolicyTest;
use crate::exit::Exit;
use crate::grant;
use crate::problem::Problem;
use crate::screen::{Screen, Tone};
use casemate::config::HostTrial;
use casemate::outcome::escape;
use casemate::{Configuration, Effective};
use serde_json::{Value, json};

/// The key that decides.
const HOST: &str = "permissions.host";

pub(super) fn perform(
    configuration: &Configuration,
    order: &PolicyTest,
    screen: &mut Screen,
) -> Result<Exit, Problem> {
    let effective = grant::effective(configuration, &order.name, order.manifest.as_deref())?;
    let trials: Vec<HostTrial> = order.host.iter().map(|method| effective.try_host(method)).collect();
    let denied: Vec<&str> =
        trials.iter().filter(|trial| trial.allowed_by.is_none()).map(|trial| trial.method.as_str()).collect();
    let problem = (!denied.is_empty()).then(|| Problem::denied(&order.name, &denied));
    if screen.json() {
        let mut answer = problem.as_ref().map_or_else(|| json!({"ok": true}), Problem::to_json);
        if let Value::Object(answer) = &mut answer {
            answer.insert("plugin".to_owned(), json!(order.name));
            answer
                .insert("tried".to_owned(), trials.iter().map(|trial| to_json(trial, &effective)).collect());
        }
        screen.value(&answer)?;
        return Ok(problem.map_or(Exit::Done, |problem| problem.exit()));
    }
    let origin = effective.get(HOST).map(|value| value.origin.to_string()).unwrap_or_default();
    for trial in &trials {
        let method = escape(&trial.method, 300);
        match &trial.allowed_by {
            Some(pattern) => {
                let allowed = screen.paint(Tone::Good, "allowed");
                let by = escape(&format!("by {pattern:?} of {origin}"), 1024);
                screen.line(format!("{allowed} {method}  {by}"))?;
            }
            None => {
                let by = escape(&format!("by {origin}"), 1024);
                screen.line(format!("{}  {method}  {by}", screen.paint(Tone::Bad, "denied")))?;
                for wanted in &trial.changes {
                    screen.line(format!("        {}", change::line(wanted, screen)))?;
                }
            }
        }
    }
    problem.map_or(Ok(Exit::Done), Err)
}

fn to_json(trial: &HostTrial, effective: &Effective) -> Value {
    json!({
        "host": trial.method,
        "allowed": trial.allowed_by.is_some(),
        "by": trial.allowed_by,
        "origin": effective.get(HOST).map(|value| origin_json(&value.origin)),
        "changes": trial.changes.iter().map(change::to_json).collect::<Vec<_>>(),
    })
}
