//! The `fuzz` group: every target for a while, from the seeds that the project keeps.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::checks::WITHOUT_PROGRAMS;
use crate::guests::files_with;
use crate::problem::Problem;
use crate::project::Project;
use crate::setup;
use crate::step::Step;
use crate::tally::{Count, Verdict};

/// Runs each target of `fuzz/fuzz_targets`; one is passed when it found nothing.
pub(crate) fn run(project: &Project, seconds: u64) -> Verdict {
    let targets = match files_with(&project.root.join("fuzz/fuzz_targets"), "rs") {
        Ok(targets) => targets,
        Err(problem) => return Verdict::Failed(problem),
    };
    if let Err(problem) = setup::cargo_fuzz(project) {
        return Verdict::Failed(problem);
    }
    let mut count = Count::default();
    for target in targets.iter().filter_map(|file| file.file_stem()?.to_str()) {
        match run_target(project, target, seconds) {
            Ok(()) => count.passed = count.passed.saturating_add(1),
            Err(problem) => {
                println!("fuzz: {target}: {problem}");
                count.failed = count.failed.saturating_add(1);
            }
        }
    }
    Verdict::Counted(count)
}

fn run_target(project: &Project, target: &str, seconds: u64) -> Result<(), Problem> {
    // The first folder takes what the fuzzer finds, the second is only read.
    let corpus = Path::new("fuzz/corpus").join(target);
    let seeds = Path::new("fuzz/seeds").join(target);
    let made = project.root.join(&corpus);
    fs::create_dir_all(&made).map_err(|error| Problem::file("make", &made, &error))?;
    let (name, value) = WITHOUT_PROGRAMS;
    Step::cargo(&project.root)
        .args(["+nightly", "fuzz", "run", "--fuzz-dir", "fuzz", target])
        .args([corpus, seeds])
        .args(["--".to_owned(), format!("-max_total_time={seconds}"), "-timeout=10".to_owned()])
        .env("PATH", path_with_tools(project))
        .env(name, value)
        .run()
}

/// PATH with our tools in front, where cargo looks for its `fuzz` command.
fn path_with_tools(project: &Project) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(project.tools().join("bin")).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap_or(path)
}
