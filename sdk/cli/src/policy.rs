//! `policy`: what plugins may do and use, and why.

mod change;
mod check;
mod diff;
mod explain;
mod show;
mod test;

use crate::args::{Policy as Order, PolicyCommand, PolicySchema};
use crate::exit::Exit;
use crate::places;
use crate::problem::Problem;
use crate::screen::Screen;
use casemate::Configuration;
use casemate::config::{Origin, Place, schema};
use serde_json::{Value, json};
use std::path::Path;

pub(crate) fn perform(config: Option<&Path>, order: &Order, screen: &mut Screen) -> Result<Exit, Problem> {
    match &order.command {
        PolicyCommand::Check(check) => check::perform(check, screen),
        PolicyCommand::Show(show) => show::perform(&configuration(config)?, show, screen),
        PolicyCommand::Explain(explain) => explain::perform(&configuration(config)?, explain, screen),
        PolicyCommand::Diff(diff) => diff::perform(diff, screen),
        PolicyCommand::Test(test) => test::perform(&configuration(config)?, test, screen),
        PolicyCommand::Schema(PolicySchema { manifest }) => {
            let schema = if *manifest { schema::of_manifest() } else { schema::of_configuration() };
            screen.json_text(&format!("{schema:#}"))?;
            Ok(Exit::Done)
        }
        // It needs a daemon: see `remote`.
        PolicyCommand::Reload => Err(Problem::ours("policy reload is no command of files")),
    }
}

/// The configuration that a flag names, or the user's.
fn configuration(config: Option<&Path>) -> Result<Configuration, Problem> {
    let usual = config.is_none().then(places::configuration);
    let path = config.or(usual.as_deref()).unwrap_or(Path::new(""));
    Ok(Configuration::read(path)?)
}

/// Where a value comes from, in JSON.
fn origin_json(origin: &Origin) -> Value {
    match origin {
        Origin::Default => json!({"from": "default"}),
        Origin::Flag(flag) => json!({"from": "flag", "flag": flag}),
        Origin::Written { section, path, place } => {
            let mut object = json!({"from": section.name(), "key": path});
            if let (Value::Object(object), Value::Object(place)) = (&mut object, place_json(place)) {
                object.extend(place);
            }
            object
        }
    }
}

fn place_json(place: &Place) -> Value {
    let (line, column) = place.line_column();
    json!({"file": place.file(), "line": line, "column": column})
}
