//! The tests in real processes, as root and as an ordinary user.
//!
//! The same executables run twice, from a copy that both may read, each time with an environment of their own. What
//! they are told there:
//!
//! | variable | is |
//! |---|---|
//! | `CASEMATE_GUESTS` | the folder of the built guests |
//! | `CASEMATE_PROGRAMS` | the folder of the built commands and examples |
//! | `CASEMATE_ROOT` | a copy of the checkout's files |
//! | `CASEMATE_AGAINST` | `daemon` in a second run of the suites that are about any supervisor |
//! | `CASEMATE_SKIPS` | a file that takes one line, `test: reason`, for each test that could not run here |

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::build;
use crate::guests;
use crate::problem::Problem;
use crate::project::Project;
use crate::request::TestPlan;
use crate::stage::{Stage, Staged};
use crate::tally::Count;
use crate::user::User;
use crate::watch::{End, Ended, Watched, watch};

const HOME_FOLDERS: [&str; 7] = ["tmp", "run", "cache", "config", "data", "state", "work"];

/// Suites that run against a supervisor in their own process, and then against a daemon.
const OF_BOTH: [&str; 4] = [
    "casemate-tests calls",
    "casemate-tests host_calls",
    "casemate-tests deadlines",
    "casemate-tests refusals",
];

/// How many tests of one run may fail and then pass alone.
const UNSTEADY_MAX: usize = 3;

/// As whom to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    OrdinaryUser,
}

/// The built and staged test executables.
#[derive(Debug)]
pub(crate) struct Prepared {
    stage: Stage,
}

/// What one run of all executables came to.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) count: Count,
    /// The run's count, and a line for each thing that needs a look.
    pub(crate) lines: Vec<String>,
    /// Tests that have failed and then passed alone.
    unsteady: usize,
}

/// Builds guests and test executables and stages them.
pub(crate) fn prepare(project: &Project) -> Result<Prepared, Problem> {
    guests::build(project)?;
    let built = build::test_executables(project)?;
    Ok(Prepared { stage: Stage::set_up(project, &built)? })
}

/// Runs every executable, one after the other.
pub(crate) fn run(prepared: &Prepared, who: Who, plan: &TestPlan) -> Result<Report, Problem> {
    let user = match who {
        Who::OrdinaryUser if rustix::process::geteuid().is_root() => User::fresh()?,
        Who::OrdinaryUser | Who::Root => User::current(),
    };
    let stage = &prepared.stage;
    let home = stage.home_of(&user, &HOME_FOLDERS)?;
    let whole = match who {
        Who::Root => "as root".to_owned(),
        Who::OrdinaryUser => format!("as ordinary user {} (uid {})", user.name, user.uid),
    };
    let mut report = Report { count: Count::default(), lines: Vec::new(), unsteady: 0 };
    let embedded = stage.tests.iter().map(|test| (test, None));
    let is_of_both = |test: &&Staged| OF_BOTH.contains(&test.name.as_str());
    let against_daemon = stage.tests.iter().filter(is_of_both).map(|test| (test, Some("daemon")));
    for (test, against) in embedded.chain(against_daemon) {
        let name =
            against.map_or_else(|| test.name.clone(), |against| format!("{} against a {against}", test.name));
        println!("\n{whole}: {name}");
        let mut variables = variables(stage, test, &user, &home);
        variables.extend(against.map(|against| ("CASEMATE_AGAINST", against.into())));
        let run = |arguments: &[String]| {
            watch(&Watched {
                file: &test.file,
                arguments,
                folder: &test.package,
                variables: &variables,
                ids: user.dropped.then_some((user.uid, user.gid)),
                limit: plan.executable_limit,
            })
        };
        let mut ended = run(&plan.test_arguments)?;
        let skips = take_skips(&home.join("skips"));
        if report.may_try_again(&ended) {
            println!("\n{whole}: {name}: what failed, once more and alone");
            let again = run(&alone(&ended.failed))?;
            let _same = take_skips(&home.join("skips"));
            report.compare(&format!("{whole}: {name}"), &mut ended, &again);
        }
        report.enter(&format!("{whole}: {name}"), &ended, plan, skips);
    }
    let Count { passed, failed, skipped } = report.count;
    report.lines.push(format!("{whole}: {passed} passed, {failed} failed, {skipped} skipped"));
    Ok(report)
}

