//! What the suites share: guests, processes of hosts, their control groups, what hosts may lack, and a look at what is left of them.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a harness for tests: it fails loudly, reads the environment that xtask sets and starts host processes"
)]

pub mod claims;
pub mod command;
pub mod conditions;
pub mod daemon;
pub mod gate;
pub mod groups;
pub mod guests;
pub mod guide;
pub mod host;
pub mod processes;
pub mod scratch;

use casemate::{Casemate, Limits, Policy, PolicySpec};
use std::time::Duration;

/// Runs an async test.
pub fn block_on<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test)
}

/// An embedded supervisor with the defaults; with `CASEMATE_AGAINST=daemon` a client of a daemon, whose configuration grants
/// what a policy asks for. Suites that do not look at processes run against both.
pub fn casemate() -> Casemate {
    match std::env::var("CASEMATE_AGAINST").as_deref() {
        Ok("daemon") => tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(daemon::within(daemon::GENEROUS))
        }),
        _ => Casemate::embedded().unwrap(),
    }
}

/// Whether suites run against a supervisor in this process; what needs one, for its processes or for what is its operator's
/// alone, is skipped by name against a daemon.
pub fn is_embedded(test: &str) -> bool {
    let is_embedded = std::env::var_os("CASEMATE_AGAINST").is_none();
    if !is_embedded {
        skip(test, "it looks at an embedded supervisor's processes, or at what only an operator may set");
    }
    is_embedded
}

/// A policy with changed limits.
pub fn limits(change: impl FnOnce(&mut Limits)) -> Policy {
    policy(|spec| change(&mut spec.limits))
}

/// A policy that differs from the default. Its grace time is long: on a busy machine the soft deadline must be seen to
/// work, and the tests of the hard one set their own. Hardly any crash counts.
pub fn policy(change: impl FnOnce(&mut PolicySpec)) -> Policy {
    let mut spec = PolicySpec::default();
    spec.limits.grace = Duration::from_secs(20);
    // Suites crash workers on purpose; the one on life cycles has numbers of its own.
    spec.restart.within = Duration::from_millis(1);
    change(&mut spec);
    Policy::new(spec).expect("a policy within its ranges")
}

/// Whether this run is root's.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says by name that a test could not run here, and why. In continuous integration that is a failure where the reason is
/// something that the set-up should have brought.
pub fn skip(test: &str, reason: &str) {
    use std::io::Write as _;
    eprintln!("skipped: {test}: {reason}");
    if let Some(path) = std::env::var_os("CASEMATE_SKIPS") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}
