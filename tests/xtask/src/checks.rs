//! The groups that are one tool's verdict.

use std::ffi::OsString;

use crate::guests;
use crate::problem::Problem;
use crate::project::{Project, in_ci};
use crate::setup::{self, AARCH64_TARGET};
use crate::step::Step;
use crate::suite::take_skips;
use crate::tally::{Count, Verdict};

/// Tells the supervisor's build not to build and embed the programs: a check of its types needs none.
pub(crate) const WITHOUT_PROGRAMS: (&str, &str) = ("CASEMATE_EMBED", "skip");

pub(crate) fn fmt(project: &Project) -> Verdict {
    let workspaces = [None, Some("tests/guests/Cargo.toml"), Some("fuzz/Cargo.toml")];
    let mut verdict = Ok(());
    for workspace in workspaces {
        let mut step = Step::cargo(&project.root).args(["fmt", "--all", "--check"]);
        if let Some(manifest) = workspace {
            step = step.arg("--manifest-path").arg(manifest);
        }
        verdict = verdict.and(step.run());
    }
    verdict.into()
}

pub(crate) fn clippy(project: &Project) -> Verdict {
    Step::cargo(&project.root)
        .args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
        .run()
        .into()
}

pub(crate) fn deny(project: &Project) -> Verdict {
    println!(
        "advisories are a group of their own: their database is on GitHub, which not every machine reaches"
    );
    cargo_deny(
        project,
        &["check", "--hide-inclusion-graph", "--allow", "unused-wrapper", "bans", "licenses", "sources"],
    )
    .into()
}

pub(crate) fn advisories(project: &Project) -> Verdict {
    if let Err(problem) = cargo_deny(project, &["fetch", "db"]) {
        return Verdict::Skipped(format!("the RustSec database is not to be had here ({problem})"));
    }
    cargo_deny(project, &["check", "--disable-fetch", "advisories"]).into()
}

fn cargo_deny(project: &Project, arguments: &[&str]) -> Result<(), Problem> {
    Step::new(setup::cargo_deny(project)?, &project.root).args(arguments).run()
}

pub(crate) fn build(project: &Project) -> Verdict {
    Step::cargo(&project.root).arg("build").run().into()
}

pub(crate) fn docs(project: &Project) -> Verdict {
    Step::cargo(&project.root)
        .args(["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()
        .into()
}

pub(crate) fn aarch64(project: &Project) -> Verdict {
    if !setup::has_target(project, AARCH64_TARGET) {
        let reason = format!("the toolchain has no {AARCH64_TARGET}: `rustup target add {AARCH64_TARGET}`");
        return if in_ci() { Verdict::Failed(Problem::new(reason)) } else { Verdict::Skipped(reason) };
    }
    let crates = ["casemate-protocol", "casemate-sys", "casemate-lockdown", "casemate-supervisor"];
    let (name, value) = WITHOUT_PROGRAMS;
    Step::cargo(&project.root)
        .args(["check", "--target", AARCH64_TARGET])
        .args(crates.iter().flat_map(|package| ["--package", package]))
        .env(name, value)
        // Nothing is linked, so SQLite needs no C compiler for the other machine: a folder where it might be is enough.
        .env("LIBSQLITE3_SYS_USE_PKG_CONFIG", "1")
        .env("SQLITE3_LIB_DIR", "/")
        .run()
        .into()
}

pub(crate) fn tidy(project: &Project) -> Verdict {
    // A broken rule explains itself; where in the test it was found does not help.
    counted(
        Step::cargo(&project.root).args(["test", "--workspace", "--test", "tidy"]).env("RUST_BACKTRACE", "0"),
    )
}

/// What plugins of other systems link: workspaces of their own, built with the guests.
const KITS: [&str; 3] = ["sdk/ideanet", "sdk/pocket", "sdk/spacedrive"];

/// And all tests of the kits, which no suite runs.
pub(crate) fn doctests(project: &Project) -> Verdict {
    let mut all = counted(
        Step::cargo(&project.root)
            .args(["test", "--workspace", "--doc", "--no-fail-fast"])
            .env("CASEMATE_GUESTS", project.guests()),
    );
    for kit in KITS {
        let tested = counted(
            Step::cargo(&project.root)
                .args(["test", "--workspace", "--no-fail-fast", "--manifest-path"])
                .arg(project.root.join(kit).join("Cargo.toml"))
                .arg("--target-dir")
                .arg(project.target.join("guests-build")),
        );
        all = match (all, tested) {
            (Verdict::Counted(mut count), Verdict::Counted(more)) => {
                count += more;
                Verdict::Counted(count)
            }
            (Verdict::Counted(_), failed) | (failed, _) => return failed,
        };
    }
    all
}

/// A Rust plugin from nothing, with the real cargo.
pub(crate) fn scaffold(project: &Project) -> Verdict {
    match Step::cargo(&project.root).args(["build", "--package", "casemate-cli"]).run() {
        Ok(()) => group_of_tests(project, "scaffold", &[]),
        Err(problem) => Verdict::Failed(problem),
    }
}

/// A group that is the test target of its name in the tests crate, with these variables in its environment.
pub(crate) fn group_of_tests(
    project: &Project,
    name: &str,
    variables: &[(&'static str, OsString)],
) -> Verdict {
    if !project.has_test_target(name) {
        println!("{name}: nothing in this group yet");
        return Verdict::Empty;
    }
    if let Err(problem) = guests::build(project) {
        return Verdict::Failed(problem);
    }
    let skips = project.target.join(format!("skips-{name}"));
    // One that was killed may have left some.
    take_skips(&skips);
    let step = Step::cargo(&project.root)
        .args(["test", "--workspace", "--test", name, "--", "--include-ignored"])
        .env("CASEMATE_GUESTS", project.guests())
        .env("CASEMATE_SKIPS", &skips);
    let verdict = counted(variables.iter().fold(step, |step, (name, value)| step.env(name, value)));
    let Verdict::Counted(mut count) = verdict else { return verdict };
    for skip in take_skips(&skips) {
        println!("{name}: skipped: {skip}");
        count.skip_one();
    }
    Verdict::Counted(count)
}

/// Runs cargo's own test command and adds up what its executables say.
fn counted(step: Step) -> Verdict {
    let shown = step.to_string();
    let mut count = Count::default();
    let ended = step.run_reading(|line| {
        count += Count::in_line(line).unwrap_or_default();
        true
    });
    match ended {
        Err(problem) => Verdict::Failed(problem),
        Ok(false) if count.failed == 0 => Verdict::Failed(Problem::new(format!("`{shown}` failed"))),
        Ok(_) => Verdict::Counted(count),
    }
}
