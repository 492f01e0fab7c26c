//! The named groups of checks: what each is, and running a list of them.

use std::time::{Duration, Instant};

use crate::problem::Problem;
use crate::project::{Project, in_ci};
use crate::request::TestPlan;
use crate::suite::{Prepared, Who};
use crate::tally::{Tally, Verdict};
use crate::{checks, fuzz, guests, python, setup, suite, toolchains, vm};

/// A group of checks with a name, a time and a verdict of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Fmt,
    Clippy,
    Deny,
    Build,
    Docs,
    Aarch64,
    Guests,
    Tidy,
    SuiteRoot,
    SuiteUser,
    Doctests,
    Python,
    Scaffold,
    Advisories,
    Fuzz,
    Soak,
    Toolchains,
    Vm,
}

impl Group {
    /// What runs when no group is named, in this order.
    pub(crate) const DEFAULT: [Self; 13] = [
        Self::Fmt,
        Self::Clippy,
        Self::Deny,
        Self::Build,
        Self::Docs,
        Self::Aarch64,
        Self::Guests,
        Self::Tidy,
        Self::SuiteRoot,
        Self::SuiteUser,
        Self::Doctests,
        Self::Python,
        Self::Scaffold,
    ];

    /// What takes long or needs more than a default run may ask for.
    pub(crate) const ON_REQUEST: [Self; 5] =
        [Self::Advisories, Self::Fuzz, Self::Soak, Self::Toolchains, Self::Vm];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Deny => "deny",
            Self::Build => "build",
            Self::Docs => "docs",
            Self::Aarch64 => "aarch64",
            Self::Guests => "guests",
            Self::Tidy => "tidy",
            Self::SuiteRoot => "suite-root",
            Self::SuiteUser => "suite-user",
            Self::Doctests => "doctests",
            Self::Python => "python",
            Self::Scaffold => "scaffold",
            Self::Advisories => "advisories",
            Self::Fuzz => "fuzz",
            Self::Soak => "soak",
            Self::Toolchains => "toolchains",
            Self::Vm => "vm",
        }
    }

    const fn about(self) -> &'static str {
        match self {
            Self::Fmt => "rustfmt has nothing to change, also in the guests and the fuzz targets",
            Self::Clippy => "no warning from clippy or rustc in any target",
            Self::Deny => "cargo-deny: banned crates, licences, sources",
            Self::Build => "plain `cargo build`",
            Self::Docs => "the documentation builds without a warning",
            Self::Aarch64 => "the parts that differ by machine compile for aarch64",
            Self::Guests => "the test guests build into target/guests",
            Self::Tidy => "arrows between crates, bans, unsafe rooms; lists long files",
            Self::SuiteRoot => "every test executable, as root",
            Self::SuiteUser => "every test executable, as a fresh ordinary user",
            Self::Doctests => "the examples in the documentation, and the development kits of other systems",
            Self::Python => "the Python client against the real daemon; needs python3 and PyPI",
            Self::Scaffold => "a new Rust plugin builds and passes its test; needs crates.io",
            Self::Advisories => "cargo-deny: known vulnerabilities; needs the RustSec database on GitHub",
            Self::Fuzz => "every fuzz target for a minute; needs a nightly toolchain",
            Self::Soak => {
                "two minutes of calls while supervisors and all that they start are killed and stopped"
            }
            Self::Toolchains => "plugins in every other language, by tools it installs; needs npm and PyPI",
            Self::Vm => "suites on Debian's 6.1 kernel in a virtual machine, as root and as an ordinary user",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self, Problem> {
        let mut all = Self::DEFAULT.into_iter().chain(Self::ON_REQUEST);
        all.find(|group| group.name() == name).ok_or_else(|| {
            Problem::new(format!("no group `{name}`; `cargo xtask test --list` names them all"))
        })
    }
}

/// Prints the groups and what each does.
pub(crate) fn list() {
    for (title, groups) in [("by default", Group::DEFAULT.as_slice()), ("on request", &Group::ON_REQUEST)] {
        println!("{title}:");
        for group in groups {
            println!("  {:<12} {}", group.name(), group.about());
        }
    }
}

