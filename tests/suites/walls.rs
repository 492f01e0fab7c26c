//! The walls themselves: what the certificate says, what the kernel reports, and hosts that give less.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "a suite fails loudly, in its helpers and scenarios too"
)]

use casemate::{Casemate, Certificate, Layer, LayerSet, Policy, certificate::Status};
use casemate_tests::{block_on, casemate, guests, host, host::Host, is_root, policy, processes, skip};
use serde_json::Value;
use std::time::Duration;

#[test]
fn scenario() {
    host::run(&[("load", load_and_report), ("listener", with_listener)]);
}

/// Loads a plugin, calls it, and says what its certificate lacks.
fn load_and_report(_: &str) {
    block_on(async {
        let plugin = match casemate().load(guests::wat("minimal"), Policy::default()).await {
            Ok(plugin) => plugin,
            Err(failure) => {
                host::say(&format!("refused {failure}"));
                return;
            }
        };
        let echo = plugin.call_raw("m", b"hello").await.unwrap();
        assert_eq!(echo, b"hello");
        host::say(&format!("missing {}", plugin.certificate().missing(LayerSet::all())));
    });
}

async fn certificate(casemate: &Casemate) -> Certificate {
    let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
    plugin.call_raw("m", b"x").await.unwrap();
    plugin.certificate()
}

#[test]
fn every_layer_stands_on_a_host_that_has_them() {
    block_on(async {
        let certificate = certificate(&casemate()).await;
        let missing = certificate.missing(LayerSet::all());
        assert!(missing.is_empty(), "missing: {missing}; {:?}", certificate.layers);
        // These cannot be seen from outside; everything else was.
        let reported: LayerSet = certificate
            .layers
            .iter()
            .filter(|(_, status)| **status == Status::Reported)
            .map(|(layer, _)| *layer)
            .collect();
        let invisible: LayerSet =
            [Layer::Landlock, Layer::DenyNewExecutable, Layer::NotDumpable].into_iter().collect();
        assert!(reported.minus(invisible).is_empty(), "only reported: {reported}");
    });
}

#[test]
fn without_namespaces_the_certificate_is_lower_and_says_why() {
    block_on(async {
        let casemate = Casemate::builder().configure(|config| config.namespaces = false).build().unwrap();
        let certificate = certificate(&casemate).await;
        let missing = certificate.missing(LayerSet::all());
        let expected = LayerSet::named("namespaces")
            .unwrap()
            .union([Layer::EmptyRoot, Layer::NotDumpable].into_iter().collect());
        assert_eq!(missing.minus(expected), LayerSet::EMPTY, "missing: {missing}");
        assert!(expected.minus(missing).is_empty(), "missing: {missing}");
        assert!(certificate.reason(Layer::PidNamespace).is_some_and(|why| !why.is_empty()));
    });
}

#[test]
fn without_namespaces_nothing_is_left_behind_either() {
    block_on(async {
        let casemate = Casemate::builder().configure(|config| config.namespaces = false).build().unwrap();
        let marker = casemate.marker();
        let plugin = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
        plugin.call_raw("m", b"x").await.unwrap();
        drop(plugin);
        processes::await_none(&marker, Duration::from_secs(20));
    });
}

#[test]
fn root_gives_itself_away() {
    if !is_root() {
        // An ordinary user's plugins have that user's uid; there is nothing to give away.
        return;
    }
    block_on(async {
        let casemate = casemate();
        let marker = casemate.marker();
        let one = casemate.load(guests::wat("minimal"), Policy::default()).await.unwrap();
        one.call_raw("m", b"x").await.unwrap();
        let two = casemate.load(guests::wat("loop"), Policy::default()).await.unwrap();
        let mut uids = Vec::new();
        for found in processes::with_marker(&marker) {
            let status = std::fs::read_to_string(format!("/proc/{}/status", found.pid)).unwrap();
            let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
            let ids: Vec<u32> = line.split_whitespace().skip(1).map(|id| id.parse().unwrap()).collect();
            assert!(ids.iter().all(|id| *id == ids[0] && *id >= 65_536), "{found:?}: {line}");
            uids.push(ids[0]);
        }
        uids.sort_unstable();
        uids.dedup();
        assert_eq!(uids.len(), 2, "each plugin has a uid of its own: {uids:?}");
        drop(two);
    });
}

#[test]
fn a_host_with_a_listener_of_its_own_gets_violations_by_signal() {
    let mut host = Host::start("listener", "");
    assert_eq!(host.line(), "missing violation-reports");
    host.finish();
}