/// One test after the other, and none but these.
fn alone(tests: &[String]) -> Vec<String> {
    ["--exact", "--test-threads=1"].into_iter().map(str::to_owned).chain(tests.iter().cloned()).collect()
}

impl Report {
    /// Whether the few tests that failed are tried once more: a machine that others use too is late now and then. Whoever fails
    /// twice has failed, whoever passes alone is named at the end, and where there are many none of them is an accident.
    fn may_try_again(&self, ended: &Ended) -> bool {
        let failed = ended.failed.len();
        matches!(ended.end, End::Failure(_))
            && ended.left_behind.is_empty()
            && ended.count.is_some_and(|count| usize::try_from(count.failed) == Ok(failed))
            && (1..=UNSTEADY_MAX.saturating_sub(self.unsteady)).contains(&failed)
    }

    /// Takes tests for passed that did so alone, and names them.
    fn compare(&mut self, what: &str, ended: &mut Ended, again: &Ended) {
        let failed = ended.failed.len();
        let passed = again
            .count
            .filter(|count| again.end == End::Success && again.left_behind.is_empty() && count.failed == 0);
        let all = passed.is_some_and(|count| usize::try_from(count.passed) == Ok(failed));
        if let (Some(count), true) = (&mut ended.count, all) {
            count.passed = count.passed.saturating_add(count.failed);
            count.failed = 0;
            ended.end = End::Success;
            self.unsteady = self.unsteady.saturating_add(failed);
            for test in &ended.failed {
                self.lines.push(format!("{what}: UNSTEADY: {test} failed beside others, and passed alone"));
            }
        }
    }

    fn enter(&mut self, what: &str, ended: &Ended, plan: &TestPlan, skips: Vec<String>) {
        let mut count = ended.count.unwrap_or_default();
        let mut fault = |words: String| {
            count.failed = count.failed.saturating_add(1);
            self.lines.push(format!("{what}: {words}"));
        };
        match &ended.end {
            End::Success if ended.count.is_none() => fault("it did not say how its tests ended".to_owned()),
            End::Success => {}
            End::Failure(how) if ended.count.is_none_or(|count| count.failed == 0) => {
                fault(format!("it ended with {how}"));
            }
            End::Failure(_) => self.lines.push(format!("{what}: {} failed", count.failed)),
            End::Overran => {
                let minutes = plan.executable_limit.as_secs() / 60;
                fault(format!("past its limit of {minutes} min; it was killed with all it had started"));
            }
        }
        if !ended.left_behind.is_empty() {
            count.failed = count.failed.saturating_add(1);
            self.lines.push(format!("{what}: left running: {}", ended.left_behind.join(", ")));
        }
        for skip in skips {
            count.skip_one();
            self.lines.push(format!("{what}: skipped: {skip}"));
        }
        self.count += count;
    }
}

fn variables(stage: &Stage, test: &Staged, user: &User, home: &Path) -> Vec<(&'static str, OsString)> {
    let mut variables: Vec<(&'static str, OsString)> = vec![
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()),
        ("LANG", "C.UTF-8".into()),
        ("RUST_BACKTRACE", "1".into()),
        ("USER", user.name.clone().into()),
        ("LOGNAME", user.name.clone().into()),
        ("HOME", home.into()),
        ("CASEMATE_GUESTS", stage.guests().into()),
        ("CASEMATE_PROGRAMS", stage.programs().into()),
        ("CASEMATE_ROOT", stage.tree().into()),
        ("CASEMATE_SKIPS", home.join("skips").into()),
        ("CARGO_MANIFEST_DIR", test.package.clone().into()),
    ];
    let folders: [(&str, &str); 6] = [
        ("TMPDIR", "tmp"),
        ("XDG_RUNTIME_DIR", "run"),
        ("XDG_CACHE_HOME", "cache"),
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_STATE_HOME", "state"),
    ];
    variables.extend(folders.map(|(name, folder)| (name, home.join(folder).into())));
    if test.needs_toolchain {
        variables.push(("LD_LIBRARY_PATH", stage.toolchain().into()));
    }
    variables.extend(["CI", "TERM"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    variables
}

/// The lines of the file of skips, which starts empty for the next executable.
pub(crate) fn take_skips(file: &Path) -> Vec<String> {
    let lines = fs::read_to_string(file).unwrap_or_default();
    // Not there is the usual case.
    let _ = fs::remove_file(file);
    lines.lines().map(str::to_owned).collect()
}
