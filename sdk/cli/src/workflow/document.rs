//! The file of a workflow, in YAML: a name and nodes, and which comes after which.
//!
//! ```yaml
//! name: customer-feedback-analysis
//! nodes:
//!   - name: analyze
//!     type: sentiment
//!     config: {threshold: 0.15}
//!   - name: route
//!     type: conditional
//!     config: {conditions: [{if: '{{eq .sentiment "positive"}}', then: thank}], else: archive}
//! ```
//! Keys that are not known here are refused: what would not be done is not passed over.

use super::condition::Condition;
use crate::problem::Problem;
use casemate::outcome::escape;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// The word of a node that has nothing else to say.
pub(super) const DONE: &str = "done";

/// The type of the node that is no plugin's.
const CONDITIONAL: &str = "conditional";

/// Bytes of a file: many times what a person writes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A workflow that was read and holds together.
#[derive(Debug)]
pub(super) struct Workflow {
    pub(super) file: String,
    pub(super) name: String,
    nodes: Vec<Node>,
    start: usize,
    connections: Vec<Connection>,
}

/// One of its nodes.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) config: Value,
}

/// What a node does.
#[derive(Debug)]
pub(super) enum Kind {
    /// What the plugin that has this type does.
    Plugin(String),
    /// Chooses the way.
    Conditional(Conditional),
}

/// Conditions in their order, and what holds if none does.
#[derive(Debug)]
pub(super) struct Conditional {
    conditions: Vec<(Condition, String)>,
    otherwise: String,
}

/// Where a run is, and whether it came here by the node's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) node: &'a Node,
    at: usize,
    is_named: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWorkflow {
    name: String,
    #[serde(default, rename = "description")]
    _description: Option<IgnoredAny>,
    #[serde(default, rename = "version")]
    _version: Option<IgnoredAny>,
    start: Option<String>,
    nodes: Vec<WrittenNode>,
    #[serde(default)]
    connections: Vec<Connection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenNode {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, rename = "description")]
    _description: Option<IgnoredAny>,
    #[serde(default)]
    config: Value,
}

/// A way that the file names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Connection {
    from: String,
    to: String,
    #[serde(default = "done")]
    action: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenConditional {
    conditions: Vec<WrittenCondition>,
    #[serde(rename = "else", default = "done")]
    otherwise: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCondition {
    #[serde(rename = "if")]
    holds: String,
    then: String,
}

fn done() -> String {
    DONE.to_owned()
}

impl Workflow {
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let file = escape(&path.display().to_string(), 512);
        let unreadable = |error| Problem::not_found(format!("{file} cannot be read: {error}"));
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > FILE_BYTES_MAX {
            let message = format!("{file} has {length} bytes; a workflow has at most {FILE_BYTES_MAX}");
            return Err(Problem::workflow(message));
        }
        Self::parse(&file, &std::fs::read_to_string(path).map_err(unreadable)?)
    }

    fn parse(file: &str, text: &str) -> Result<Self, Problem> {
        let written: WrittenWorkflow = serde_saphyr::from_str(text)
            .map_err(|error| Problem::workflow(format!("{file}: {}", escape(&error.to_string(), 400))))?;
        let mut workflow = Self {
            file: file.to_owned(),
            name: written.name,
            nodes: Vec::new(),
            start: 0,
            connections: written.connections,
        };
        let mut names = BTreeSet::new();
        for node in written.nodes {
            if !names.insert(node.name.clone()) {
                return Err(workflow.wrong(&node.name, "there is another node of that name"));
            }
            let kind = Kind::of(&node).map_err(|why| workflow.wrong(&node.name, &why))?;
            workflow.nodes.push(Node { name: node.name, kind, config: node.config });
        }
        if workflow.nodes.is_empty() {
            return Err(Problem::workflow(format!("{file}: it has no nodes")));
        }
        if let Some(start) = &written.start {
            workflow.start = workflow.known("start", start)?;
        }
        for connection in &workflow.connections {
            workflow.known("connections", &connection.from)?;
            workflow.known("connections", &connection.to)?;
        }
        Ok(workflow)
    }

    fn known(&self, key: &str, name: &str) -> Result<usize, Problem> {
        let names = || self.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
        self.at(name).ok_or_else(|| {
            Problem::workflow(format!(
                "{}: {key}: no node is called {name:?}; there are {}",
                self.file,
                names()
            ))
        })
    }

    /// A mistake in one of its nodes.
    pub(super) fn wrong(&self, node: &str, why: &str) -> Problem {
        Problem::workflow(format!("{}: node {:?}: {why}", self.file, escape(node, 80)))
    }

    fn at(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    fn place(&self, at: usize, is_named: bool) -> Option<Place<'_>> {
        self.nodes.get(at).map(|node| Place { node, at, is_named })
    }

    /// The nodes that plugins do, each with the type that it wants.
    pub(super) fn wanted(&self) -> impl Iterator<Item = (&Node, &str)> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Plugin(kind) => Some((node, kind.as_str())),
            Kind::Conditional(_) => None,
        })
    }

    pub(super) fn first(&self) -> Option<Place<'_>> {
        self.place(self.start, false)
    }

    /// Where it goes on after a node that said `next`; nothing at its end.
    ///
    /// A connection goes first, then a node of that name. `done` leads to the node below, where the file has no connections
    /// and this one was not itself reached by its name: what is one of several ways does not run on into the others.
    pub(super) fn after(&self, place: Place<'_>, next: &str) -> Option<Place<'_>> {
        let connected =
            |connection: &&Connection| connection.from == place.node.name && connection.action == next;
        if let Some(connection) = self.connections.iter().find(connected) {
            return self.place(self.at(&connection.to)?, true);
        }
        if let Some(at) = self.at(next) {
            return self.place(at, true);
        }
        let is_on = next == DONE && self.connections.is_empty() && !place.is_named;
        is_on.then(|| self.place(place.at + 1, false)).flatten()
    }
}

