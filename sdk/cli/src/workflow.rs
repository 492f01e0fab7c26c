//! `workflow`: nodes of installed plugins, one after the other, as a workflow file of Pocket's has them.
//!
//! | module | holds |
//! |---|---|
//! | `document` | the file: its nodes, and which comes after which |
//! | `condition` | what a `conditional` asks: a part of Go's templates |
//! | `nodes` | which plugin has a node of which type |

mod condition;
mod document;
mod nodes;

use crate::args::{Cli, WorkflowCommand, WorkflowRun};
use crate::exit::Exit;
use crate::input::{self, Input};
use crate::problem::Problem;
use crate::screen::Screen;
use document::{Kind, Node, Workflow};
use nodes::Nodes;
use serde_json::{Value, json};
use std::io::Write;

/// Steps of one run. A workflow may lead back to where it was, but not for ever.
const STEPS_MAX: usize = 1000;

pub(crate) async fn perform(
    cli: &Cli,
    order: &WorkflowCommand,
    screen: &mut Screen,
) -> Result<Exit, Problem> {
    let WorkflowCommand::Run(order) = order;
    run(cli, order, screen).await
}

async fn run(cli: &Cli, order: &WorkflowRun, screen: &mut Screen) -> Result<Exit, Problem> {
    let workflow = Workflow::read(&order.file)?;
    let nodes = Nodes::find(cli, &workflow)?;
    let Input::Json(text) = input::resolve(order.input.as_deref(), false, std::io::stdin())? else {
        return Err(Problem::ours("a workflow's input is JSON"));
    };
    let input = serde_json::from_slice(&text).map_err(|error| Problem::input(error.to_string()))?;
    let working = screen.working("loading its plugins");
    let loaded = nodes.load(cli, screen).await;
    drop(working);
    let loaded = loaded?;
    let steps = screen.json().then(Vec::new);
    let mut run = Run { workflow: &workflow, count: 0, steps, carried: input, next: String::new() };
    let ended = run.walk(&loaded, screen).await;
    loaded.end().await;
    ended?;
    run.show(screen)
}

/// A workflow on its way.
struct Run<'a> {
    workflow: &'a Workflow,
    /// Steps that were done.
    count: usize,
    /// Each of them as it is shown, for who wants to see them.
    steps: Option<Vec<Value>>,
    /// What the last node gave, which is what the next is given.
    carried: Value,
    /// Where the last node wanted to go.
    next: String,
}

impl Run<'_> {
    async fn walk(&mut self, loaded: &nodes::Loaded, screen: &Screen) -> Result<(), Problem> {
        let mut here = self.workflow.first();
        while let Some(place) = here {
            if self.count == STEPS_MAX {
                let node = &place.node.name;
                return Err(Problem::workflow(format!(
                    "{}: node {node:?} would be step {}: a run has at most {STEPS_MAX}; does it lead back to itself?",
                    self.workflow.file,
                    STEPS_MAX + 1
                )));
            }
            let working = screen.working(&format!("node {}", place.node.name));
            let done = self.step(place.node, loaded).await;
            drop(working);
            done?;
            here = self.workflow.after(place, &self.next);
        }
        Ok(())
    }

    async fn step(&mut self, node: &Node, loaded: &nodes::Loaded) -> Result<(), Problem> {
        let mut plugin = Value::Null;
        match &node.kind {
            // What is asked about goes on as it is.
            Kind::Conditional(conditional) => {
                let chosen = conditional.choose(&self.carried);
                self.next = chosen.map_err(|why| self.workflow.wrong(&node.name, &why))?.to_owned();
            }
            Kind::Plugin(kind) => {
                plugin = json!(loaded.plugin_of(kind));
                (self.carried, self.next) = loaded.perform(node, kind, &self.carried).await?;
            }
        }
        self.count += 1;
        // Every output of every node: only who asks for them has them all kept.
        let Some(steps) = &mut self.steps else { return Ok(()) };
        steps.push(json!({
            "node": node.name, "type": node.kind.name(), "plugin": plugin, "output": self.carried, "next": self.next,
        }));
        Ok(())
    }

    fn show(self, screen: &mut Screen) -> Result<Exit, Problem> {
        let is_done = self.next == document::DONE;
        if screen.json() {
            screen.value(&json!({
                "ok": true, "workflow": self.workflow.name, "output": self.carried, "next": self.next,
                "steps": self.steps,
            }))?;
            return Ok(Exit::Done);
        }
        screen.json_text(&self.carried.to_string())?;
        if !is_done {
            let next = casemate::outcome::escape(&self.next, 512);
            let told =
                writeln!(std::io::stderr(), "casemate: it ends on its way to {next}, which is no node of it");
            told.map_err(|error| Problem::output(format!("standard error cannot be written to: {error}")))?;
        }
        Ok(Exit::Done)
    }
}
