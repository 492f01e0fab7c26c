//! The `demo` command: from a fresh clone to a plugin that answers from its cell.

use crate::problem::Problem;
use crate::project::Project;
use crate::step::Step;
use crate::{guests, setup};

/// Installs what is missing, builds the guests and the `casemate` command, and runs its demonstration.
pub(crate) fn run(project: &Project, arguments: &[String]) -> Result<(), Problem> {
    setup::for_demo(project)?;
    guests::build(project)?;
    Step::cargo(&project.root)
        .args(["run", "--package", "casemate-cli", "--bin", "casemate", "--", "demo", "--guests"])
        .arg(project.guests())
        .args(arguments)
        .with_stdin()
        .run()
}