impl Kind {
    fn of(node: &WrittenNode) -> Result<Self, String> {
        if node.kind != CONDITIONAL {
            return Ok(Self::Plugin(node.kind.clone()));
        }
        let written =
            WrittenConditional::deserialize(&node.config).map_err(|error| format!("config: {error}"))?;
        let conditions = written.conditions.into_iter().map(|condition| {
            let read = Condition::parse(&condition.holds);
            read.map(|read| (read, condition.then)).map_err(|why| format!("{}: {why}", condition.holds))
        });
        let conditions = conditions.collect::<Result<_, _>>()?;
        Ok(Self::Conditional(Conditional { conditions, otherwise: written.otherwise }))
    }

    /// As the file calls it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Plugin(kind) => kind,
            Self::Conditional(_) => CONDITIONAL,
        }
    }
}

impl Conditional {
    /// Where to go with this.
    pub(super) fn choose(&self, value: &Value) -> Result<&str, String> {
        for (condition, then) in &self.conditions {
            if condition.holds(value).map_err(|why| format!("{condition}: {why}"))? {
                return Ok(then);
            }
        }
        Ok(&self.otherwise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn walked(text: &str, says: &[&str]) -> Vec<String> {
        let workflow = Workflow::parse("w.yaml", text).unwrap();
        let mut here = workflow.first();
        let mut names = Vec::new();
        for next in says {
            let Some(place) = here else { break };
            names.push(place.node.name.clone());
            here = workflow.after(place, next);
        }
        names.extend(here.map(|place| format!("and {}", place.node.name)));
        names
    }

    fn refused(text: &str) -> String {
        Workflow::parse("w.yaml", text).unwrap_err().to_string()
    }

    const THREE: &str = "name: w\nnodes: [{name: a, type: x}, {name: b, type: y}, {name: c, type: z}]\n";

    #[test]
    fn done_leads_to_the_node_below_and_a_name_to_that_node() {
        assert_eq!(walked(THREE, &["done", "done", "done"]), ["a", "b", "c"]);
        assert_eq!(walked(THREE, &["c", "a", "done"]), ["a", "c", "a"]);
        assert_eq!(walked(THREE, &["elsewhere"]), ["a"]);
    }

    #[test]
    fn one_of_several_ways_does_not_run_on_into_the_others() {
        assert_eq!(walked(THREE, &["b", "done"]), ["a", "b"]);
    }

    #[test]
    fn connections_alone_say_it_where_there_are_some() {
        let text =
            format!("{THREE}start: b\nconnections: [{{from: b, to: a, action: back}}, {{from: a, to: c}}]\n");
        assert_eq!(walked(&text, &["back", "done", "done"]), ["b", "a", "c"]);
        assert_eq!(walked(&text, &["done"]), ["b"]);
    }

    #[test]
    fn a_conditional_takes_the_first_that_holds() {
        let node = WrittenNode {
            name: "n".to_owned(),
            kind: "conditional".to_owned(),
            _description: None,
            config: json!({"conditions": [
                {"if": "{{gt .score 0.5}}", "then": "high"}, {"if": "{{gt .score 0.1}}", "then": "low"},
            ], "else": "none"}),
        };
        let Ok(Kind::Conditional(conditional)) = Kind::of(&node) else { panic!("it is one") };
        for (score, way) in [(0.9, "high"), (0.2, "low"), (0.0, "none")] {
            assert_eq!(conditional.choose(&json!({ "score": score })).unwrap(), way);
        }
        assert!(conditional.choose(&json!({})).unwrap_err().contains("{{gt .score 0.5}}"));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(refused("name: w\nnodes: []\n").contains("no nodes"));
        assert!(
            refused("name: w\nnodes: [{name: a, type: x}, {name: a, type: y}]\n").contains("another node")
        );
        assert!(refused("name: w\nnodes: [{name: a, type: x, retry: 3}]\n").contains("retry"));
        assert!(refused(&format!("{THREE}start: d\n")).contains("there are a, b, c"));
        let conditional = "name: w\nnodes: [{name: a, type: conditional, config: {conditions: [{if: '{{len .x}}', then: b}]}}]\n";
        let text = refused(conditional);
        assert!(text.contains("\"a\"") && text.contains("len") && text.contains("eq, ne"), "{text}");
    }
}
