//! Hosts that give less than everything: plugins run with less around them, or not at all, and every command says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate_tests::claims::{Off, hold, hold_that_nothing_runs, without_namespaces};
use casemate_tests::command::{self, Ran};
use casemate_tests::host::{self, Host};
use casemate_tests::{conditions, is_root, skip};
use std::path::PathBuf;

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

/// Runs the command in a host that a shell line and a scenario make. `None`: this machine cannot be such a host.
fn try_run(line: &str, condition: &str, arguments: &[&str]) -> Option<Ran> {
    // Where the command is must be found out here: the host may have no /proc to ask.
    let arguments = serde_json::to_string(&(command::program(), arguments)).unwrap();
    let mut host = Host::start_in_shell(line, condition, &arguments);
    let ran = serde_json::from_str(&host.line()).unwrap();
    host.finish();
    ran
}

fn run<'a>(line: &'a str, condition: &'a str) -> impl FnMut(&[&str]) -> Ran + 'a {
    move |arguments| try_run(line, condition, arguments).unwrap()
}

/// The host as it is.
const PLAIN: &str = "exec \"$0\" \"$@\"";

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

#[test]
fn no_user_namespaces() {
    // An inner one in which no further one may be made; root there is an ordinary user outside.
    let line = format!(
        "exec {} unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"' \"$0\" \"$@\"",
        as_somebody()
    );
    let mut off = without_namespaces(
        "user.max_user_namespaces is 0",
        "sysctl -w user.max_user_namespaces=",
        "user.max_user_namespaces",
    );
    off.push(ROOT_OF_A_NAMESPACE);
    hold(run(&line, "as it is"), &off);
}

#[test]
fn a_chroot() {
    let line = in_chroot("true");
    let mut off = without_namespaces("a chroot", "outside of a chroot", "a chroot");
    if !is_root() {
        off.push(ROOT_OF_A_NAMESPACE);
    }
    hold(run(&line, "as it is"), &off);
}

#[test]
fn a_chroot_without_proc() {
    let line = in_chroot("mount -t tmpfs none \"$ROOT/proc\"");
    hold_that_nothing_runs(run(&line, "as it is"), "/proc");
}

/// A host below a root directory that shows the same files, after one more command in preparation. As an ordinary user:
/// one who is root of a namespace, for only root may.
fn in_chroot(prepare: &str) -> String {
    let (namespaces, inside) = match is_root() {
        true => ("--mount", as_somebody()),
        false => ("--user --map-root-user --mount", ""),
    };
    format!(
        "export ROOT=$(mktemp -d); trap 'rmdir \"$ROOT\"' EXIT; unshare {namespaces} sh -c \
         'mount --rbind / \"$ROOT\" && {prepare} && exec chroot \"$ROOT\" {inside} \"$0\" \"$@\"' \"$0\" \"$@\""
    )
}

#[test]
fn root_in_a_chroot() {
    if !is_root() {
        skip("root_in_a_chroot", "it takes root");
        return;
    }
    let line = in_chroot("true").replace(as_somebody(), "");
    let off = without_namespaces("a chroot", "outside of a chroot", "a chroot");
    hold(run(&line, "as it is"), &off);
}

#[test]
fn no_landlock() {
    let off = Off {
        layer: "landlock",
        why: "a filter over this process hides it",
        how: "landlock_create_ruleset",
        reason: "no Landlock",
    };
    hold(run(PLAIN, "no landlock"), &[off]);
}

#[test]
fn landlock_that_is_forbidden() {
    let off = Off {
        layer: "landlock",
        why: "Operation not permitted",
        how: "allow landlock_create_ruleset",
        reason: "no Landlock",
    };
    hold(run(PLAIN, "forbidden landlock"), &[off]);
}

#[test]
fn a_listener_of_the_hosts_own() {
    let off = Off {
        layer: "violation-reports",
        why: "a seccomp listener",
        how: "start the host program outside of",
        reason: "the host has a seccomp listener",
    };
    hold(run(PLAIN, "own listener"), &[off]);
}

/// As far as a filter can imitate it; the group `vm` has a real one.
#[test]
fn a_kernel_6_1() {
    let off = [
        Off { layer: "deny-new-executable", why: "MDWE", how: "6.3", reason: "6.3" },
        Off { layer: "sealed-code", why: "mseal", how: "6.10", reason: "6.10" },
    ];
    hold(run(PLAIN, "kernel 6.1"), &off);
}

#[test]
fn no_new_executable_memory() {
    if try_run(PLAIN, "mdwe", &["--version"]).is_none() {
        skip("no_new_executable_memory", "this kernel has no MDWE (6.3)");
        return;
    }
    hold_that_nothing_runs(run(PLAIN, "mdwe"), "MemoryDenyWriteExecute");
    let doctor = run(PLAIN, "mdwe")(&["doctor", "--json"]).json();
    let finding = doctor["layers"].as_array().unwrap().iter().find(|f| f["layer"] == "deny-new-executable");
    let finding = finding.unwrap();
    assert_eq!(finding["available"], false, "{finding}");
    assert!(finding["how"].as_str().unwrap().contains("MemoryDenyWriteExecute"), "{finding}");
}