/// Runs the plan's groups, each to its end whatever the others say, and prints the closing lines.
pub(crate) fn run(project: &Project, plan: &TestPlan) -> std::process::ExitCode {
    let mut run = Run { project, plan, tally: Tally::default(), prepared: None };
    announce("setup");
    let ((), took) = timed(|| setup::for_groups(project, &plan.groups));
    run.tally.enter_time("setup", took);
    for group in &plan.groups {
        run.group(*group);
    }
    run.note_what_did_not_run();
    if run.tally.close() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

struct Run<'a> {
    project: &'a Project,
    plan: &'a TestPlan,
    tally: Tally,
    /// The built and staged test executables, once a suite has asked for them; `None` inside when that failed.
    prepared: Option<Option<Prepared>>,
}

impl Run<'_> {
    fn group(&mut self, group: Group) {
        if matches!(group, Group::SuiteRoot | Group::SuiteUser) {
            self.prepare_suite();
        }
        announce(group.name());
        let (verdict, took) = timed(|| self.verdict(group));
        if let Verdict::Failed(problem) = &verdict {
            println!("{}: {problem}", group.name());
        }
        self.tally.enter(group.name(), took, verdict);
    }

    fn verdict(&mut self, group: Group) -> Verdict {
        let project = self.project;
        match group {
            Group::Fmt => checks::fmt(project),
            Group::Clippy => checks::clippy(project),
            Group::Deny => checks::deny(project),
            Group::Build => checks::build(project),
            Group::Docs => checks::docs(project),
            Group::Aarch64 => checks::aarch64(project),
            Group::Guests => guests::build(project).into(),
            Group::Tidy => checks::tidy(project),
            Group::SuiteRoot => self.suite(Who::Root),
            Group::SuiteUser => self.suite(Who::OrdinaryUser),
            Group::Doctests => checks::doctests(project),
            Group::Python => python::run(project),
            Group::Scaffold => checks::scaffold(project),
            Group::Advisories => checks::advisories(project),
            Group::Fuzz => fuzz::run(project, self.plan.fuzz_seconds),
            Group::Vm => vm::run(project, self.plan.executable_limit),
            Group::Soak => checks::group_of_tests(project, group.name(), &[]),
            Group::Toolchains => toolchains::run(project),
        }
    }

    /// Builds and stages once for both suites, with a row of its own: it is the longer part of a cold run.
    fn prepare_suite(&mut self) {
        if self.prepared.is_some() {
            return;
        }
        announce("executables");
        let (prepared, took) = timed(|| suite::prepare(self.project));
        self.prepared = Some(match prepared {
            Ok(prepared) => {
                self.tally.enter_time("executables", took);
                Some(prepared)
            }
            Err(problem) => {
                println!("executables: {problem}");
                self.tally.enter("executables", took, Verdict::Failed(problem));
                None
            }
        });
    }

    fn suite(&mut self, who: Who) -> Verdict {
        let Some(Some(prepared)) = &self.prepared else {
            return Verdict::Skipped("there are no test executables to run".to_owned());
        };
        if who == Who::Root && !rustix::process::geteuid().is_root() {
            let reason = "suite as root: not run, this is not root";
            return if in_ci() {
                Verdict::Failed(Problem::new(reason))
            } else {
                Verdict::Skipped(reason.to_owned())
            };
        }
        match suite::run(prepared, who, self.plan) {
            Ok(report) => {
                for line in report.lines {
                    println!("{line}");
                    self.tally.note(line);
                }
                Verdict::Counted(report.count)
            }
            Err(problem) => Verdict::Failed(problem),
        }
    }

    fn note_what_did_not_run(&mut self) {
        let others: Vec<&str> = Group::DEFAULT
            .into_iter()
            .chain(Group::ON_REQUEST)
            .filter(|group| !self.plan.groups.contains(group))
            .map(Group::name)
            .collect();
        if !others.is_empty() {
            self.tally.note(format!("not in this run: {} (`cargo xtask test GROUP`)", others.join(", ")));
        }
    }
}

fn announce(what: &str) {
    println!("\n── {what} ──");
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed())
}
