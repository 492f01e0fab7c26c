//! Plugins of casemate-1 that want WASI.

use casemate::certificate::{Profile, Status};
use casemate::{Cause, Layer, LayerSet, Policy};
use casemate_tests::{block_on, casemate, guests, policy, processes};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn a_library_is_called_as_any_plugin_and_stands_behind_every_wall() {
    block_on(async {
        let casemate = casemate();
        let marker = casemate.marker();
        let plugin = casemate.load(guests::wasi("reactor"), Policy::default()).await.unwrap();
        for count in 1..=3_u64 {
            assert_eq!(
                plugin.call::<_, u64>("count", &()).await.unwrap(),
                count,
                "one instance, set up once"
            );
        }
        let certificate = plugin.certificate();
        assert_eq!(certificate.profile, Profile::Wasi);
        let missing = certificate.missing(LayerSet::all());
        assert!(missing.is_empty(), "missing: {missing}; {:?}", certificate.layers);
        assert_eq!(certificate.layers[&Layer::SingleThread], Status::Observed);
        // Also after it has waited, read and drawn.
        assert_eq!(plugin.call::<_, u64>("sleep", &5).await.unwrap(), 5);
        let worker = processes::youngest_worker(&marker.to_string()).unwrap();
        let threads = std::fs::read_dir(format!("/proc/{}/task", worker.pid)).unwrap().count();
        assert_eq!(threads, 1);
    });
}

#[test]
fn chance_is_every_instances_own() {
    block_on(async {
        let own = |spec: &mut casemate::PolicySpec| spec.isolation = casemate::policy::Isolation::Call;
        let plugin = casemate().load(guests::wasi("reactor"), policy(own)).await.unwrap();
        let mut drawn = BTreeSet::new();
        for _ in 0..8 {
            drawn.insert(plugin.call::<_, String>("random", &()).await.unwrap());
        }
        assert_eq!(drawn.len(), 8, "forked from one zygote: {drawn:?}");
    });
}

#[test]
fn who_waits_is_interrupted_at_its_deadline() {
    block_on(async {
        let short = policy(|spec| {
            spec.limits.call_timeout = Duration::from_millis(200);
            spec.limits.grace = Duration::from_secs(20);
        });
        let plugin = casemate().load(guests::wasi("reactor"), short).await.unwrap();
        let failure = plugin.call::<_, u64>("sleep", &3_600_000_u64).await.unwrap_err();
        assert!(matches!(failure.cause, Cause::SoftTimeout { limit_ms: 200, .. }), "{failure}");
        assert_eq!(plugin.call::<_, u64>("count", &()).await.unwrap(), 1, "by another instance");
    });
}

#[test]
fn it_sees_the_policys_environment_and_folders() {
    block_on(async {
        let folder = super::programs::folders();
        let granted = policy(|spec| {
            spec.env = vec!["GREETING=hi".to_owned()];
            spec.filesystem = vec![format!("read:{}=/data", folder.join("ro").display())];
        });
        let plugin = casemate().load(guests::wasi("reactor"), granted).await.unwrap();
        assert_eq!(plugin.call::<_, Value>("env", "GREETING").await.unwrap(), "hi");
        assert_eq!(plugin.call::<_, Value>("env", "HOME").await.unwrap(), json!(null));
        assert_eq!(plugin.call::<_, Value>("read", "/data/a.txt").await.unwrap(), "alpha beta");
        for path in [
            "/data/out.txt",
            "/data/absolute.txt",
            "/data/outside/passwd",
            "/etc/passwd",
            "/data/../rw/seed.txt",
        ] {
            let failure = plugin.call::<_, Value>("read", path).await.unwrap_err();
            assert!(matches!(failure.cause, Cause::GuestError { .. }), "{path}: {failure}");
        }
    });
}
