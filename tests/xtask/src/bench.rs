//! The `bench` command: the numbers, measured in a release build.

use crate::problem::Problem;
use crate::project::Project;
use crate::step::Step;
use crate::{guests, setup};

/// Installs what is missing, builds the guests, the benchmark program and the command whose daemon it measures, and runs it.
pub(crate) fn run(project: &Project, arguments: &[String]) -> Result<(), Problem> {
    setup::for_demo(project)?;
    guests::build(project)?;
    Step::cargo(&project.root)
        .args(["build", "--release", "--package", "casemate-bench", "--package", "casemate-cli"])
        .run()?;
    Step::new(project.target.join("release/casemate-bench"), &project.root)
        .arg("--guests")
        .arg(project.guests())
        .args(arguments)
        .run()
}
