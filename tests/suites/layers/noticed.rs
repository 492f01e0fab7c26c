//! A wall that was left out is noticed from outside, by name, and its worker refused; or it cannot be seen, and then no
//! certificate says that it was.

use crate::bench::{Bench, judged, module};
use casemate::attack::{Attacker, Profile};
use casemate::certificate::Status;
use casemate::{Cause, LayerSet};
use casemate_lockdown::experiment::WALLS;
use casemate_tests::{block_on, is_root, policy, skip};

/// What is left out, and what the refusal says.
pub(crate) const SEEN: &[(&str, &str)] = &[
    ("filter-a", "filter A let a call through that no list allows"),
    ("filter-b", "filter B let a call through that only a zygote may make"),
    // Landlock takes it too, so both must be left out for it to be missing.
    ("no-new-privs,landlock", "(no-new-privs)"),
    ("capabilities", "(capabilities)"),
    ("unprivileged-uid", "(unprivileged-uid)"),
    ("namespaces", "(pid-namespace)"),
    ("pid-namespace", "(pid-namespace)"),
    ("net-namespace", "(net-namespace)"),
    ("ipc-namespace", "(ipc-namespace)"),
    ("uts-namespace", "(uts-namespace)"),
    ("cgroup-namespace", "(cgroup-namespace)"),
    // A root of its own needs a mount table of its own.
    ("mount-namespace,empty-root", "(mount-namespace)"),
    ("empty-root", "(empty-root)"),
    ("descriptors", "(descriptors)"),
    ("sealed-code", "(sealed-code)"),
    ("limit-core", "(rlimits): Max core file size"),
    ("limit-data", "(rlimits): Max data size"),
    ("limit-file-size", "(rlimits): Max file size"),
    ("limit-open-files", "(rlimits): Max open files"),
    ("limit-processes", "(rlimits): Max processes"),
    ("limit-stack", "(rlimits): Max stack size"),
];

/// What no look from outside can see, so that a certificate only ever reports it.
pub(crate) const UNSEEN: &[&str] = &["landlock", "not-dumpable", "deny-new-executable"];

#[test]
fn every_wall_that_can_be_left_out_is_in_a_table() {
    let known = |wall: &&str| SEEN.iter().any(|(walls, _)| walls.split(',').any(|known| known == *wall));
    let missing: Vec<_> = WALLS.iter().filter(|wall| !known(wall) && !UNSEEN.contains(wall)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Both workers: each look is the same, whatever the program.
const PROFILES: [Profile; 2] = [Profile::Core, Profile::Wasi];

#[test]
fn what_can_be_seen_from_outside_is_noticed_and_refused_by_name() {
    block_on(async {
        for (profile, (walls, words)) in
            PROFILES.into_iter().flat_map(|profile| SEEN.iter().map(move |row| (profile, row)))
        {
            if *walls == "unprivileged-uid" && !is_root() {
                skip(
                    "what_can_be_seen_from_outside: unprivileged-uid",
                    "only root has an identity to give away",
                );
                continue;
            }
            let failure = judged(profile, walls).await.expect_err(walls);
            println!("{profile:?} without {walls}: {failure}");
            assert!(matches!(failure.cause, Cause::Inspection { .. }), "{profile:?} {walls}: {failure}");
            assert!(failure.to_string().contains(words), "{profile:?} {walls}: {failure}");
        }
    });
}

#[test]
fn what_cannot_be_seen_is_never_called_observed() {
    block_on(async {
        for (profile, wall) in
            PROFILES.into_iter().flat_map(|profile| UNSEEN.iter().map(move |wall| (profile, wall)))
        {
            judged(profile, wall).await.unwrap_or_else(|failure| panic!("{profile:?} {wall}: {failure}"));
            let bench = Bench::of(profile, wall).await;
            let certificate = bench.attacker.plugin().certificate();
            for layer in LayerSet::named(wall).unwrap().iter() {
                assert_eq!(certificate.layers[&layer], Status::Reported, "{profile:?} {wall}");
            }
            assert!(bench.findings.lock().unwrap().is_empty());
            bench.close().await;
        }
    });
}

#[test]
fn both_certificates_say_the_same_of_every_layer() {
    block_on(async {
        let mut certificates = Vec::new();
        for profile in PROFILES {
            let attacker = Attacker::start(&module(profile), policy(|_| ())).await.unwrap();
            certificates.push(attacker.plugin().certificate());
            attacker.close().await;
        }
        let [core, wasi] = certificates.as_slice() else { unreachable!() };
        assert_eq!(core.layers, wasi.layers);
        assert_ne!(core.profile, wasi.profile);
    });
}
