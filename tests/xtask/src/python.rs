//! The `python` group: the client in `sdk/python`, installed as its users install it, against the real daemon.

use std::path::PathBuf;

use crate::guests;
use crate::problem::Problem;
use crate::project::{Project, in_ci};
use crate::step::{Step, find_program};
use crate::tally::{Count, Verdict};

pub(crate) fn run(project: &Project) -> Verdict {
    let python = match environment(project) {
        Ok(python) => python,
        Err(problem) if in_ci() => return Verdict::Failed(problem),
        Err(problem) => return Verdict::Skipped(problem.to_string()),
    };
    test(project, &python).unwrap_or_else(Verdict::Failed)
}

/// The interpreter of our virtual environment, which is made if it is not there.
pub(crate) fn environment(project: &Project) -> Result<PathBuf, Problem> {
    let folder = project.target.join("python");
    let python = folder.join("bin/python");
    if has_pip(project, &python) {
        return Ok(python);
    }
    let system = find_program("python3")
        .ok_or_else(|| Problem::new("there is no python3: install it, 3.11 or newer, with its venv"))?;
    let made = Step::new(system, &project.root).args(["-m", "venv", "--clear"]).arg(&folder).run();
    made.map_err(|problem| {
        Problem::new(format!(
            "python3 makes no environment with pip; Debian's is in python3-venv ({problem})"
        ))
    })?;
    Ok(python)
}

fn has_pip(project: &Project, python: &PathBuf) -> bool {
    python.is_file() && Step::new(python, &project.root).args(["-m", "pip", "--version"]).answer().is_ok()
}

fn test(project: &Project, python: &PathBuf) -> Result<Verdict, Problem> {
    let package = project.root.join("sdk/python");
    let mut with_extra = package.clone().into_os_string();
    with_extra.push("[test]");
    // One of the same version that is there already would be kept, whatever has changed in it.
    Step::new(python, &project.root)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["--upgrade", "--force-reinstall", "--no-deps"])
        .arg(&package)
        .run()?;
    Step::new(python, &project.root)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .arg(with_extra)
        .run()?;
    guests::build(project)?;
    Step::cargo(&project.root).args(["build", "--package", "casemate-cli"]).run()?;
    let mut count = Count::default();
    let caches = project.target.join("python-cache");
    let step = Step::new(python, &package)
        .args(["-m", "pytest", "-p", "no:cacheprovider"])
        .env("CASEMATE_COMMAND", project.target.join("debug/casemate"))
        .env("CASEMATE_GUESTS", project.guests())
        .env("PYTHONPYCACHEPREFIX", caches.join("python"))
        .env("MYPY_CACHE_DIR", caches.join("mypy"))
        .env("RUFF_CACHE_DIR", caches.join("ruff"));
    let shown = step.to_string();
    let passed = step.run_reading(|line| {
        count += Count::in_pytest_line(line).unwrap_or_default();
        true
    })?;
    if !passed && count.failed == 0 {
        return Err(Problem::new(format!("`{shown}` failed")));
    }
    Ok(Verdict::Counted(count))
}
