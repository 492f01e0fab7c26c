//! The test executables, and the programs they start, as cargo reports them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::problem::Problem;
use crate::project::Project;
use crate::step::Step;

/// Test targets that are groups of their own.
const GROUPS_OF_THEIR_OWN: [&str; 5] = ["tidy", "scaffold", "soak", "toolchains", "vm"];

/// What one build of the whole workspace's tests made.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) tests: Vec<TestExecutable>,
    /// Commands and examples: what tests start as programs.
    pub(crate) programs: Vec<PathBuf>,
}

/// One executable full of tests.
#[derive(Debug)]
pub(crate) struct TestExecutable {
    /// The package, and the target where it is not the library.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    /// The package's folder: cargo runs tests there.
    pub(crate) package: PathBuf,
    /// Procedural macros are linked with the toolchain's own shared libraries.
    pub(crate) needs_toolchain: bool,
}

/// Builds every test executable of the workspace, and what they start.
pub(crate) fn test_executables(project: &Project) -> Result<Built, Problem> {
    let mut built = Built::default();
    // Cargo builds a package's commands for that package's own tests only; the suites start those of others too.
    // Examples are asked for in the same breath, which also makes cargo choose the same features as for the tests.
    let steps: [&[&str]; 2] =
        [&["test", "--workspace", "--no-run"], &["build", "--workspace", "--bins", "--examples"]];
    for step in steps {
        let done = Step::cargo(&project.root)
            .args(step)
            .arg("--message-format=json-render-diagnostics")
            .run_reading(|line| {
                if let Ok(message) = serde_json::from_str(line) {
                    built.take(&message);
                }
                false
            })?;
        if !done {
            return Err(Problem::new(format!("`cargo {}` failed", step.join(" "))));
        }
    }
    built.tests.sort_by(|left, right| left.name.cmp(&right.name));
    built.programs.sort();
    built.programs.dedup();
    Ok(built)
}

impl Built {
    fn take(&mut self, message: &Value) -> Option<()> {
        let file = PathBuf::from(message.get("executable")?.as_str()?);
        let target = message.pointer("/target/name")?.as_str()?;
        let kinds = message.pointer("/target/kind")?.as_array()?;
        let is = |kind: &str| kinds.iter().any(|found| found == kind);
        if message.pointer("/profile/test")? != true {
            if (is("bin") || is("example")) && target != "casemate-xtask" {
                self.programs.push(file);
            }
            return Some(());
        }
        if is("test") && GROUPS_OF_THEIR_OWN.contains(&target) {
            return Some(());
        }
        let package = Path::new(message.get("manifest_path")?.as_str()?).parent()?.to_owned();
        let package_name = package_name(message.get("package_id")?.as_str()?, target);
        let needs_toolchain = is("proc-macro");
        let name = if needs_toolchain || is("lib") {
            package_name.to_owned()
        } else {
            format!("{package_name} {target}")
        };
        self.tests.push(TestExecutable { name, file, package, needs_toolchain });
        Some(())
    }
}

/// `path+file:///a/protocol#casemate-protocol@0.1.0`, or `path+file:///a/casemate#0.1.0` where folder and name agree.
fn package_name<'a>(id: &'a str, otherwise: &'a str) -> &'a str {
    let Some((folder, fragment)) = id.rsplit_once('#') else { return otherwise };
    match fragment.split_once('@') {
        Some((name, _)) => name,
        None => folder.rsplit('/').next().unwrap_or(otherwise),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(kind: &str, target: &str, test: bool) -> Value {
        json!({
            "reason": "compiler-artifact",
            "package_id": "path+file:///a/tests#casemate-tests@0.1.0",
            "manifest_path": "/a/tests/Cargo.toml",
            "target": { "name": target, "kind": [kind] },
            "profile": { "test": test },
            "executable": format!("/a/target/debug/{target}"),
        })
    }

    #[test]
    fn tests_programs_and_groups_of_their_own_are_told_apart() {
        let mut built = Built::default();
        for message in [
            message("test", "spawn", true),
            message("test", "tidy", true),
            message("lib", "casemate_tests", true),
            message("bin", "casemate", false),
            message("bin", "casemate-xtask", false),
            json!({ "reason": "build-finished", "success": true }),
        ] {
            built.take(&message);
        }
        let names: Vec<_> = built.tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names, ["casemate-tests spawn", "casemate-tests"]);
        assert_eq!(built.programs, [PathBuf::from("/a/target/debug/casemate")]);
        assert!(built.tests.iter().all(|test| test.package == Path::new("/a/tests")));
    }

    #[test]
    fn a_package_is_named_by_its_id() {
        assert_eq!(package_name("path+file:///a/protocol#casemate-protocol@0.1.0", "x"), "casemate-protocol");
        assert_eq!(package_name("path+file:///a/casemate#0.1.0", "x"), "casemate");
        assert_eq!(package_name("", "x"), "x");
    }
}
