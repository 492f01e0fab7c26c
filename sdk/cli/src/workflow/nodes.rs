//! Which plugin has a node of which type: what the manifests of plugins say that are installed, or lie in a folder of `plugin_dirs`
//! (`options.nodes`).

use super::document::{DONE, Node, Workflow};
use crate::args::Cli;
use crate::packages;
use crate::places;
use crate::problem::Problem;
use crate::run;
use crate::screen::Screen;
use casemate::config::Overrides;
use casemate::outcome::escape;
use casemate::package::manifests;
use casemate::{Casemate, Configuration, Failure, LoadError, Plugin};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The option of a plugin with its nodes, as JSON.
const NODES: &str = "nodes";

/// The plugin of each type that a workflow wants.
#[derive(Debug)]
pub(super) struct Nodes {
    plugins: BTreeMap<String, String>,
    configuration: Configuration,
    state_dir: PathBuf,
}

/// The same, loaded.
pub(super) struct Loaded {
    casemate: Casemate,
    plugins: BTreeMap<String, Plugin>,
}

impl Nodes {
    pub(super) fn find(cli: &Cli, workflow: &Workflow) -> Result<Self, Problem> {
        let configuration = packages::configuration(cli)?;
        let state_dir = places::required_state(&cli.places)?;
        let known = known(&configuration, &state_dir)?;
        let mut plugins = BTreeMap::new();
        for (node, kind) in workflow.wanted() {
            let found = known.get(kind).map(|names| names.iter().collect::<Vec<_>>()).unwrap_or_default();
            match found.as_slice() {
                [one] => drop(plugins.insert(kind.to_owned(), (*one).clone())),
                [] => {
                    let types: Vec<&str> = known.keys().map(String::as_str).collect();
                    let types = if types.is_empty() { "none".to_owned() } else { types.join(", ") };
                    let why =
                        format!("no installed plugin has nodes of type {kind:?}; types of those: {types}");
                    return Err(Problem::unknown_node(workflow.wrong(&node.name, &why).to_string()));
                }
                several => {
                    let names = several.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" and ");
                    let why = format!("{names} have nodes of type {kind:?}: remove all but one");
                    return Err(workflow.wrong(&node.name, &why));
                }
            }
        }
        Ok(Self { plugins, configuration, state_dir })
    }

    /// Loads each plugin once.
    pub(super) async fn load(self, cli: &Cli, screen: &Screen) -> Result<Loaded, Problem> {
        let builder = run::builder(cli, screen, false)?;
        let casemate = builder.state_dir(self.state_dir).configuration(self.configuration).build()?;
        let mut loaded = Loaded { casemate, plugins: BTreeMap::new() };
        let mut by_name: BTreeMap<String, Plugin> = BTreeMap::new();
        for (kind, name) in self.plugins {
            let plugin = match by_name.get(&name) {
                Some(plugin) => plugin.clone(),
                None => match loaded.casemate.load_named(&name).await {
                    Ok(plugin) => plugin,
                    Err(error) => {
                        loaded.end().await;
                        return Err(match error {
                            LoadError::Config(error) => Problem::Config(error),
                            LoadError::Failure(failure) => about(failure, format!("plugin {name}: ")),
                        });
                    }
                },
            };
            by_name.insert(name, plugin.clone());
            loaded.plugins.insert(kind, plugin);
        }
        Ok(loaded)
    }
}

/// The plugins of each type.
fn known(
    configuration: &Configuration,
    state_dir: &Path,
) -> Result<BTreeMap<String, BTreeSet<String>>, Problem> {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // What is broken is not there for a workflow; `plugins list` says it.
    for (name, manifest) in manifests(Some(state_dir), configuration.plugin_dirs()) {
        let effective = match configuration.plugins().any(|known| known == name) {
            true => configuration.plugin(&name, Some(&manifest))?,
            false => configuration.others(&name, Some(&manifest), &Overrides::default())?,
        };
        let nodes = effective.limits().options().get(NODES).cloned().unwrap_or_default();
        let nodes: Value = serde_json::from_str(&nodes).unwrap_or_default();
        let kinds = nodes.as_array().into_iter().flatten().filter_map(|node| node.get("type")?.as_str());
        for kind in kinds {
            known.entry(kind.to_owned()).or_default().insert(name.clone());
        }
    }
    Ok(known)
}

fn about(failure: Failure, about: String) -> Problem {
    Problem::Failure { failure: Box::new(failure), about, hint: String::new() }
}

impl Loaded {
    /// The plugin's name.
    pub(super) fn plugin_of(&self, kind: &str) -> Option<&str> {
        self.plugins.get(kind).map(Plugin::name)
    }

    /// `prep`, `exec` and `post` of a node: what comes out, and where it wants to go.
    pub(super) async fn perform(
        &self,
        node: &Node,
        kind: &str,
        input: &Value,
    ) -> Result<(Value, String), Problem> {
        let Some(plugin) = self.plugins.get(kind) else {
            return Err(Problem::ours(format!("no plugin was loaded for {kind:?}")));
        };
        let mut request = json!({"node": kind, "config": node.config, "input": input});
        let mut answer = Value::Null;
        for (function, result) in [("prep", "prepResult"), ("exec", "execResult"), ("post", "postResult")] {
            let called = plugin.call::<_, Value>(function, &request).await;
            answer = called.map_err(|failure| {
                about(failure, format!("node {}, {function}: ", escape(&node.name, 80)))
            })?;
            if let Some(request) = request.as_object_mut() {
                request.insert(result.to_owned(), answer.get("output").cloned().unwrap_or_default());
            }
        }
        let next = answer.get("next").and_then(Value::as_str).unwrap_or(DONE).to_owned();
        let output = answer.get_mut("output").map(Value::take).unwrap_or_default();
        Ok((output, next))
    }

    pub(super) async fn end(self) {
        self.casemate.shutdown().await;
    }
}
