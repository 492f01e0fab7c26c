//! Hosts that give less than everything: plugins run with less around them, or not at all, and every command says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate_tests::claims::{self, Off, without_namespaces};
use casemate_tests::command::{self, Ran};
use casemate_tests::host::{self, Host};
use casemate_tests::{conditions, is_root, skip};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

#[test]
fn scenario() {
    host::run(&[
        ("as it is", |arguments| in_this_host(arguments)),
        ("no landlock", |arguments| {
            conditions::no_landlock();
            in_this_host(arguments);
        }),
        ("forbidden landlock", |arguments| {
            conditions::forbidden_landlock();
            in_this_host(arguments);
        }),
        ("kernel 6.1", |arguments| {
            conditions::kernel_6_1();
            in_this_host(arguments);
        }),
        ("own listener", |arguments| {
            let _listener = conditions::own_listener();
            in_this_host(arguments);
        }),
        ("mdwe", |arguments| {
            if conditions::deny_new_executable() {
                in_this_host(arguments);
            } else {
                host::say("null");
            }
        }),
    ]);
}

/// Runs the command below this process and says how it ended.
fn in_this_host(arguments: &str) {
    let (program, arguments): (PathBuf, Vec<String>) = serde_json::from_str(arguments).unwrap();
    let ran = command::run(&program, &arguments);
    host::say(&serde_json::to_string(&ran).unwrap());
}

/// A host process that a shell line and a scenario make.
struct Condition {
    line: String,
    scenario: &'static str,
}

impl Condition {
    /// The line has `"$0" "$@"` where the host goes.
    fn of_line(line: impl Into<String>) -> Self {
        Self { line: line.into(), scenario: "as it is" }
    }

    fn of_scenario(scenario: &'static str) -> Self {
        Self { line: "exec \"$0\" \"$@\"".to_owned(), scenario }
    }

    /// Has every command make its claims there.
    fn holds(&self, test: &str, off: &[Off]) {
        if self.can_be_made(test) {
            claims::hold(|arguments| self.run(arguments), off, lacking_anyway());
        }
    }

    fn holds_that_nothing_runs(&self, test: &str, words: &str) {
        if self.can_be_made(test) {
            claims::hold_that_nothing_runs(|arguments| self.run(arguments), words);
        }
    }

    fn can_be_made(&self, test: &str) -> bool {
        let made = Command::new("/bin/sh").arg("-c").arg(&self.line).arg("true").output().unwrap();
        if !made.status.success() {
            let why = String::from_utf8_lossy(&made.stderr);
            skip(test, &format!("such a host cannot be made here: {}", why.trim()));
        }
        made.status.success()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.try_run(arguments).unwrap()
    }

    /// `None`: this kernel does not have what the scenario is about.
    fn try_run(&self, arguments: &[&str]) -> Option<Ran> {
        // Where the command is must be found out here: the host may have no /proc to ask.
        let arguments = serde_json::to_string(&(command::program(), arguments)).unwrap();
        let mut host = Host::start_in_shell(&self.line, self.scenario, &arguments);
        let ran = serde_json::from_str(&host.line()).unwrap();
        host.finish();
        ran
    }
}

/// What this machine lacks without our doing; no suite of its own takes that for granted.
fn lacking_anyway() -> &'static BTreeSet<String> {
    static LACKING: OnceLock<BTreeSet<String>> = OnceLock::new();
    LACKING.get_or_init(|| claims::unavailable(&command::casemate(&["doctor", "--json"])))
}

/// Another user, where we are root.
fn as_somebody() -> &'static str {
    if is_root() { "setpriv --reuid 12345 --regid 12345 --clear-groups" } else { "" }
}

/// Where an ordinary user made a namespace for itself alone, to be root of it.
const ROOT_OF_A_NAMESPACE: Off = Off {
    layer: "unprivileged-uid",
    why: "root of a user namespace that knows no other user",
    how: "run as the user who made it",
    reason: "root here",
};

/// The host as it is, and what every further one is measured against.
#[test]
fn nothing_taken_away() {
    Condition::of_scenario("as it is").holds("nothing_taken_away", &[]);
}

