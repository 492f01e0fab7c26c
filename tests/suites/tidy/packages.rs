//! The workspace's packages and their dependency trees, as cargo tells them.

#![expect(clippy::disallowed_methods, reason = "it asks cargo")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::source::repository;

/// One of our packages.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    pub(crate) features: BTreeSet<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `normal`, `build` or `dev`.
    pub(crate) kind: &'static str,
    pub(crate) optional: bool,
}

/// The members of the workspace.
pub(crate) fn packages() -> Vec<Package> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo metadata is JSON");
    let packages = metadata.get("packages").and_then(Value::as_array).expect("cargo metadata lists packages");
    packages.iter().map(Package::read).collect()
}

/// The names of everything that is linked into, or builds, this package for the machines it runs on.
pub(crate) fn tree(package: &str) -> BTreeSet<String> {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let lines = cargo(&[
        "tree",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--target",
        &target,
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let names: BTreeSet<String> =
        lines.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.contains(package), "cargo tree shows at least {package} itself");
    names
}

impl Package {
    fn read(value: &Value) -> Self {
        let text = |key: &str| value[key].as_str().expect("cargo metadata names its packages").to_owned();
        let dependencies = value["dependencies"].as_array().expect("cargo metadata lists dependencies");
        let features = value["features"].as_object().expect("cargo metadata lists features");
        Self {
            name: text("name"),
            manifest: text("manifest_path").into(),
            features: features.keys().cloned().collect(),
            dependencies: dependencies.iter().map(Dependency::read).collect(),
        }
    }
}

impl Dependency {
    fn read(value: &Value) -> Self {
        Self {
            name: value["name"].as_str().expect("a dependency has a name").to_owned(),
            kind: match value["kind"].as_str() {
                Some("build") => "build",
                Some("dev") => "dev",
                _ => "normal",
            },
            optional: value["optional"].as_bool().unwrap_or_default(),
        }
    }
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new("cargo")
        .args(arguments)
        .current_dir(repository())
        .stdin(Stdio::null())
        .output()
        .expect("cargo is on PATH");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {} failed: {said}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("cargo speaks UTF-8")
}