/// A host that is itself behind a filter with a listener: the kernel allows one in a chain.
fn with_listener(_: &str) {
    const ALLOW: casemate_sys::seccomp::Instruction =
        casemate_sys::seccomp::Instruction { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 };
    rustix::thread::set_no_new_privs(true).unwrap();
    let _listener = casemate_sys::seccomp::install_with_listener(&[ALLOW]).unwrap();
    load_and_report("");
}

#[test]
fn memfd_noexec_is_lived_with() {
    let path = "/proc/sys/vm/memfd_noexec";
    if !is_root() {
        skip("memfd_noexec_is_lived_with", "setting vm.memfd_noexec needs root");
        return;
    }
    let Ok(before) = std::fs::read_to_string(path) else {
        skip("memfd_noexec_is_lived_with", "this kernel has no vm.memfd_noexec (6.3)");
        return;
    };
    // The setting belongs to the pid namespace and cannot be lowered there: a namespace of its own for each value.
    for (value, missing) in [("1", "missing "), ("2", "missing sealed-program")] {
        let line = format!(
            "exec unshare --pid --fork --mount-proc sh -c 'echo {value} > {path} && exec \"$0\" \"$@\"' \"$0\" \"$@\""
        );
        let mut host = Host::start_in_shell(&line, "load", "");
        assert_eq!(host.line(), missing, "vm.memfd_noexec = {value}");
        host.finish();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), before, "the host's own setting is untouched");
}

#[test]
fn a_proc_that_hides_others_is_enough() {
    if !is_root() {
        skip("a_proc_that_hides_others_is_enough", "mounting /proc with hidepid needs root");
        return;
    }
    for value in ["1", "2"] {
        let mount = format!("mount -t proc -o hidepid={value} proc /proc");
        // As an ordinary user, for whom hidepid hides.
        let line = format!(
            "exec unshare --mount sh -c '{mount} && exec setpriv --reuid 12345 --regid 12345 --clear-groups \"$0\" \"$@\"' \"$0\" \"$@\""
        );
        let mut host = Host::start_in_shell(&line, "load", "");
        assert_eq!(host.line(), "missing ", "hidepid={value}");
        host.finish();
    }
}

#[test]
fn a_host_without_user_namespaces_gets_the_lower_tier() {
    // As an ordinary user: an inner namespace in which no further one may be made. As root: likewise, and root there is
    // this user outside.
    let as_user = if is_root() { "setpriv --reuid 12345 --regid 12345 --clear-groups" } else { "" };
    let line = format!(
        "exec {as_user} unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"' \"$0\" \"$@\""
    );
    let mut host = Host::start_in_shell(&line, "load", "");
    let said = host.line();
    let missing = said.strip_prefix("missing ").unwrap_or_else(|| panic!("{said}"));
    for layer in ["user-namespace", "pid-namespace", "net-namespace", "empty-root"] {
        assert!(missing.contains(layer), "{missing}");
    }
    for layer in ["seccomp", "landlock", "descriptors", "rlimits"] {
        assert!(!missing.contains(layer), "{missing}");
    }
    host.finish();
}

#[test]
fn no_proc_is_one_clear_error() {
    if !is_root() {
        skip("no_proc_is_one_clear_error", "taking /proc away needs root");
        return;
    }
    let line = "exec unshare --mount sh -c 'mount -t tmpfs none /proc && exec \"$0\" \"$@\"' \"$0\" \"$@\"";
    let mut host = Host::start_in_shell(line, "load", "");
    let said = host.line();
    assert!(said.starts_with("refused ") && said.contains("/proc"), "{said}");
    host.finish();
}

#[test]
fn guests_have_neither_files_nor_network_nor_environment() {
    // There is nothing to link them to: what a module would need for it is refused before it runs.
    block_on(async {
        let plugin = casemate().load(guests::rust("probe"), policy(|_| {})).await.unwrap();
        let facts = plugin.facts();
        let imports = facts.imports().iter().map(|import| import.module.as_str().to_owned());
        assert!(imports.into_iter().all(|module| module == "casemate"));
        // And what its process has, the inspection has seen: one descriptor, an empty root, no interface.
        let certificate = plugin.certificate();
        for layer in [Layer::Descriptors, Layer::EmptyRoot, Layer::NetNamespace, Layer::Seccomp] {
            assert_eq!(certificate.layers[&layer], Status::Observed, "{layer}");
        }
        let answer: Value = plugin.call("random", &()).await.unwrap();
        assert!(answer["hash"].is_string());
    });
}