#[test]
fn no_user_namespaces() {
    // An inner one in which no further one may be made; root there is an ordinary user outside.
    let line = format!(
        "exec {user} unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"' \"$0\" \"$@\"",
        user = as_somebody()
    );
    let mut off = without_namespaces(
        "user.max_user_namespaces is 0",
        "sysctl -w user.max_user_namespaces=",
        "user.max_user_namespaces",
    );
    off.push(ROOT_OF_A_NAMESPACE);
    Condition::of_line(line).holds("no_user_namespaces", &off);
}

#[test]
fn a_chroot() {
    let mut off = without_namespaces("a chroot", "outside of a chroot", "a chroot");
    if !is_root() {
        off.push(ROOT_OF_A_NAMESPACE);
    }
    in_chroot("true", as_somebody()).holds("a_chroot", &off);
}

#[test]
fn a_chroot_without_proc() {
    in_chroot("mount -t tmpfs none \"$ROOT/proc\"", as_somebody())
        .holds_that_nothing_runs("a_chroot_without_proc", "/proc");
}

#[test]
fn root_in_a_chroot() {
    if !is_root() {
        skip("root_in_a_chroot", "it takes root");
        return;
    }
    let off = without_namespaces("a chroot", "outside of a chroot", "a chroot");
    in_chroot("true", "").holds("root_in_a_chroot", &off);
}

/// A host below a root directory that shows the same files, after one more command in preparation, as the user that a
/// command makes of root. An ordinary user is root of a namespace of its own there, for only root may.
fn in_chroot(prepare: &str, user: &str) -> Condition {
    let namespaces = if is_root() { "--mount" } else { "--user --map-root-user --mount" };
    Condition::of_line(format!(
        "export ROOT=$(mktemp -d); trap 'rmdir \"$ROOT\"' EXIT; unshare {namespaces} sh -c \
         'mount --rbind / \"$ROOT\" && {prepare} && exec chroot \"$ROOT\" {user} \"$0\" \"$@\"' \"$0\" \"$@\""
    ))
}

#[test]
fn no_landlock() {
    let off = Off {
        layer: "landlock",
        why: "a filter over this process hides it",
        how: "landlock_create_ruleset",
        reason: "no Landlock",
    };
    Condition::of_scenario("no landlock").holds("no_landlock", &[off]);
}

#[test]
fn landlock_that_is_forbidden() {
    let off = Off {
        layer: "landlock",
        why: "Operation not permitted",
        how: "allow landlock_create_ruleset",
        reason: "no Landlock",
    };
    Condition::of_scenario("forbidden landlock").holds("landlock_that_is_forbidden", &[off]);
}

#[test]
fn a_listener_of_the_hosts_own() {
    let off = Off {
        layer: "violation-reports",
        why: "a seccomp listener",
        how: "start the host program outside of",
        reason: "the host has a seccomp listener",
    };
    Condition::of_scenario("own listener").holds("a_listener_of_the_hosts_own", &[off]);
}

/// As far as a filter can imitate it; the group `vm` has a real one.
#[test]
fn a_kernel_6_1() {
    let off = [
        Off { layer: "deny-new-executable", why: "MDWE", how: "6.3", reason: "6.3" },
        Off { layer: "sealed-code", why: "mseal", how: "6.10", reason: "6.10" },
    ];
    Condition::of_scenario("kernel 6.1").holds("a_kernel_6_1", &off);
}

#[test]
fn no_new_executable_memory() {
    let mdwe = Condition::of_scenario("mdwe");
    if mdwe.try_run(&["--version"]).is_none() {
        skip("no_new_executable_memory", "this kernel has no MDWE (6.3)");
        return;
    }
    mdwe.holds_that_nothing_runs("no_new_executable_memory", "MemoryDenyWriteExecute");
    let doctor = mdwe.run(&["doctor", "--json"]);
    assert!(claims::unavailable(&doctor).contains("deny-new-executable"), "{doctor:?}");
    assert!(doctor.out.contains("remove MemoryDenyWriteExecute="), "{doctor:?}");
}
