//! Where things are: the root, the target folder, the guests.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::problem::Problem;
use crate::step::Step;

/// This checkout and where cargo builds it.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    test_targets: Vec<String>,
}

impl Project {
    pub(crate) fn open() -> Result<Self, Problem> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here
            .ancestors()
            .nth(2)
            .ok_or_else(|| Problem::new(format!("{} has no project above it", here.display())))?;
        let metadata = Step::cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]).answer()?;
        let metadata: Value = serde_json::from_str(&metadata)
            .map_err(|error| Problem::new(format!("cargo metadata answered unreadable JSON: {error}")))?;
        let target = metadata
            .pointer("/target_directory")
            .and_then(Value::as_str)
            .ok_or_else(|| Problem::new("cargo metadata names no target_directory"))?;
        Ok(Self {
            root: root.to_owned(),
            target: PathBuf::from(target),
            test_targets: test_targets(&metadata),
        })
    }

    /// Where the built guests lie: `NAME.wasm`, and `wat/NAME.wasm`.
    pub(crate) fn guests(&self) -> PathBuf {
        self.target.join("guests")
    }

    /// Programs that the checks need and a machine may lack.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Whether the tests crate has a test target of this name.
    pub(crate) fn has_test_target(&self, name: &str) -> bool {
        self.test_targets.iter().any(|target| target == name)
    }
}

/// Whether this is a CI run, where what cannot run counts as a failure.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

fn test_targets(metadata: &Value) -> Vec<String> {
    let list =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    list(metadata, "packages")
        .iter()
        .filter(|package| package.get("name").and_then(Value::as_str) == Some("casemate-tests"))
        .flat_map(|package| list(package, "targets"))
        .filter(|target| list(target, "kind").iter().any(|kind| kind == "test"))
        .filter_map(|target| target.get("name").and_then(Value::as_str).map(str::to_owned))
        .collect()
}
